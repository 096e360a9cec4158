/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a profile of mode auto learns of a domain: whether it is boosted, and with which burst and
 * share. Each look takes what is recommended (recommend.h) at that time. What is applied follows at
 * once where it is too little, and slowly where it is too much, so that it does not flap. Pure.
 */

#include "policy/recommend.h"

/** So many looks in a row must agree before a domain gets less, or is not boosted any more. */
#define LEARN_LOOKS 3

/** Zeroed: nothing is known, and the domain is observed. */
struct learned {
	/* what is applied */
	bool boosts;             /* else it is observed */
	uint64_t burst_ns;       /* if it boosts... */
	uint32_t share_permille; /* in the long run */
	uint64_t since_ns;       /* of that; 0: from the begin */
	/* of the look that gave these figures */
	uint32_t covered_permille;
	uint64_t wakeups;
	/* the last look */
	uint64_t looked_ns; /* 0: there was none */
	enum recommend_verdict verdict;
	enum policy_reason reason; /* with HELD and NOT_MEASURED */
	/* of the last looks */
	unsigned int against; /* so many in a row spoke against boosts */
	unsigned int n_needs; /* of the last ones in a row that spoke for them */
	struct recommend_need needs[LEARN_LOOKS];
};

/** What is applied is too little if it covers fewer wake-ups: the goal, less what is chance. */
#define LEARN_ENOUGH_PERMILLE (DEMAND_GOAL_PERMILLE - 5)

/** Then a need that exceeds it by more than this is applied. */
#define LEARN_MORE_PERMILLE 1020

/**
 * Where it covers less than this, the last need is applied at once; else the one in the middle of
 * the last three, since where few wake-ups have much work, it is chance how many a sample has.
 */
#define LEARN_COVERED_PERMILLE 950

/** What is applied is too much if no need of the last looks was more than so much of it. */
#define LEARN_LESS_PERMILLE 850

/**
 * Takes one look at a domain into account. @domain is joined of all its vCPUs; @limits are the most
 * that may be applied, whatever is needed. A domain that was seen too little, or that must not be
 * boosted, teaches nothing.
 * Returns true if something else is to be applied now.
 */
bool learn_look(struct learned *learned, const struct recommend *domain,
                const struct recommend_limits *limits, uint64_t now_ns);
