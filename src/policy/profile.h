/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The words and numbers of the policy: what a profile allows one vCPU, and what the host allows all
 * of them together. Plain values; the configuration fills them, the policy obeys them.
 */

#include "util/base.h"

/** What is done at all for the vCPUs of a profile. */
enum profile_mode {
	PROFILE_OFF,     /* not even traced */
	PROFILE_OBSERVE, /* traced; what a boost would have done is counted, nothing is changed */
	PROFILE_BOOST,   /* armed: boosted while asleep, so that the next wake-up is fast */
};

/** What is made of a guest's requests. None of them gives it more than its budget. */
enum profile_requests {
	PROFILE_REQUESTS_HEED,    /* boosted as it looks from outside; yields when it says so */
	PROFILE_REQUESTS_IGNORE,  /* as if it said nothing */
	PROFILE_REQUESTS_REQUIRE, /* not boosted unless it takes part */
	_PROFILE_REQUESTS_MAX,
};

#define PROFILE_NAME_MAX 32

/**
 * One profile. A vCPU may be boosted for @burst_ns at once and, in the long run, for
 * @share_permille of one CPU's time, or for its fair entitlement if that is less.
 * In PROFILE_OBSERVE the two say what the imagined boost would have been allowed.
 */
struct profile {
	char name[PROFILE_NAME_MAX]; /* [a-z0-9-], zero terminated */
	enum profile_mode mode;
	uint32_t share_permille; /* 1..1000 */
	uint64_t burst_ns;       /* 50 us .. 10 ms */
	enum profile_requests requests;
	bool on_interrupt; /* boosted also when an interrupt comes while it waits to run */
};

/** What binds whatever a domain asks for. */
struct host_caps {
	uint32_t cpu_share_permille; /* per host CPU: all RT time together, foreign RT included */
	uint64_t cpu_burst_ns;
	uint32_t domain_share_permille; /* per domain: of one CPU, all its vCPUs together */
	uint64_t domain_burst_ns;
	uint32_t max_changes_per_s; /* per vCPU: how often it may be boosted in a second */
};

#define PROFILE_SHARE_PERMILLE_MAX 1000
#define PROFILE_BURST_NS_MIN       (50 * NSEC_PER_USEC)
#define PROFILE_BURST_NS_MAX       (10 * NSEC_PER_MSEC)

/**
 * The figures of the built-in profiles: what the configuration starts from.
 * 500 us covers an interrupt, its handler and a short real-time task behind it; 20 % is less than
 * the fair share of a vCPU that competes with three others, so that a boost within it takes nothing
 * the guest could not have had anyway, only sooner.
 */
#define PROFILE_OFF_INIT ((struct profile){"off", PROFILE_OFF, 0, 0, PROFILE_REQUESTS_HEED, false})
#define PROFILE_OBSERVE_INIT                                                                       \
	((struct profile){"observe", PROFILE_OBSERVE, 200, 500 * NSEC_PER_USEC,                    \
	                  PROFILE_REQUESTS_HEED, true})
#define PROFILE_INTERACTIVE_INIT                                                                   \
	((struct profile){"interactive", PROFILE_BOOST, 100, 200 * NSEC_PER_USEC,                  \
	                  PROFILE_REQUESTS_HEED, true})
#define PROFILE_LATENCY_INIT                                                                       \
	((struct profile){"latency", PROFILE_BOOST, 200, 500 * NSEC_PER_USEC,                      \
	                  PROFILE_REQUESTS_HEED, true})

/**
 * 30 % leaves the kernel's own RT throttling (95 %) far away, and with it booster and guardian,
 * which it would stop too. The bursts allow several vCPUs that wake on one CPU at once.
 */
#define HOST_CAPS_INIT                                                                             \
	((struct host_caps){                                                                       \
	        .cpu_share_permille = 300,                                                         \
	        .cpu_burst_ns = 3 * NSEC_PER_MSEC,                                                 \
	        .domain_share_permille = 500,                                                      \
	        .domain_burst_ns = 2 * NSEC_PER_MSEC,                                              \
	        .max_changes_per_s = 500,                                                          \
	})
