/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/windows.h"

const char *window_name(unsigned int window)
{
	static const char *const names[PVS_WINDOWS] = {"now", "1min", "10min"};

	return names[window];
}

bool window_since(const struct pvs_mark *mark, const struct pvs_vcpu_account *vcpu,
                  struct window_view *ret)
{
	if (mark->run_ns > vcpu->run_ns || mark->wait_ns > vcpu->wait_ns ||
	    mark->boosted_ns > vcpu->used_ns || mark->wakeups > vcpu->wakeups ||
	    mark->wakeups_boosted > vcpu->wakeups_boosted || mark->boosts > vcpu->boosts ||
	    mark->denied > vcpu->denied)
		return false;
	*ret = (struct window_view){
	        .run_ns = vcpu->run_ns - mark->run_ns,
	        .boosted_ns = vcpu->used_ns - mark->boosted_ns,
	        .wait_ns = vcpu->wait_ns - mark->wait_ns,
	        .wakeups = vcpu->wakeups - mark->wakeups,
	        /* a wake-up is counted before its switch-in: the mark may lie between the two */
	        .wakeups_boosted = MIN(vcpu->wakeups_boosted - mark->wakeups_boosted,
	                               vcpu->wakeups - mark->wakeups),
	        .boosts = vcpu->boosts - mark->boosts,
	        .denied = vcpu->denied - mark->denied,
	};
	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++) {
		if (mark->wait_counts[i] > vcpu->wait_counts[i])
			return false;
		ret->wait_counts[i] = vcpu->wait_counts[i] - mark->wait_counts[i];
	}
	return true;
}

/* The latest mark that is old enough, else the oldest one; NULL: none. */
static const struct pvs_mark *choose(const struct pvs_window *window,
                                     const struct pvs_vcpu_account *vcpu, uint64_t target_ns)
{
	const struct pvs_mark *best = NULL;
	struct window_view view;

	for (unsigned int i = 0; i < PVS_WINDOW_MARKS; i++) {
		const struct pvs_mark *mark = &window->marks[i];

		if (!mark->until_ns || mark->from_ns > mark->until_ns ||
		    !window_since(mark, vcpu, &view))
			continue;
		if (!best || (best->from_ns > target_ns ? mark->from_ns < best->from_ns
		                                        : mark->from_ns > best->from_ns &&
		                                                  mark->from_ns <= target_ns))
			best = mark;
	}
	return best;
}

bool window_read(const struct pvs_windows *windows, unsigned int window,
                 const struct pvs_vcpu_account *vcpu, uint64_t now_ns, struct window_view *ret)
{
	uint64_t length_ns = 2 * pvs_window_part_ns(window);
	uint64_t target_ns = now_ns > length_ns ? now_ns - length_ns : 0;
	const struct pvs_mark *mark = choose(&windows->windows[window], vcpu, target_ns);

	/* off its CPU since before the window, so its counters are still those */
	if (mark && !vcpu->in_ns && vcpu->out_ns <= target_ns) {
		*ret = (struct window_view){.since_ns = target_ns};
		return true;
	}
	if (!mark || mark->from_ns >= now_ns || !window_since(mark, vcpu, ret))
		return false;
	/* nothing happened between the two */
	ret->since_ns = MAX(MIN(target_ns, mark->until_ns), mark->from_ns);
	return true;
}
