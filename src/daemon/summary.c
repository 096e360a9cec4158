// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/summary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/delays.h"
#include "daemon/vcpu_snapshot.h"
#include "util/log.h"
#include "util/log_ids.h"

/* Sums over a domain's vCPUs what happened since the last time. */
struct change {
	uint64_t boosts, interrupts, used_ns, run_ns, elapsed_ns;
	uint64_t sheds;       /* for the domain's own threads */
	uint64_t wait_p99_us; /* of the worst vCPU, since it is traced */
};

/* What was counted of a vCPU when it was looked at last. */
struct counted {
	struct thread_id id; /* the thread that was counted: slots are used again */
	uint64_t boosts, interrupts, used_ns, run_ns;
	uint64_t at_ns;
};

struct counted_domain {
	uint64_t serial; /* of the domain that was counted */
	uint64_t sheds;
};

struct summary {
	sd_event *event;
	const struct views *views;
	uint64_t interval_us; /* 0: none */
	sd_event_source *timer;
	struct counted vcpus[PVS_VCPUS_MAX];
	struct counted_domain domains[PVS_DOMAINS_MAX];
};

static void vcpu_change(struct summary *summary, const struct inventory_vcpu *v, struct change *sum)
{
	struct counted *last = &summary->vcpus[v->slot];
	struct vcpu_snapshot now;
	uint64_t used_ns;

	vcpu_snapshot_take(summary->views, v, &now);
	used_ns = now.account.used_ns + now.account.imagined_ns;
	/* also one that was not traced in between: its counts began anew */
	if (!thread_id_equal(&last->id, &v->thread.id) || used_ns < last->used_ns ||
	    now.account.run_ns < last->run_ns || now.booster.view.boosts_total < last->boosts)
		*last = (struct counted){.id = v->thread.id};
	sum->boosts += now.booster.view.boosts_total - last->boosts;
	sum->interrupts += now.booster.view.interrupts_total - last->interrupts;
	sum->used_ns += used_ns - last->used_ns;
	sum->run_ns += now.account.run_ns - last->run_ns;
	if (last->at_ns)
		sum->elapsed_ns = MAX(sum->elapsed_ns, now.taken_ns - last->at_ns);
	sum->wait_p99_us =
	        MAX(sum->wait_p99_us, delays_percentile_us(now.account.wait_counts, 990));
	*last = (struct counted){
	        .id = v->thread.id,
	        .boosts = now.booster.view.boosts_total,
	        .interrupts = now.booster.view.interrupts_total,
	        .used_ns = used_ns,
	        .run_ns = now.account.run_ns,
	        .at_ns = now.taken_ns,
	};
}

static uint64_t sheds_change(struct summary *summary, const struct inventory_domain *d)
{
	struct counted_domain *last = &summary->domains[d->slot];
	uint64_t sheds = helper_threads_sheds(summary->views->helpers, d);
	uint64_t before = last->serial == d->serial ? last->sheds : 0;

	*last = (struct counted_domain){.serial = d->serial, .sheds = sheds};
	return sheds > before ? sheds - before : 0; /* some threads may have ended since */
}

static void domain_summary(struct summary *summary, const struct inventory_domain *d)
{
	struct log_context ctx = {
	        .domain = d->seen->name,
	        .vcpu = -1,
	        .message_id = LOG_ID_DOMAIN_SUMMARY,
	};
	struct change sum = {0};
	const struct profile *profile = &planning_domain(summary->views->planning, d)->profile;
	uint64_t elapsed_ms;
	char room[64] = "";

	for (size_t i = 0; i < d->n_vcpus; i++)
		if (d->vcpus[i].slot != SLOT_NONE)
			vcpu_change(summary, &d->vcpus[i], &sum);
	sum.sheds = sheds_change(summary, d);
	elapsed_ms = sum.elapsed_ns / NSEC_PER_MSEC;
	if (sum.used_ns == 0 || elapsed_ms == 0)
		return;
	if (sum.sheds)
		snprintf(room, sizeof(room), "; made room for its own threads %" PRIu64 " times",
		         sum.sheds);
	log_write(LOG_INFO, &ctx,
	          "domain \"%s\", profile %s: %" PRIu64 " boosts in %" PRIu64
	          " s; %sboosted for %" PRIu64 " permille of a CPU; ran %" PRIu64
	          " permille; wait p99 %" PRIu64 " us; %" PRIu64 " boosts for interrupts%s",
	          d->seen->name, profile->name, sum.boosts, elapsed_ms / 1000,
	          profile->mode == PROFILE_OBSERVE ? "would have been " : "",
	          sum.used_ns / NSEC_PER_USEC / elapsed_ms, sum.run_ns / NSEC_PER_USEC / elapsed_ms,
	          sum.wait_p99_us, sum.interrupts, room);
}

static int on_interval(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct summary *summary = userdata;

	for (struct inventory_domain *d = summary->views->inventory->domains; d; d = d->next)
		domain_summary(summary, d);
	sd_event_source_set_time(source, usec + summary->interval_us);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int summary_new(struct summary **ret, sd_event *event, const struct views *views)
{
	struct summary *summary = calloc(1, sizeof(*summary));

	if (!summary)
		return -ENOMEM;
	summary->event = event;
	summary->views = views;
	*ret = summary;
	return 0;
}

struct summary *summary_free(struct summary *summary)
{
	if (!summary)
		return NULL;
	sd_event_source_disable_unref(summary->timer);
	free(summary);
	return NULL;
}

int summary_configure(struct summary *summary, uint64_t interval_ns)
{
	uint64_t us = interval_ns / NSEC_PER_USEC;
	int r;

	summary->timer = sd_event_source_disable_unref(summary->timer);
	summary->interval_us = us;
	if (us == 0)
		return 0;
	/* nothing waits for it: let it come with another wake-up */
	r = sd_event_add_time_relative(summary->event, &summary->timer, CLOCK_MONOTONIC, us,
	                               us / 10, on_interval, summary);
	return MIN(r, 0);
}
