/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Whether boosts are worth it for a vCPU, and with which burst and share: a verdict out of what was
 * observed. Pure.
 */

#include "policy/demand.h"
#include "policy/names.h"
#include "util/base.h"

/** In the order in which a domain takes its verdict from its vCPUs. */
enum recommend_verdict {
	RECOMMEND_PART,         /* its wake-ups wait, and what it may have covers most of them */
	RECOMMEND_BOOST,        /* likewise, and burst and share cover its demand */
	RECOMMEND_KEEP,         /* what it has covers its demand, or as much of it as may be */
	RECOMMEND_OVER_LIMITS,  /* the host's limits, or its fair share, are less than it needs */
	RECOMMEND_STEADY,       /* it runs nearly always, or more than a share may be */
	RECOMMEND_IDLE_HOST,    /* its wake-ups do not wait */
	RECOMMEND_ALONE,        /* likewise, on the one CPU on which it may run */
	RECOMMEND_HELD,         /* it must not be boosted: recommend::reason */
	RECOMMEND_UNKNOWN,      /* too few wake-ups were seen */
	RECOMMEND_NOT_MEASURED, /* it is not traced: recommend::reason */
	_RECOMMEND_VERDICT_MAX,
};

/** What limits a recommendation: the least of what the host allows. */
struct recommend_limits {
	uint64_t burst_ns;
	uint32_t share_permille;
};

/** What was observed of a vCPU. */
struct recommend_facts {
	bool traced;
	enum policy_reason reason; /* why it is not traced, or strongest of @holds */
	uint32_t holds;
	bool boosts;      /* its profile gives it a real-time class */
	bool one_cpu;     /* it may run on one CPU only */
	uint64_t wakeups; /* of the last minute... */
	uint64_t boosted; /* of these, the boosted ones */
	uint64_t wait_us; /* the 99th percentile of its waits */
	uint32_t run_permille;
	uint32_t entitled_permille; /* its fair share of its CPU, at these wake-ups; 0: not known */
	struct pvs_bucket_rule rule; /* what it has now */
	struct recommend_limits limits;
	const struct demand *demand;
};

/** What a demand needs, whatever the limits. */
struct recommend_need {
	uint64_t burst_ns;
	uint32_t share_permille; /* 0: not even a whole CPU is enough */
	uint32_t covered_permille;
};

struct recommend {
	enum recommend_verdict verdict;
	enum policy_reason reason; /* with HELD and NOT_MEASURED */
	struct recommend_need need;
	/* that; with PART what it may have, with KEEP what it has */
	uint64_t burst_ns;
	uint32_t share_permille;
	uint32_t covered_permille;     /* of its wake-ups, by these two */
	uint32_t now_covered_permille; /* by what it has */
	uint32_t used_permille;        /* of a CPU, by its work */
	uint64_t wakeups;              /* that the sample stands for */
};

/** A domain, before recommend_join() has added its vCPUs. */
#define RECOMMEND_NONE                                                                             \
	((struct recommend){.verdict = RECOMMEND_NOT_MEASURED, .reason = POLICY_REASON_PROFILE})

/** So many wake-ups must have been seen. */
#define RECOMMEND_WAKEUPS_MIN 200

/** A vCPU that waits no longer than this gains nothing: a boosted wake-up takes as long. */
#define RECOMMEND_WAIT_US 100

/** It runs for more of the time than this: boosts give latency, not throughput. */
#define RECOMMEND_STEADY_PERMILLE 800

/** Where what it may have covers fewer wake-ups than this, boosts would leave it as it is. */
#define RECOMMEND_PART_PERMILLE 800

/** A vCPU of which more wake-ups than this lack tokens is named in `show`. */
#define RECOMMEND_LATE_PERMILLE 50

/** "boost", "keep", "over-limits", ... */
const char *recommend_verdict_name(enum recommend_verdict verdict);

/** A sentence for people. */
const char *recommend_verdict_text(enum recommend_verdict verdict);

struct recommend recommend_vcpu(const struct recommend_facts *facts);

/**
 * Adds a vCPU to its domain: all vCPUs of a domain have one burst and one share, the largest that
 * any of those needs whose verdict is BOOST, KEEP or PART. The domain has the first of their
 * verdicts.
 */
void recommend_join(struct recommend *domain, const struct recommend *vcpu);

/**
 * Whether the vCPU is late for want of tokens: its profile boosts, nothing else prevents that, more
 * than 5 % of its wake-ups are late and not boosted, and what it has covers fewer than 95 %.
 * @recommend is of the same facts.
 */
bool recommend_lacks_tokens(const struct recommend_facts *facts, const struct recommend *recommend);
