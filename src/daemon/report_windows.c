/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/report_windows.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "daemon/delays.h"
#include "daemon/report_delays.h"
#include "daemon/report_json.h"

static uint64_t permille(uint64_t part_ns, uint64_t all_ns)
{
	return all_ns ? part_ns * 1000 / all_ns : 0;
}

static void sum_add(struct window_sum *sum, const struct window_view *view, uint64_t until_ns)
{
	uint64_t length_ns = until_ns - view->since_ns;

	sum->known = true;
	sum->length_ns = MAX(sum->length_ns, length_ns);
	sum->run_permille += permille(view->run_ns, length_ns);
	sum->ready_permille += permille(view->wait_ns, length_ns);
	sum->boosted_permille += permille(view->boosted_ns, length_ns);
	sum->wakeups += view->wakeups;
	sum->wakeups_boosted += view->wakeups_boosted;
	sum->boosts += view->boosts;
	sum->denied += view->denied;
	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++)
		sum->wait_counts[i] += view->wait_counts[i];
}

static void add_before(const struct views *views, const struct inventory_vcpu *vcpu,
                       struct window_sum *sum)
{
	const struct policy_before *before = policy_changes_before(views->changes, vcpu);

	if (!before)
		return;
	if (!sum->known)
		memcpy(sum->profile, before->profile, sizeof(sum->profile));
	sum_add(sum, &before->window, before->until_ns);
}

/*
 * Counts of many vCPUs for a long time may need more than 32 bits. Percentiles only need their
 * ratios.
 */
static void add_waits(cJSON *object, const struct window_sum *sum)
{
	uint32_t counts[PVS_WAIT_BUCKETS];
	uint64_t most = 0, n = 0;
	unsigned int shift = 0;

	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++) {
		most = MAX(most, sum->wait_counts[i]);
		n += sum->wait_counts[i];
	}
	while (most >> shift > UINT32_MAX)
		shift++;
	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++)
		counts[i] = (uint32_t)(sum->wait_counts[i] >> shift);
	report_delays_of(object, "wait_us", counts, delays_percentile_us(counts, 1000), n);
}

static void add_window(cJSON *windows, const char *name, const struct window_sum *sum)
{
	cJSON *object;

	if (!sum->known)
		return;
	object = cJSON_AddObjectToObject(windows, name);
	if (sum->profile[0])
		cJSON_AddStringToObject(object, "profile", sum->profile);
	report_integer(object, "seconds", (int64_t)(sum->length_ns / NSEC_PER_SEC));
	add_waits(object, sum);
	report_integer(object, "run_permille", (int64_t)sum->run_permille);
	report_integer(object, "ready_permille", (int64_t)sum->ready_permille);
	report_integer(object, "boosted_permille", (int64_t)sum->boosted_permille);
	report_integer(object, "wakeups", (int64_t)sum->wakeups);
	report_integer(object, "boosted_wakeups", (int64_t)sum->wakeups_boosted);
	report_integer(object, "boosts", (int64_t)sum->boosts);
	report_integer(object, "denied", (int64_t)sum->denied);
}

/* Returns false if there are none. */
static bool read_marks(const struct views *views, const struct inventory_vcpu *vcpu,
                       const struct vcpu_snapshot *snapshot, struct pvs_windows *ret)
{
	return snapshot->traced && views->tracer &&
	       tracer_read_windows(views->tracer, vcpu->slot, ret) == 0;
}

static void add_marked(const struct pvs_windows *marks, unsigned int window,
                       const struct vcpu_snapshot *snapshot, struct window_sum *sum)
{
	struct window_view view;

	if (window_read(marks, window, &snapshot->account, snapshot->taken_ns, &view))
		sum_add(sum, &view, snapshot->taken_ns);
}

void report_windows_sum(const struct views *views, const struct inventory_vcpu *vcpu,
                        const struct vcpu_snapshot *snapshot, struct window_sums *sums)
{
	struct pvs_windows marks;

	if (read_marks(views, vcpu, snapshot, &marks))
		add_marked(&marks, 0, snapshot, &sums->now);
	add_before(views, vcpu, &sums->before);
}

void report_window_sums(const struct window_sums *sums, struct cJSON *object)
{
	cJSON *windows = cJSON_AddObjectToObject(object, "windows");

	add_window(windows, window_name(0), &sums->now);
	add_window(windows, "before", &sums->before);
}

bool report_window(const struct views *views, const struct inventory_vcpu *vcpu,
                   const struct vcpu_snapshot *snapshot, unsigned int window,
                   struct window_view *ret)
{
	struct pvs_windows marks;

	return read_marks(views, vcpu, snapshot, &marks) &&
	       window_read(&marks, window, &snapshot->account, snapshot->taken_ns, ret);
}

void report_windows(const struct views *views, const struct inventory_vcpu *vcpu,
                    const struct vcpu_snapshot *snapshot, struct cJSON *object)
{
	cJSON *windows = cJSON_AddObjectToObject(object, "windows");
	struct window_sum before = {0};
	struct pvs_windows marks;
	bool marked = read_marks(views, vcpu, snapshot, &marks);

	for (unsigned int i = 0; marked && i < PVS_WINDOWS; i++) {
		struct window_sum sum = {0};

		add_marked(&marks, i, snapshot, &sum);
		add_window(windows, window_name(i), &sum);
	}
	add_before(views, vcpu, &before);
	add_window(windows, "before", &before);
}
