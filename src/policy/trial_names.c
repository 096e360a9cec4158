// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/trial_course.h"

const char *trial_gain_name(enum trial_gain gain)
{
	static const char *const names[_TRIAL_GAIN_MAX] = {
	        [TRIAL_GAIN_UNKNOWN] = "cannot-tell",
	        [TRIAL_BETTER] = "better",
	        [TRIAL_SAME] = "same",
	        [TRIAL_WORSE] = "worse",
	};

	return names[gain];
}

const char *trial_price_name(enum trial_price price)
{
	static const char *const names[_TRIAL_PRICE_MAX] = {
	        [TRIAL_PRICE_UNKNOWN] = "cannot-tell",
	        [TRIAL_PRICE_LOW] = "low",
	        [TRIAL_PRICE_HIGH] = "high",
	};

	return names[price];
}

const char *trial_advice_name(enum trial_advice advice)
{
	static const char *const names[_TRIAL_ADVICE_MAX] = {
	        [TRIAL_CANNOT_TELL] = "cannot-tell",
	        [TRIAL_RECOMMEND] = "recommend",
	        [TRIAL_NOT_WORTH_IT] = "not-worth-it",
	        [TRIAL_PRICE_TOO_HIGH] = "price-too-high",
	};

	return names[advice];
}

const char *trial_neighbour_name(enum trial_neighbour neighbour)
{
	static const char *const names[_TRIAL_NEIGHBOUR_MAX] = {
	        [TRIAL_DOMAINS] = "other-domains",
	        [TRIAL_CPUS] = "cpu-time",
	        [TRIAL_THREADS] = "threads",
	};

	return names[neighbour];
}

static const char *text_of_doubt(const struct trial_verdict *verdict)
{
	if (verdict->blocks < TRIAL_BLOCKS_MIN)
		return "Too few windows were measured: run longer.";
	if (verdict->waits[0] < TRIAL_WAITS_MIN || verdict->waits[1] < TRIAL_WAITS_MIN)
		return "The domain was woken too seldom: run longer.";
	if (verdict->gain == TRIAL_BETTER)
		return "It waits less, but whether others lose too much cannot be told: run "
		       "longer.";
	return "Whether it gains cannot be told: run longer.";
}

const char *trial_verdict_text(const struct trial_verdict *verdict)
{
	switch (verdict->advice) {
	case TRIAL_RECOMMEND:
		return "It waits less, and others lose no more than they may.";
	case TRIAL_PRICE_TOO_HIGH:
		return "It waits less, but others lose more than 5 %.";
	case TRIAL_NOT_WORTH_IT:
		return verdict->gain == TRIAL_WORSE ? "It waits longer with boosts."
		       : verdict->gain == TRIAL_SAME
		               ? "It does not wait less with boosts, or not enough to be worth "
		                 "them."
		               : "No gain is certain, and others lose more than 5 %.";
	case TRIAL_CANNOT_TELL:
	case _TRIAL_ADVICE_MAX:
		break;
	}
	return text_of_doubt(verdict);
}

const char *trial_end_name(enum trial_end end)
{
	static const char *const names[_TRIAL_END_MAX] = {
	        [TRIAL_RUNS] = "running",        [TRIAL_END_TIME] = "time",
	        [TRIAL_END_CLEAR] = "clear",     [TRIAL_END_NEIGHBOURS] = "neighbours",
	        [TRIAL_END_HELD] = "held",       [TRIAL_END_STOPPED] = "stopped",
	        [TRIAL_END_POLICY] = "policy",   [TRIAL_END_GONE] = "gone",
	        [TRIAL_END_PROFILE] = "profile",
	};

	return names[end];
}

const char *trial_end_text(enum trial_end end)
{
	static const char *const texts[_TRIAL_END_MAX] = {
	        [TRIAL_RUNS] = "It runs.",
	        [TRIAL_END_TIME] = "Its time is over.",
	        [TRIAL_END_CLEAR] = "It ended early, since the answer is clear.",
	        [TRIAL_END_NEIGHBOURS] = "It ended early, since others lose more than 5 %.",
	        [TRIAL_END_HELD] = "It ended early, since the domain may not be boosted.",
	        [TRIAL_END_STOPPED] = "It was stopped by command.",
	        [TRIAL_END_POLICY] = "It ended early, since a command changed the policy of the "
	                             "domain, which holds.",
	        [TRIAL_END_GONE] = "It ended early, since the domain is gone.",
	        [TRIAL_END_PROFILE] = "It ended early, since the configuration has another profile "
	                              "of that name, or none.",
	};

	return texts[end];
}
