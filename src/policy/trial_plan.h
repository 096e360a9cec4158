/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * When a trial boosts and when it does not: windows of random length, in blocks of two, of which
 * one boosts; which one is random. So what changes by itself meanwhile, also with a rhythm of its
 * own, falls on both kinds alike. Pure: the same seed gives the same windows.
 */

#include "util/base.h"

/** Windows of a trial, at most: they are kept until it ends. */
#define TRIAL_WINDOWS_MAX 512

/** A good stream of random numbers out of any seed. */
uint64_t trial_random(uint64_t *state);

struct trial_step {
	bool on;            /* boosts */
	bool first;         /* of its block */
	uint64_t length_ns; /* with what is dropped */
	uint64_t drop_ns;   /* so much of its begin is not measured: the change itself */
};

struct trial_plan {
	uint64_t random;
	uint64_t min_ns, max_ns; /* of the length of a window */
	uint32_t n;              /* windows that were begun */
	struct trial_step second;
};

/** @min_ns is above 0, and no more than @max_ns. */
void trial_plan_init(struct trial_plan *plan, uint64_t seed, uint64_t min_ns, uint64_t max_ns);

/**
 * The next window. A block is begun only if both of its windows fit into @left_ns, and made to fit.
 * Returns false if there is none: the time is over, or there are TRIAL_WINDOWS_MAX.
 */
bool trial_plan_next(struct trial_plan *plan, uint64_t left_ns, struct trial_step *ret);

/** The least time in which a trial may have @blocks of average length. */
uint64_t trial_plan_least_ns(uint64_t min_ns, uint64_t max_ns, uint32_t blocks);

/*
 * Looks at the answer before the time is over. Each may be wrong by chance, so the chance that one
 * trial may be wrong, TRIAL_ERROR, is spent over them: by the cube of the time that is over, which
 * leaves most of it for the end (Lan and DeMets, 1983).
 */
#define TRIAL_LOOKS 8
#define TRIAL_ERROR 0.05

struct trial_looks {
	uint32_t done;
	double spent;
};

/**
 * Whether a look is due after @over_ns of @all_ns; @last: it is the last one, in any case. Returns
 * the chance that it may be wrong; 0: none is due.
 */
double trial_looks_take(struct trial_looks *looks, uint64_t over_ns, uint64_t all_ns, bool last);
