/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * What a machine takes for a switch, a timer and a scheduler call, and the prices that follow from
 * that. docs/design/prices.md has the reasons. Pure; shared by daemon, tracer and simulator.
 */

#include <linux/types.h>

/** Times of one machine, in ns; 0: not measured. */
struct pvs_costs {
	__u32 wake_ns;  /* a thread wakes another on its CPU and sleeps; until that one runs */
	__u32 call_ns;  /* a call that changes a thread's class */
	__u32 timer_ns; /* from when a timer is due until the thread that sleeps for it runs */
};

/** What follows from them; a word that is 0 has its usual value. */
struct pvs_prices {
	/*
	 * The least that a boost is charged each time the vCPU is switched in while boosted. It is
	 * about what a preemption costs the preempted thread. Without it a vCPU that runs for 1 us
	 * at a time would cause hundreds of thousands of preemptions for nothing.
	 */
	__u32 charge_min_ns;
	/* fewer tokens than this are none: a boost that must end sooner costs more than it gives */
	__u32 tokens_min_ns;
	/* what a preemption itself takes of its CPU, beside the run; 0: not known */
	__u32 switch_ns;
};

/* The usual values: where nothing was measured. */
#define PVS_CHARGE_MIN_NS 30000
#define PVS_TOKENS_MIN_NS 20000

/*
 * A preemption takes a wake-up and two switches: about two wake-ups with theirs. Besides, the
 * preempted thread has to load again what the vCPU has displaced from the caches. That takes no
 * longer than the vCPU took to load its own: for a run that is shorter than this, it is no more.
 */
#define PVS_CHARGE_WAKES     2
#define PVS_CHARGE_CACHES_NS 10000

/*
 * Whatever was measured. The least burst that can be configured is 50 us: some of it must be left
 * when so much is none.
 */
#define PVS_CHARGE_LEAST_NS 12000
#define PVS_CHARGE_MOST_NS  60000
#define PVS_SWITCH_MOST_NS  (PVS_CHARGE_MOST_NS - PVS_CHARGE_CACHES_NS)
#define PVS_TOKENS_LEAST_NS 10000
#define PVS_TOKENS_MOST_NS  40000

static inline __u32 pvs_costs_within(__u64 ns, __u32 least_ns, __u32 most_ns)
{
	if (ns < least_ns)
		return least_ns;
	return ns > most_ns ? most_ns : (__u32)ns;
}

/** The prices of a machine. What was not measured leaves the usual value. */
static inline struct pvs_prices pvs_prices_of(const struct pvs_costs *costs)
{
	struct pvs_prices ret = {PVS_CHARGE_MIN_NS, PVS_TOKENS_MIN_NS, 0};
	__u64 wake_ns = costs->wake_ns;

	if (!costs->wake_ns)
		return ret;
	ret.switch_ns = pvs_costs_within(PVS_CHARGE_WAKES * wake_ns, 0, PVS_SWITCH_MOST_NS);
	ret.charge_min_ns = pvs_costs_within(PVS_CHARGE_WAKES * wake_ns + PVS_CHARGE_CACHES_NS,
	                                     PVS_CHARGE_LEAST_NS, PVS_CHARGE_MOST_NS);
	/* the deadline fires, which wakes the booster, which calls the scheduler: a switch more */
	if (costs->call_ns && costs->timer_ns)
		ret.tokens_min_ns = pvs_costs_within(costs->timer_ns + wake_ns + costs->call_ns,
		                                     PVS_TOKENS_LEAST_NS, PVS_TOKENS_MOST_NS);
	return ret;
}

static inline __u32 pvs_charge_min_ns(const struct pvs_prices *prices)
{
	__u32 ns = *(const volatile __u32 *)&prices->charge_min_ns;

	return ns ? ns : PVS_CHARGE_MIN_NS;
}

/**
 * What the bucket of a CPU is charged for a run of @ran_ns, for which its vCPU is charged
 * @charge_ns: what others lose is the run, and what it takes to switch there and back.
 */
static inline __u64 pvs_cpu_price(const struct pvs_prices *prices, __u64 charge_ns, __u64 ran_ns)
{
	__u64 lost_ns = ran_ns + *(const volatile __u32 *)&prices->switch_ns;

	return charge_ns > lost_ns ? charge_ns : lost_ns;
}

static inline __u32 pvs_tokens_min_ns(const struct pvs_prices *prices)
{
	__u32 ns = *(const volatile __u32 *)&prices->tokens_min_ns;

	return ns ? ns : PVS_TOKENS_MIN_NS;
}

/*
 * While boosts are out the tracer keeps, of each vCPU, a low quantile of the time from a wake-up
 * that preempts a thread until the vCPU runs. A step up is so much smaller than a step down.
 */
#define PVS_WAKE_UP   256
#define PVS_WAKE_DOWN 16

/** The quantile after one more sample: one in seventeen is less. 0: there was none. */
static inline __u32 pvs_wake_learn(__u32 known_ns, __u64 took_ns)
{
	__u32 took = took_ns < 1000000000ULL ? (__u32)took_ns : 1000000000;
	__u32 step_ns;

	if (!took)
		took = 1;
	if (!known_ns)
		return took;
	if (took < known_ns) {
		step_ns = known_ns / PVS_WAKE_DOWN + 1;
		return known_ns - took < step_ns ? took : known_ns - step_ns;
	}
	step_ns = known_ns / PVS_WAKE_UP + 1;
	return took - known_ns < step_ns ? took : known_ns + step_ns;
}

/*
 * How much slower the machine has become since the first look, in permille. It moves an eighth of
 * the way with each look, and stays between half and four times: what changes more than that is no
 * machine, but a neighbour or a mistake.
 */
#define PVS_PACE_LEAST 500
#define PVS_PACE_MOST  4000
#define PVS_PACE_STEP  8

struct pvs_pace {
	__u32 first_ns; /* what the first look has seen; 0: there was none */
	__u32 permille; /* 0: there was none */
};

/** One more look has seen @seen_ns, 0: nothing. */
static inline void pvs_pace_follow(struct pvs_pace *pace, __u32 seen_ns)
{
	__s64 now, step;

	if (!pace->permille)
		pace->permille = 1000;
	if (!seen_ns)
		return;
	if (!pace->first_ns)
		pace->first_ns = seen_ns;
	now = pvs_costs_within((__u64)seen_ns * 1000 / pace->first_ns, PVS_PACE_LEAST,
	                       PVS_PACE_MOST);
	step = (now - (__s64)pace->permille) / PVS_PACE_STEP;
	if (!step)
		step = now > pace->permille ? 1 : now < pace->permille ? -1 : 0;
	pace->permille = (__u32)((__s64)pace->permille + step);
}

/** Times that were measured at the start, at that pace. */
static inline struct pvs_costs pvs_costs_at(const struct pvs_costs *start,
                                            const struct pvs_pace *pace)
{
	__u64 permille = pace->permille ? pace->permille : 1000;

	return (struct pvs_costs){
	        .wake_ns = (__u32)(start->wake_ns * permille / 1000),
	        .call_ns = (__u32)(start->call_ns * permille / 1000),
	        .timer_ns = (__u32)(start->timer_ns * permille / 1000),
	};
}

_Static_assert(sizeof(struct pvs_prices) == 12, "prices");
