/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the booster has: for booster.c, booster_thread.c, events.c and step.c alone. */

#include <pthread.h>
#include <stdatomic.h>

#include "boost/accounts.h"
#include "boost/actuator.h"
#include "boost/affinity.h"
#include "boost/backstop.h"
#include "boost/booster_view.h"
#include "boost/call.h"
#include "boost/event_source.h"
#include "boost/notes.h"
#include "boost/push.h"
#include "policy/attention.h"
#include "policy/refusals.h"

struct booster_slot {
	bool used;
	bool made_room; /* for a helper of its domain, and that was noted */
	bool boosts;    /* its profile does: it counts for its domain's part of attention */
	unsigned int domain;
	struct booster_delays request_to_applied;
};

/* The booster's CPU time, from the end of a turn to that of the next one. */
struct turn_cost {
	uint64_t begin_ns; /* CPU time of the thread when the last turn ended */
	uint64_t steps_ns; /* of it, in steps and calls */
	bool caused;       /* by an event of @domain, the first one of the turn */
	unsigned int domain;
	unsigned int debtor; /* the domain that had the last steps, */
	uint64_t owed_ns;    /* and the time of these, which is not charged yet */
};

struct booster {
	pthread_t thread;
	/* Odd while the thread works on what is below, even while it sleeps: a sequence count, by
	   which other threads read without waking it. */
	_Atomic uint32_t turn;
	const struct accounts *accounts;
	struct ledger *ledger;
	struct booster_source source;
	uint32_t priority; /* of the thread */
	int start_result;  /* of making itself real-time */
	bool ends;         /* the thread returns */
	struct calls calls;
	struct notes notes;
	enum booster_wait wait_wanted;
	struct wait *wait;
	uint32_t holds; /* of all vCPUs */
	uint32_t guardian_acts;
	struct policy *policy;
	struct attention *attention;
	struct turn_cost cost;
	struct actuator *actuator;
	struct pages *pages;
	struct board *board;
	struct backstop backstop;
	struct affinity affinity;
	struct push push;
	struct policy_refusals refusals; /* deadlines that the tracer could not start */
	struct booster_totals totals;
	uint64_t events_lost; /* as noted at @lost_noted_ns */
	uint64_t lost_noted_ns;
	bool notes_denied;              /* the next boost that is denied is noted */
	bool more_events;               /* the source has events that it need not tell of again */
	struct boosted_lists of_domain; /* all used slots, boosted or not */
	struct booster_slot slots[PVS_VCPUS_MAX];
};

static inline void booster_delay_add(struct booster_delays *delays, uint64_t delay_ns)
{
	delays->counts[pvs_wait_bucket(delay_ns)]++;
	delays->max_ns = MAX(delays->max_ns, delay_ns);
	delays->sum_ns += delay_ns;
}

static inline void booster_delay(struct booster *b, unsigned int slot, uint64_t delay_ns)
{
	booster_delay_add(&b->slots[slot].request_to_applied, delay_ns);
	booster_delay_add(&b->totals.request_to_applied, delay_ns);
}
