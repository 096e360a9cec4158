/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The booster's insides: private to booster.c, which is the main thread's side, and
 * booster_thread.c.
 */

#include <pthread.h>

#include "boost/backstop.h"
#include "boost/booster.h"
#include "boost/mailbox.h"
#include "boost/wait.h"
#include "policy/refusals.h"

/* Enough for its deepest call chain, and touched at the start so that it never faults. */
#define BOOSTER_STACK_BYTES (256 * 1024)

/* What it waits for: places in what wait_open() is given. */
enum {
	BOOSTER_WAITS_FOR_COMMAND,
	BOOSTER_WAITS_FOR_EVENTS,
};

/** A CPU that was crowded once: see crowd.h. */
struct crowd_cpu {
	uint64_t at_ns;
	uint64_t foreign_ns; /* others' real-time run time on it until then */
	bool is_foreign;     /* much of it was, before that */
};

struct booster_slot {
	bool used;
	struct booster_delays request_to_applied;
	uint64_t children_mended;
	bool made_room; /* for a helper of its domain: that was noted */
};

struct booster {
	pthread_t thread;
	struct booster_options options;
	struct mailbox mailbox;
	struct wait *wait;
	pid_t tid;
	int start_result; /* of making itself real-time */
	uint32_t guardian_acts;
	struct policy *policy;
	struct actuator *actuator;
	struct pages *pages;
	struct page_writer *page_writer;
	struct canary *canary; /* NULL: it could not be started */
	struct booster_slot *slots;
	struct backstop backstop;
	struct crowd_cpu *crowded;       /* PVS_CPUS_MAX */
	struct cpu_set_bits home;        /* where it may run, but for a visit */
	struct cpu_set_bits cpus;        /* the affinity that home was made of */
	bool home_asked;                 /* home is host.booster_cpus */
	bool is_away;                    /* it did not come back from one */
	struct policy_claim *claims;     /* room for crowd_debtor() */
	struct policy_refusals refusals; /* deadlines that the tracer could not start */
	struct booster_totals totals;
	bool more_events; /* the source has some of which it need not tell again */
};

static inline void booster_touch_stack(void)
{
	volatile char page[BOOSTER_STACK_BYTES / 2];

	for (size_t i = 0; i < sizeof(page); i += 4096)
		page[i] = 0;
}

static inline void booster_delay(struct booster_delays *delays, uint64_t delay_ns)
{
	delays->counts[pvs_wait_bucket(delay_ns)]++;
	delays->max_ns = MAX(delays->max_ns, delay_ns);
}

/** The thread; @userdata is the struct booster. */
void *booster_main(void *userdata);
