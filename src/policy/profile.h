/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The words and numbers of the policy: what a profile allows one vCPU, and what the host allows all
 * of them together. Plain values; the configuration fills them, the policy obeys them.
 */

#include "policy/registry.h"
#include "util/base.h"

/** What is done at all for the vCPUs of a profile. */
enum profile_mode {
	PROFILE_OFF,     /* not even traced */
	PROFILE_OBSERVE, /* traced; what a boost would have done is counted, nothing is changed */
	PROFILE_BOOST,   /* armed: boosted while asleep, so that the next wake-up is fast */
	PROFILE_AUTO,    /* of the plan one of the latter two, as it was learned: learn.h */
};

/** What is made of a guest's requests. None of them gives it more than its budget. */
enum profile_requests {
	PROFILE_REQUESTS_HEED,    /* boosted as it looks from outside; yields when it says so */
	PROFILE_REQUESTS_IGNORE,  /* as if it said nothing */
	PROFILE_REQUESTS_REQUIRE, /* not boosted unless it takes part */
	_PROFILE_REQUESTS_MAX,
};

/** What a profile may change of a thread. */
enum profile_lever {
	PROFILE_LEVER_RT = 1 << 0,     /* a real-time class, while it is boosted */
	PROFILE_LEVER_SLICE = 1 << 1,  /* a short slice of the fair class, all the time */
	PROFILE_LEVER_UCLAMP = 1 << 2, /* a least utilization, all the time */
};

/** Whether its guests are told which vCPUs to avoid while they wait for CPUs: governor.h. */
enum profile_avoid {
	PROFILE_AVOID_NEVER,
	PROFILE_AVOID_AUTO,
	_PROFILE_AVOID_MAX,
};

/** What a vCPU that waits for another one of its domain does about that: help.h. */
enum profile_help {
	PROFILE_HELP_IPI = 1 << 0,     /* it helps the one that it is known to wait for */
	PROFILE_HELP_RELAXED = 1 << 1, /* else the one that was preempted longest */
	PROFILE_HELP_HOLD = 1 << 2,    /* it is held for a while */
};

#define PROFILE_HELP_ALL (PROFILE_HELP_IPI | PROFILE_HELP_RELAXED | PROFILE_HELP_HOLD)

/** What becomes of the threads that work for its domains, as an iothread: kind_helper.c. */
enum profile_helpers {
	PROFILE_HELPERS_OBSERVE, /* they are watched, and vCPUs make room for them */
	PROFILE_HELPERS_FOLLOW,  /* they are boosted, too, while their domain waits for them */
	_PROFILE_HELPERS_MAX,
};

#define PROFILE_LEVERS_INIT (PROFILE_LEVER_RT | PROFILE_LEVER_SLICE)

#define PROFILE_NAME_MAX 32

/**
 * One profile. A vCPU may be boosted for @burst_ns at once and, in the long run, for
 * @share_permille of one CPU's time, or for its fair entitlement if that is less.
 * In PROFILE_OBSERVE the two say what the imagined boost would have been allowed. In PROFILE_AUTO
 * they are the most that may be learned.
 */
struct profile {
	char name[PROFILE_NAME_MAX]; /* [a-z0-9-], zero terminated */
	enum profile_mode mode;
	uint32_t share_permille; /* 1..1000 */
	uint64_t burst_ns;       /* 50 us .. 10 ms */
	enum profile_requests requests;
	bool on_interrupt;      /* boosted also when an interrupt comes while it waits to run */
	uint32_t levers;        /* enum profile_lever */
	uint64_t slice_ns;      /* with PROFILE_LEVER_SLICE: 100 us .. 100 ms */
	uint32_t util_min;      /* with PROFILE_LEVER_UCLAMP: 1..1024 */
	uint32_t util_permille; /* and for how much of a CPU's time it may run so: 1..1000 */
	uint64_t burst_max_ns;  /* in PROFILE_AUTO its burst_ns: 50 us .. 10 ms */
	enum profile_avoid avoid;
	uint32_t yield_order; /* with PROFILE_AVOID_AUTO: the lowest steps aside first; 0..100 */
	bool learned;         /* of the plan: its mode was PROFILE_AUTO */
	uint32_t policy;      /* of registry.h; 0: the one that the guest names */
	uint32_t help;        /* enum profile_help */
	enum profile_helpers helpers;
	bool of_helper; /* of the plan: it is a helper's, see follow.h */
};

/** What binds whatever a domain asks for. */
struct host_caps {
	uint32_t cpu_share_permille; /* per host CPU: all RT time together, foreign RT included */
	uint64_t cpu_burst_ns;
	uint32_t domain_share_permille; /* per domain: of one CPU, all its vCPUs together */
	uint64_t domain_burst_ns;
	uint32_t max_changes_per_s; /* per vCPU: how often it may be boosted in a second */
	uint32_t booster_permille;  /* of one CPU: the booster's own time for events of domains */
};

#define PROFILE_SHARE_PERMILLE_MAX 1000
#define PROFILE_BURST_NS_MIN       (50 * NSEC_PER_USEC)
#define PROFILE_BURST_NS_MAX       (10 * NSEC_PER_MSEC)
#define PROFILE_BURST_MAX_NS_INIT  (2 * NSEC_PER_MSEC)   /* a domain's, by default */
#define PROFILE_SLICE_NS_MIN       (100 * NSEC_PER_USEC) /* the kernel's own limits */
#define PROFILE_SLICE_NS_MAX       (100 * NSEC_PER_MSEC)
#define PROFILE_SLICE_NS_INIT      PROFILE_SLICE_NS_MIN
#define PROFILE_UTIL_MAX           1024
#define PROFILE_UTIL_MIN_INIT      512 /* half of what the largest CPU can do */
#define PROFILE_UTIL_PERMILLE_INIT 200
#define PROFILE_YIELD_ORDER_MAX    100
#define PROFILE_YIELD_ORDER_INIT   50

/**
 * The figures of the built-in profiles: what the configuration starts from.
 * 500 us covers an interrupt, its handler and a short real-time task behind it; 20 % is less than
 * the fair share of a vCPU that competes with three others, so that a boost within it takes nothing
 * the guest could not have had anyway, only sooner. The shortest slice is the one that is served
 * soonest; it costs switches only where several threads with short slices compete.
 */
#define PROFILE_OFF_INIT ((struct profile){.name = "off", .mode = PROFILE_OFF})
#define PROFILE_OBSERVE_INIT                                                                       \
	((struct profile){                                                                         \
	        .name = "observe",                                                                 \
	        .mode = PROFILE_OBSERVE,                                                           \
	        .share_permille = 200,                                                             \
	        .burst_ns = 500 * NSEC_PER_USEC,                                                   \
	        .on_interrupt = true,                                                              \
	        .levers = PROFILE_LEVERS_INIT,                                                     \
	        .slice_ns = PROFILE_SLICE_NS_INIT,                                                 \
	        .util_min = PROFILE_UTIL_MIN_INIT,                                                 \
	        .util_permille = PROFILE_UTIL_PERMILLE_INIT,                                       \
	        .burst_max_ns = PROFILE_BURST_MAX_NS_INIT,                                         \
	        .yield_order = PROFILE_YIELD_ORDER_INIT,                                           \
	})
#define PROFILE_INTERACTIVE_INIT                                                                   \
	((struct profile){                                                                         \
	        .name = "interactive",                                                             \
	        .mode = PROFILE_BOOST,                                                             \
	        .share_permille = 100,                                                             \
	        .burst_ns = 200 * NSEC_PER_USEC,                                                   \
	        .on_interrupt = true,                                                              \
	        .levers = PROFILE_LEVERS_INIT,                                                     \
	        .slice_ns = PROFILE_SLICE_NS_INIT,                                                 \
	        .util_min = PROFILE_UTIL_MIN_INIT,                                                 \
	        .util_permille = PROFILE_UTIL_PERMILLE_INIT,                                       \
	        .burst_max_ns = PROFILE_BURST_MAX_NS_INIT,                                         \
	        .yield_order = PROFILE_YIELD_ORDER_INIT,                                           \
	})
#define PROFILE_LATENCY_INIT                                                                       \
	((struct profile){                                                                         \
	        .name = "latency",                                                                 \
	        .mode = PROFILE_BOOST,                                                             \
	        .share_permille = 200,                                                             \
	        .burst_ns = 500 * NSEC_PER_USEC,                                                   \
	        .on_interrupt = true,                                                              \
	        .levers = PROFILE_LEVERS_INIT,                                                     \
	        .slice_ns = PROFILE_SLICE_NS_INIT,                                                 \
	        .util_min = PROFILE_UTIL_MIN_INIT,                                                 \
	        .util_permille = PROFILE_UTIL_PERMILLE_INIT,                                       \
	        .burst_max_ns = PROFILE_BURST_MAX_NS_INIT,                                         \
	        .yield_order = PROFILE_YIELD_ORDER_INIT,                                           \
	})

/**
 * Nothing is armed: what a vCPU has is for the others of its domain that it waits for. Its burst is
 * five pulses, and its share one in each millisecond.
 */
#define PROFILE_THROUGHPUT_INIT                                                                    \
	((struct profile){                                                                         \
	        .name = "throughput",                                                              \
	        .mode = PROFILE_BOOST,                                                             \
	        .share_permille = 100,                                                             \
	        .burst_ns = 500 * NSEC_PER_USEC,                                                   \
	        .levers = PROFILE_LEVER_RT,                                                        \
	        .slice_ns = PROFILE_SLICE_NS_INIT,                                                 \
	        .util_min = PROFILE_UTIL_MIN_INIT,                                                 \
	        .util_permille = PROFILE_UTIL_PERMILLE_INIT,                                       \
	        .burst_max_ns = PROFILE_BURST_MAX_NS_INIT,                                         \
	        .yield_order = PROFILE_YIELD_ORDER_INIT,                                           \
	        .policy = REGISTRY_NUMBER_AWAITED_ONLY,                                            \
	        .help = PROFILE_HELP_ALL,                                                          \
	})

/** The most that may be learned: a host CPU's share and a domain's burst, by default. */
#define PROFILE_AUTO_INIT                                                                          \
	((struct profile){                                                                         \
	        .name = "auto",                                                                    \
	        .mode = PROFILE_AUTO,                                                              \
	        .share_permille = 300,                                                             \
	        .burst_ns = PROFILE_BURST_MAX_NS_INIT,                                             \
	        .on_interrupt = true,                                                              \
	        .levers = PROFILE_LEVERS_INIT,                                                     \
	        .slice_ns = PROFILE_SLICE_NS_INIT,                                                 \
	        .util_min = PROFILE_UTIL_MIN_INIT,                                                 \
	        .util_permille = PROFILE_UTIL_PERMILLE_INIT,                                       \
	        .burst_max_ns = PROFILE_BURST_MAX_NS_INIT,                                         \
	        .yield_order = PROFILE_YIELD_ORDER_INIT,                                           \
	})

/**
 * 30 % leaves most of a CPU to ordinary threads, and stays far below its sheet, which bounds any
 * second. The bursts allow several vCPUs that wake on one CPU at once.
 */
#define HOST_CAPS_INIT                                                                             \
	((struct host_caps){                                                                       \
	        .cpu_share_permille = 300,                                                         \
	        .cpu_burst_ns = 3 * NSEC_PER_MSEC,                                                 \
	        .domain_share_permille = 500,                                                      \
	        .domain_burst_ns = 2 * NSEC_PER_MSEC,                                              \
	        .max_changes_per_s = 500,                                                          \
	        .booster_permille = 20,                                                            \
	})
