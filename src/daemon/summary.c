// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/summary.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/delays.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/log_budget.h"
#include "util/log_ids.h"

#define DENIED_PREFIX "PVSCHED_DENIED_"

/* What was counted of a domain when it was told of last. */
struct told {
	uint64_t serial; /* of the domain that was told of */
	uint64_t at_ns;
	uint64_t sheds;
	struct tally_counts counts;
};

struct summary {
	sd_event *event;
	const struct views *views;
	struct tally *tally;
	uint64_t interval_us; /* 0: none */
	uint64_t began_us;    /* this round */
	uint64_t before_ns;   /* when the one before began: new domains began after that */
	unsigned int next;    /* slot of a domain that this round goes on with */
	sd_event_source *timer;
	struct told told[PVS_DOMAINS_MAX];
};

/* One domain's interval. */
struct interval {
	struct tally_counts counts;
	uint64_t elapsed_ns;
	uint64_t sheds; /* for the domain's own threads */
	uint64_t p50_us, p99_us, max_us;
	uint64_t denied;
	const struct profile *profile;
};

struct fields {
	struct log_field fields[LOG_FIELDS_MAX];
	size_t n;
	char names[_POLICY_REASON_MAX][LOG_FIELD_NAME_MAX]; /* those of denials */
};

_Static_assert(9 + _POLICY_REASON_MAX <= LOG_FIELDS_MAX, "all fields of a summary fit");
_Static_assert(SUMMARY_TURN < LOG_OTHERS_MAX, "a turn leaves lines to others");
_Static_assert(SUMMARY_PAUSE_US *NSEC_PER_USEC > LOG_WINDOW_NS, "one turn per window");

static void look(struct summary *summary, const struct inventory_domain *d, struct interval *ret)
{
	struct told *last = &summary->told[d->slot];
	uint64_t at_ns, sheds = helper_threads_sheds(summary->views->helpers, d);
	const struct tally_counts *now = tally_look(summary->tally, summary->views, d, &at_ns);
	uint32_t waits[PVS_WAIT_BUCKETS];

	if (last->serial != d->serial)
		*last = (struct told){.serial = d->serial, .at_ns = summary->before_ns};
	*ret = (struct interval){
	        .elapsed_ns = MAX(at_ns, last->at_ns + 1) - last->at_ns,
	        /* some threads may have ended since */
	        .sheds = sheds > last->sheds ? sheds - last->sheds : 0,
	        .profile = &planning_domain(summary->views->planning, d)->profile,
	};
	tally_difference(now, &last->counts, &ret->counts);
	for (int r = 0; r < _POLICY_REASON_MAX; r++)
		ret->denied += ret->counts.denied[r];
	for (int i = 0; i < PVS_WAIT_BUCKETS; i++)
		waits[i] = (uint32_t)MIN(ret->counts.waits[i], (uint64_t)UINT32_MAX);
	ret->p50_us = delays_percentile_us(waits, 500);
	ret->p99_us = delays_percentile_us(waits, 990);
	ret->max_us = delays_percentile_us(waits, 1000);
	last->counts = *now;
	last->at_ns = at_ns;
	last->sheds = sheds;
}

static void add_number(struct fields *fields, const char *name, uint64_t number)
{
	fields->fields[fields->n++] = (struct log_field){.name = name, .number = number};
}

/* "cpu-cap": PVSCHED_DENIED_CPU_CAP */
static void add_denied(struct fields *fields, enum policy_reason reason, uint64_t number)
{
	char *name = fields->names[reason];

	snprintf(name, LOG_FIELD_NAME_MAX, DENIED_PREFIX "%s", policy_reason_name(reason));
	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
	add_number(fields, name, number);
}

static void fill_fields(const struct interval *interval, struct fields *ret)
{
	const struct tally_counts *counts = &interval->counts;

	ret->n = 0;
	ret->fields[ret->n++] =
	        (struct log_field){.name = "PVSCHED_PROFILE", .text = interval->profile->name};
	add_number(ret, "PVSCHED_INTERVAL_US", interval->elapsed_ns / NSEC_PER_USEC);
	add_number(ret, "PVSCHED_BOOSTS", counts->boosts);
	add_number(ret, "PVSCHED_BOOSTED_US", counts->boosted_ns / NSEC_PER_USEC);
	add_number(ret, "PVSCHED_WOULD_BOOSTED_US", counts->would_boosted_ns / NSEC_PER_USEC);
	add_number(ret, "PVSCHED_RUN_US", counts->run_ns / NSEC_PER_USEC);
	add_number(ret, "PVSCHED_WAIT_P50_US", interval->p50_us);
	add_number(ret, "PVSCHED_WAIT_P99_US", interval->p99_us);
	add_number(ret, "PVSCHED_WAIT_MAX_US", interval->max_us);
	for (int r = 0; r < _POLICY_REASON_MAX; r++)
		if (counts->denied[r])
			add_denied(ret, (enum policy_reason)r, counts->denied[r]);
}

static void write_line(const struct inventory_domain *d, const struct interval *interval)
{
	const struct tally_counts *counts = &interval->counts;
	uint64_t used_ns = counts->boosted_ns + counts->would_boosted_ns;
	uint64_t elapsed_ms = MAX(interval->elapsed_ns / NSEC_PER_MSEC, UINT64_C(1));
	char room[64] = "";
	struct fields fields;
	struct log_context ctx = {
	        .domain = d->seen->name,
	        .vcpu = -1,
	        .message_id = LOG_ID_DOMAIN_SUMMARY,
	        .fields = fields.fields,
	};

	fill_fields(interval, &fields);
	ctx.n_fields = fields.n;
	if (interval->sheds)
		snprintf(room, sizeof(room), "; made room for its own threads %" PRIu64 " times",
		         interval->sheds);
	log_write(LOG_INFO, &ctx,
	          "domain \"%s\", profile %s: %" PRIu64 " boosts in %" PRIu64
	          " s; %sboosted for %" PRIu64 " permille of a CPU; ran %" PRIu64
	          " permille; wait p99 %" PRIu64 " us; %" PRIu64 " boosts for interrupts; %" PRIu64
	          " denied%s",
	          d->seen->name, interval->profile->name, counts->boosts, elapsed_ms / 1000,
	          interval->profile->mode == PROFILE_OBSERVE ? "would have been " : "",
	          used_ns / NSEC_PER_USEC / elapsed_ms, counts->run_ns / NSEC_PER_USEC / elapsed_ms,
	          interval->p99_us, counts->interrupt_boosts, interval->denied, room);
}

static void domain_summary(struct summary *summary, const struct inventory_domain *d)
{
	struct interval interval;

	look(summary, d, &interval);
	if (interval.counts.boosted_ns || interval.counts.would_boosted_ns ||
	    interval.counts.boosts || interval.denied || interval.counts.wait_ns)
		write_line(d, &interval);
}

/* Returns true if domains are left for another turn. */
static bool turn(struct summary *summary)
{
	unsigned int end = summary->next + SUMMARY_TURN;
	bool more = false;

	for (struct inventory_domain *d = summary->views->inventory->domains; d; d = d->next) {
		if (d->slot >= summary->next && d->slot < end)
			domain_summary(summary, d);
		more = more || d->slot >= end;
	}
	summary->next = more ? end : 0;
	if (!more)
		summary->before_ns = summary->began_us * NSEC_PER_USEC;
	return more;
}

static int on_interval(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct summary *summary = userdata;

	if (summary->next == 0)
		summary->began_us = usec;
	if (turn(summary))
		usec += SUMMARY_PAUSE_US;
	else
		usec = MAX(summary->began_us + summary->interval_us, usec + 1);
	sd_event_source_set_time(source, usec);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int summary_new(struct summary **ret, sd_event *event, const struct views *views,
                struct tally *tally)
{
	struct summary *summary = calloc(1, sizeof(*summary));

	if (!summary)
		return -ENOMEM;
	summary->event = event;
	summary->views = views;
	summary->tally = tally;
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

/* What was before is no part of the first interval. */
static void begin(struct summary *summary)
{
	struct interval interval;

	summary->before_ns = clock_now_ns();
	for (struct inventory_domain *d = summary->views->inventory->domains; d; d = d->next)
		look(summary, d, &interval);
}

int summary_configure(struct summary *summary, uint64_t interval_ns)
{
	uint64_t us = interval_ns / NSEC_PER_USEC;
	int r;

	if (!summary->timer && us)
		begin(summary);
	summary->timer = sd_event_source_disable_unref(summary->timer);
	summary->interval_us = us;
	summary->next = 0;
	if (us == 0)
		return 0;
	/* nothing waits for it: let it come with another wake-up */
	r = sd_event_add_time_relative(summary->event, &summary->timer, CLOCK_MONOTONIC, us,
	                               us / 10, on_interval, summary);
	return MIN(r, 0);
}
