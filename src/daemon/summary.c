// SPDX-License-Identifier: GPL-2.0-or-later
/* One line per domain and interval in the journal, for those in which something happened. */
#include "daemon/manager.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/delays.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"

/* Sums over a domain's vCPUs what happened since the last time. */
struct change {
	uint64_t boosts, interrupts, used_ns, run_ns, elapsed_ns;
	uint64_t sheds;       /* for the domain's own threads */
	uint64_t wait_p99_us; /* of the worst vCPU, since it is traced */
};

static void vcpu_change(struct manager *m, struct managed_vcpu *v, uint64_t now_ns,
                        struct change *sum)
{
	const struct pvs_vcpu_account *account = &m->accounts.vcpus[v->slot];
	struct booster_vcpu booster;
	uint64_t used_ns = account->used_ns + account->imagined_ns;

	booster_read(m->booster, v->slot, &booster);
	sum->boosts += booster.view.boosts_total - v->last_summary.boosts;
	sum->interrupts += booster.view.interrupts_total - v->last_summary.interrupts;
	sum->used_ns += used_ns - v->last_summary.used_ns;
	sum->run_ns += account->run_ns - v->last_summary.run_ns;
	if (v->last_summary.at_ns)
		sum->elapsed_ns = MAX(sum->elapsed_ns, now_ns - v->last_summary.at_ns);
	sum->wait_p99_us = MAX(sum->wait_p99_us, delays_percentile_us(account->wait_counts, 990));
	v->last_summary.boosts = booster.view.boosts_total;
	v->last_summary.interrupts = booster.view.interrupts_total;
	v->last_summary.used_ns = used_ns;
	v->last_summary.run_ns = account->run_ns;
	v->last_summary.at_ns = now_ns;
}

static uint64_t sheds_change(struct manager *m, struct managed_domain *d)
{
	uint64_t sheds = helpers_sheds_total(m, d), last = d->last_summary_sheds;

	d->last_summary_sheds = sheds;
	return sheds > last ? sheds - last : 0; /* some threads may have ended since */
}

static void domain_summary(struct manager *m, struct managed_domain *d)
{
	struct log_context ctx = {
	        .domain = d->seen->name,
	        .vcpu = -1,
	        .message_id = LOG_ID_DOMAIN_SUMMARY,
	};
	struct change sum = {0};
	uint64_t now_ns = clock_now_ns(), elapsed_ms;
	char room[64] = "";

	for (size_t i = 0; i < d->n_vcpus; i++)
		if (d->vcpus[i].slot != SLOT_NONE)
			vcpu_change(m, &d->vcpus[i], now_ns, &sum);
	sum.sheds = sheds_change(m, d);
	elapsed_ms = sum.elapsed_ns / NSEC_PER_MSEC;
	if (sum.used_ns == 0 || elapsed_ms == 0)
		return;
	if (sum.sheds)
		snprintf(room, sizeof(room), "; made room for its own threads %" PRIu64 " times",
		         sum.sheds);
	log_write(LOG_INFO, &ctx,
	          "domain \"%s\", profile %s: %" PRIu64 " boosts in %" PRIu64
	          " s; %selevated for %" PRIu64 " permille of a CPU; ran %" PRIu64
	          " permille; wait p99 %" PRIu64 " us; %" PRIu64 " boosts for interrupts%s",
	          d->seen->name, d->choice.profile.name, sum.boosts, elapsed_ms / 1000,
	          d->choice.profile.mode == PROFILE_OBSERVE ? "would have been " : "",
	          sum.used_ns / NSEC_PER_USEC / elapsed_ms, sum.run_ns / NSEC_PER_USEC / elapsed_ms,
	          sum.wait_p99_us, sum.interrupts, room);
}

static int on_interval(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *m = userdata;
	uint64_t interval_us = config_host(m->config)->summary_interval_ns / NSEC_PER_USEC;

	for (struct managed_domain *d = m->domains; d; d = d->next)
		domain_summary(m, d);
	if (interval_us == 0)
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	sd_event_source_set_time(source, usec + interval_us);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int summary_start(struct manager *m)
{
	uint64_t interval_us = config_host(m->config)->summary_interval_ns / NSEC_PER_USEC;

	m->summary_timer = sd_event_source_disable_unref(m->summary_timer);
	if (interval_us == 0)
		return 0;
	/* nobody waits for it: let it come with another wake-up */
	return sd_event_add_time_relative(m->event, &m->summary_timer, CLOCK_MONOTONIC, interval_us,
	                                  interval_us / 10, on_interval, m);
}
