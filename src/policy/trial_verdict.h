/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a trial has shown: what the domain gains, what all others lose, and what follows from
 * both. Pure; memory is the caller's and has a fixed size.
 */

#include "core/account.h"
#include "policy/trial_plan.h"
#include "util/base.h"

/** Whose loss is measured; the loss of a trial is the worst of these. */
enum trial_neighbour {
	TRIAL_DOMAINS, /* other domains: how much of the time that their vCPUs want to run they run
	                */
	TRIAL_CPUS, /* what the domain and pvschedd leave of as many CPUs as the domain may use */
	TRIAL_THREADS, /* ordinary threads that wait once per 10 ms: what is left of their time */
	_TRIAL_NEIGHBOUR_MAX,
};

#define TRIAL_PPM 1000000

/** What was measured in a window, after its begin was dropped. */
struct trial_window {
	bool on; /* it boosted */
	uint64_t length_ns;
	uint32_t waits[PVS_WAIT_BUCKETS]; /* of all vCPUs of the domain: pvs_wait_bucket() */
	uint64_t run_ns, boosted_ns;
	/* what neighbours got of what they wanted, in ppm; 0: not measured */
	uint32_t served_ppm[_TRIAL_NEIGHBOUR_MAX];
};

/** Whole blocks: one window of each block boosts. */
struct trial_series {
	uint32_t n; /* windows */
	struct trial_window windows[TRIAL_WINDOWS_MAX];
};

/** Adds a block, in the order of time. A series that is full stays as it is. */
void trial_series_add(struct trial_series *series, const struct trial_window block[static 2]);

/** An estimate, and the bounds between which the truth lies with 95 in 100 chances. */
struct trial_interval {
	double value, low, high;
};

enum trial_percentile {
	TRIAL_P50,
	TRIAL_P99,
	TRIAL_P999,
	_TRIAL_PERCENTILE_MAX,
};

/** Of the waits of the domain, by their 99th percentile. */
enum trial_gain {
	TRIAL_GAIN_UNKNOWN,
	TRIAL_BETTER,
	TRIAL_SAME, /* or it gains less than is worth a boost */
	TRIAL_WORSE,
	_TRIAL_GAIN_MAX,
};

enum trial_price {
	TRIAL_PRICE_UNKNOWN,
	TRIAL_PRICE_LOW,  /* no neighbour loses more than TRIAL_LOSS_PPM */
	TRIAL_PRICE_HIGH, /* one does */
	_TRIAL_PRICE_MAX,
};

enum trial_advice {
	TRIAL_CANNOT_TELL,
	TRIAL_RECOMMEND,
	TRIAL_NOT_WORTH_IT,
	TRIAL_PRICE_TOO_HIGH,
	_TRIAL_ADVICE_MAX,
};

/** What neighbours may lose. */
#define TRIAL_LOSS_PPM 50000

/** Fewer blocks, or fewer waits of either kind, say nothing. */
#define TRIAL_BLOCKS_MIN 4
#define TRIAL_WAITS_MIN  200

/**
 * A gain counts from so much on: a boosted wake-up takes as long (RECOMMEND_WAIT_US), and waits of
 * a domain differ by a fifth from one minute to the next.
 */
#define TRIAL_GAIN_US   100
#define TRIAL_GAIN_PART 5

struct trial_verdict {
	uint32_t blocks;
	uint64_t waits[2]; /* so many, without and with boosts */
	struct trial_interval wait_us[2][_TRIAL_PERCENTILE_MAX];
	struct trial_interval ratio; /* of the 99th percentiles: with boosts to without */
	bool measured[_TRIAL_NEIGHBOUR_MAX];
	struct trial_interval lost_ppm[_TRIAL_NEIGHBOUR_MAX]; /* negative: it gained */
	enum trial_neighbour worst; /* the largest loss; counts if that is measured */
	uint32_t boosted_permille;  /* of a CPU, all vCPUs together, in windows that boost */
	enum trial_gain gain;
	enum trial_price price;
	enum trial_advice advice;
};

#define TRIAL_DRAWS 500

/** Memory for the bootstrap. */
struct trial_draws {
	double wait_us[2][_TRIAL_PERCENTILE_MAX][TRIAL_DRAWS];
	double ratio[TRIAL_DRAWS];
	double missing_us[TRIAL_DRAWS]; /* what the gain lacks to be worth it */
};

/**
 * Judges what was measured so far. @alpha is the chance that this look may be wrong: see
 * trial_looks_take(). Intervals come from a bootstrap over blocks, whose random numbers begin with
 * @seed; loss and gain are tested over blocks, too, since windows of a block have the same load.
 */
void trial_judge(const struct trial_series *series, double alpha, uint64_t seed,
                 struct trial_draws *draws, struct trial_verdict *ret);

/** "better", ...; "low", ...; "recommend", ...; "other-domains", ... */
const char *trial_gain_name(enum trial_gain gain);
const char *trial_price_name(enum trial_price price);
const char *trial_advice_name(enum trial_advice advice);
const char *trial_neighbour_name(enum trial_neighbour neighbour);

/** A sentence for people, of the advice and why. */
const char *trial_verdict_text(const struct trial_verdict *verdict);
