/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * What a guest requests: the state machine that turns the words of its page into one urgency. The
 * tracer runs it in the vCPU thread, the booster when it looks at a page, and the simulator in
 * place of the tracer. Each keeps a struct pvs_request and passes it what was read.
 *
 * A guest requests by its application (the word request) and by its scheduler (task_intent and
 * cs_state). The scheduler counts only where an agent maintains its words. Each of the two lapses
 * on its own: an application's request a second after its word last changed; an agent's words when
 * the vCPU has run for a second and the agent gave no sign of life. A vCPU that sleeps, or waits
 * for a host CPU, cannot give one, and what it said last is still true. The host believes a guest
 * only within what the host itself saw.
 */

#include <linux/types.h>

#include "pvsched/page.h"

/**
 * A vCPU whose guest does ordinary work keeps its boost for at least this long after it was
 * switched in. An interrupt takes as long to lead to a task that requests otherwise.
 */
#define PVS_REQUEST_GRACE_NS 50000

/**
 * The same where the guest's scheduler says what runs: it says so of the interrupt, too. A boosted
 * run is charged for at least this long, so a shorter grace saves nothing.
 */
#define PVS_AGENT_GRACE_NS 30000

/** Urgent work is not expected to last longer than this. */
#define PVS_URGENT_MAX_NS 10000000

/** How far the guest's monotonic clock is behind the host's: the smallest distance seen so far. */
struct pvs_guest_clock {
	__u64 offset_ns; /* modulo 2^64 */
	__u64 seen_ns;   /* host time of the last word that it was learned from; 0: none */
};

/**
 * When a word was written, in host time. @written_ns is when, by the guest's clock; 0: the guest
 * does not say. The result is not before @since_ns and not after @now_ns, whatever the guest says.
 * A word that is seen soon after it was written tells the offset best, so the smallest offset
 * counts. It may grow by 1 ns in 1024, for clocks that run at different rates.
 */
static inline __attribute__((always_inline)) __u64
pvs_guest_clock_to_host(struct pvs_guest_clock *clock, __u64 written_ns, __u64 since_ns,
                        __u64 now_ns)
{
	__u64 offset_ns = clock->offset_ns + ((now_ns - clock->seen_ns) >> 10);

	if (!written_ns)
		return since_ns;
	if (!clock->seen_ns || (__s64)(written_ns + offset_ns - now_ns) > 0)
		offset_ns = now_ns - written_ns;
	if ((__s64)(written_ns + offset_ns - since_ns) < 0)
		offset_ns = since_ns - written_ns;
	clock->offset_ns = offset_ns;
	clock->seen_ns = now_ns;
	return written_ns + offset_ns;
}

/** One look at a page. */
struct pvs_request_look {
	/* as they are in the page */
	__u64 request, expect, written_ns, generation_echo;
	__u64 task_intent, cs_state, pulse; /* 0 without an agent */

	__u64 generation;   /* the generation that the guest must echo */
	__u64 ran_since_ns; /* when its last run began: it wrote nothing before; 0: unknown */
	__u64 now_ns;
	__u64 run_ns; /* how long the vCPU has run in all, until now_ns */
	int agent;    /* an agent maintains task_intent and cs_state */
};

/** What is known of a guest's requests. Zeroed: nothing. */
struct pvs_request {
	__u64 words[3];    /* request, task_intent, cs_state, as last read */
	__u64 generation;  /* the generation of the words and the clock */
	__u64 read_ns;     /* when the page was last looked at */
	__u64 changed_ns;  /* when the words last changed; 0: none seen of this generation */
	__u64 request_ns;  /* since when the application says this */
	__u64 urgency_ns;  /* since when the scheduler requests that urgency, whichever tasks run */
	__u64 pulse;       /* as last read */
	__u64 lived_ns;    /* how long the vCPU had run at the agent's last sign of life */
	__u64 expected_ns; /* when it will be urgent again; 0: unknown */
	struct pvs_guest_clock clock;
	__u32 urgency;       /* enum pvsched_urgency, at read_ns; never INVALID */
	__u32 agent;         /* not 0: the scheduler's words count */
	__u32 invalid_total; /* changes to a word that has no meaning */
	__u32 stale_total;   /* looks at a page whose guest echoes another generation */
};

/* What the application says; a request that was not renewed has lapsed. */
static inline __attribute__((always_inline)) enum pvsched_urgency
pvs_request_of_application(const struct pvs_request *r, __u64 now_ns)
{
	if (now_ns > r->request_ns + PVSCHED_REQUEST_LEASE_NS)
		return PVSCHED_URGENCY_NONE;
	return pvsched_request_urgency(r->words[0]);
}

/* What the scheduler says; an agent that gave no sign of life for too long is dead. */
static inline __attribute__((always_inline)) enum pvsched_urgency
pvs_request_of_scheduler(const struct pvs_request *r, __u64 run_ns)
{
	if (!r->agent || run_ns > r->lived_ns + PVSCHED_AGENT_LEASE_NS)
		return PVSCHED_URGENCY_NONE;
	return pvsched_intent_urgency(r->words[1], r->words[2]);
}

/**
 * What the guest requests at @now_ns, by its words as last read. Never PVSCHED_URGENCY_INVALID.
 * @run_ns  how long the vCPU has run in all, until @now_ns
 */
static inline __attribute__((always_inline)) enum pvsched_urgency
pvs_request_urgency(const struct pvs_request *r, __u64 now_ns, __u64 run_ns)
{
	enum pvsched_urgency ret;

	if (!r->changed_ns)
		return PVSCHED_URGENCY_NONE;
	ret = pvsched_urgency_merge(pvs_request_of_application(r, now_ns),
	                            pvs_request_of_scheduler(r, run_ns));
	return ret == PVSCHED_URGENCY_INVALID ? PVSCHED_URGENCY_NONE : ret;
}

/** Since when the guest requests what it requests. */
static inline __attribute__((always_inline)) __u64 pvs_request_since(const struct pvs_request *r)
{
	return r->request_ns > r->urgency_ns ? r->request_ns : r->urgency_ns;
}

/** The real-time priority in a tuple; 0: it has none. */
static inline __u32 pvs_tuple_priority(__u64 tuple)
{
	return pvsched_tuple_urgency(tuple & 0xffffff) == PVSCHED_URGENCY_URGENT
	               ? (tuple >> 16) & 0xff
	               : 0;
}

/** The highest real-time priority, 1 to 99, that is urgent then; 0: none is. */
static inline __u32 pvs_request_priority(const struct pvs_request *r, __u64 now_ns, __u64 run_ns)
{
	__u32 ret = 0, other;

	if (pvs_request_of_application(r, now_ns) == PVSCHED_URGENCY_URGENT)
		ret = pvs_tuple_priority(r->words[0]);
	if (pvs_request_of_scheduler(r, run_ns) != PVSCHED_URGENCY_URGENT)
		return ret;
	other = pvs_tuple_priority(r->words[1]);
	ret = other > ret ? other : ret;
	other = r->words[1] >> 48 & PVSCHED_INTENT_PENDING ? pvs_tuple_priority(r->words[1] >> 24)
	                                                   : 0;
	return other > ret ? other : ret;
}

/*
 * Notes a first or changed word of the application. When it was written is known only if the guest
 * says when it will be urgent again: by the guest's clock, or at worst by the look before.
 * Otherwise the word counts from this look on.
 */
static inline __attribute__((always_inline)) void
pvs_request_note_application(struct pvs_request *r, const struct pvs_request_look *look,
                             __u64 since_ns)
{
	__u32 us = pvsched_expect_us(look->expect, look->request);

	r->request_ns = look->now_ns;
	r->expected_ns = 0;
	if (us) {
		r->request_ns = pvs_guest_clock_to_host(&r->clock, look->written_ns, since_ns,
		                                        look->now_ns);
		r->expected_ns = r->request_ns + us * 1000ULL;
	}
	r->words[0] = look->request;
	r->changed_ns = look->now_ns;
	if (pvsched_request_urgency(look->request) == PVSCHED_URGENCY_INVALID)
		r->invalid_total++;
}

static inline __attribute__((always_inline)) void
pvs_request_note_scheduler(struct pvs_request *r, const struct pvs_request_look *look)
{
	if (!r->urgency_ns || pvsched_intent_urgency(r->words[1], r->words[2]) !=
	                              pvsched_intent_urgency(look->task_intent, look->cs_state))
		r->urgency_ns = look->now_ns;
	r->words[1] = look->task_intent;
	r->words[2] = look->cs_state;
	r->changed_ns = look->now_ns;
	if (look->agent &&
	    pvsched_intent_urgency(look->task_intent, look->cs_state) == PVSCHED_URGENCY_INVALID)
		r->invalid_total++;
}

/** Words of another generation, and the clock of that guest, say nothing of this generation. */
static inline __attribute__((always_inline)) void pvs_request_forget(struct pvs_request *r,
                                                                     __u64 generation)
{
	*r = (struct pvs_request){
	        .generation = generation,
	        .invalid_total = r->invalid_total,
	        .stale_total = r->stale_total,
	};
}

/** Brings @r up to date. Afterwards r->urgency is what the guest requests now. */
static inline __attribute__((always_inline)) void
pvs_request_look(struct pvs_request *r, const struct pvs_request_look *look)
{
	__u64 since_ns;
	int first, says;

	if (look->generation_echo != look->generation || r->generation != look->generation)
		pvs_request_forget(r, look->generation);
	since_ns = look->ran_since_ns > r->read_ns ? look->ran_since_ns : r->read_ns;
	r->read_ns = look->now_ns;
	if (look->generation_echo != look->generation) {
		r->stale_total++;
		return;
	}
	first = !r->changed_ns;
	if (first || r->words[0] != look->request)
		pvs_request_note_application(r, look, since_ns ? since_ns : look->now_ns);
	says = first || r->words[1] != look->task_intent || r->words[2] != look->cs_state;
	/* less run time than before: the account began anew */
	if (says || r->pulse != look->pulse || look->run_ns < r->lived_ns)
		r->lived_ns = look->run_ns;
	r->pulse = look->pulse;
	if (says)
		pvs_request_note_scheduler(r, look);
	r->agent = look->agent != 0;
	r->urgency = pvs_request_urgency(r, look->now_ns, look->run_ns);
}

/**
 * Learns how long something takes: about four in five times, it takes less than the result.
 * @known_ns is what was learned before, 0: nothing; @took_ns is how long it took this time. An
 * interruption may have stretched that, so a long time counts little.
 */
static inline __u64 pvs_lasts_learn(__u64 known_ns, __u64 took_ns)
{
	if (took_ns > PVS_URGENT_MAX_NS)
		took_ns = PVS_URGENT_MAX_NS;
	if (!known_ns)
		return took_ns;
	if (took_ns > 2 * known_ns)
		took_ns = 2 * known_ns;
	if (took_ns > known_ns)
		return known_ns + (took_ns - known_ns + 3) / 4;
	return known_ns - (known_ns - took_ns) / 16;
}

/** The run of a boosted vCPU, as far as its guest's requests are concerned. */
struct pvs_request_run {
	enum pvsched_urgency urgency;
	__u64 in_ns;         /* when the run began */
	__u64 said_ns;       /* since when its guest requests this urgency */
	__u64 urgent_run_ns; /* how long it runs when urgent, until it sleeps; 0: unknown */
	__u64 grace_ns;      /* how much ordinary work it may do before it yields */
};

/** Since when the vCPU does ordinary work in this run; 0: it does none. */
static inline __u64 pvs_request_ordinary_since(const struct pvs_request_run *run)
{
	if (run->urgency != PVSCHED_URGENCY_ORDINARY)
		return 0;
	return run->said_ns > run->in_ns ? run->said_ns : run->in_ns;
}

/**
 * When the vCPU will have done ordinary work for its grace, as far as that can be known: the next
 * look at its page. Always after @now_ns.
 */
static inline __u64 pvs_request_look_at(const struct pvs_request_run *run, __u64 now_ns)
{
	__u64 at_ns = pvs_request_ordinary_since(run);

	if (!at_ns)
		at_ns = run->in_ns + run->urgent_run_ns;
	at_ns += run->grace_ns;
	return at_ns > now_ns ? at_ns : now_ns + run->grace_ns / 2;
}
