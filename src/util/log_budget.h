/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How many lines may be written in a while. Who can make us write one line may try to make us write
 * a million. So what others can cause has a budget for each domain, and one for all, and what the
 * daemon says of itself has its own, which they cannot use up.
 */

#include "util/base.h"

#define LOG_WINDOW_NS   (10 * NSEC_PER_SEC)
#define LOG_OWN_MAX     100 /* lines of the daemon about itself in that time */
#define LOG_OTHERS_MAX  200 /* lines that others can cause */
#define LOG_DOMAIN_MAX  40  /* of these, about one domain */
#define LOG_DOMAIN_SETS 256 /* domains with the same hash share that */

/** Zeroed: nothing was written. */
struct log_budget {
	uint64_t begin_ns; /* of the window */
	uint64_t seed;     /* so that no domain can choose a name that shares another's lines */
	unsigned int own, others;
	unsigned int suppressed;
	uint16_t of_domain[LOG_DOMAIN_SETS];
};

/**
 * May a line be written?
 * @domain      that it is about; NULL: none
 * @outside     others can cause it
 * @suppressed  gets the number of lines that were not, in the window that ends with this one;
 *              else 0
 */
bool log_budget_take(struct log_budget *budget, const char *domain, bool outside, uint64_t now_ns,
                     unsigned int *suppressed);

/** A line that was to be written was not. */
void log_budget_lost(struct log_budget *budget);
