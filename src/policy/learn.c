// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/learn.h"

_Static_assert(LEARN_LOOKS == 3, "one of them is in the middle");

static struct recommend_need larger(const struct recommend_need *a, const struct recommend_need *b)
{
	return (struct recommend_need){
	        .burst_ns = MAX(a->burst_ns, b->burst_ns),
	        .share_permille = MAX(a->share_permille, b->share_permille),
	        .covered_permille = MIN(a->covered_permille, b->covered_permille),
	};
}

static uint64_t middle_of(uint64_t a, uint64_t b, uint64_t c)
{
	return MAX(MIN(a, b), MIN(MAX(a, b), c));
}

static struct recommend_need middle(const struct recommend_need n[LEARN_LOOKS])
{
	return (struct recommend_need){
	        .burst_ns = middle_of(n[0].burst_ns, n[1].burst_ns, n[2].burst_ns),
	        .share_permille = (uint32_t)middle_of(n[0].share_permille, n[1].share_permille,
	                                              n[2].share_permille),
	        .covered_permille = (uint32_t)middle_of(
	                n[0].covered_permille, n[1].covered_permille, n[2].covered_permille),
	};
}

static bool is_within(const struct recommend_need *need, const struct recommend_limits *limits)
{
	return need->share_permille && need->share_permille <= limits->share_permille &&
	       need->burst_ns <= limits->burst_ns;
}

/* ---- what is applied ---- */

static bool apply(struct learned *l, const struct recommend *domain,
                  const struct recommend_need *need, const struct recommend_limits *limits,
                  uint64_t now_ns)
{
	uint64_t burst_ns = MIN(need->burst_ns, limits->burst_ns);
	uint32_t share_permille = MIN(need->share_permille, limits->share_permille);

	if (l->boosts && burst_ns == l->burst_ns && share_permille == l->share_permille)
		return false;
	l->boosts = true;
	l->burst_ns = burst_ns;
	l->share_permille = share_permille;
	l->covered_permille = need->covered_permille;
	l->wakeups = domain->wakeups;
	l->since_ns = now_ns;
	return true;
}

/* The limits of the host or the profile may have become less since it was learned. */
static bool limit(struct learned *l, const struct recommend_limits *limits, uint64_t now_ns)
{
	if (l->burst_ns <= limits->burst_ns && l->share_permille <= limits->share_permille)
		return false;
	l->burst_ns = MIN(l->burst_ns, limits->burst_ns);
	l->share_permille = MIN(l->share_permille, limits->share_permille);
	l->since_ns = now_ns;
	return true;
}

/* ---- more or less ---- */

static bool is_too_little(const struct learned *l, const struct recommend_need *need)
{
	return need->burst_ns * 1000 > l->burst_ns * LEARN_MORE_PERMILLE ||
	       need->share_permille * 1000 > l->share_permille * LEARN_MORE_PERMILLE;
}

static bool is_too_much(const struct learned *l, const struct recommend_need *need)
{
	return need->burst_ns * 1000 < l->burst_ns * LEARN_LESS_PERMILLE ||
	       need->share_permille * 1000 < l->share_permille * LEARN_LESS_PERMILLE;
}

/*
 * More of one of the two is not less of the other: with the greater burst a share that was enough
 * is enough.
 */
static bool more(struct learned *l, const struct recommend *domain,
                 const struct recommend_limits *limits, uint64_t now_ns)
{
	struct recommend_need now = {.burst_ns = l->burst_ns,
	                             .share_permille = l->share_permille,
	                             .covered_permille = domain->need.covered_permille};
	struct recommend_need need = domain->need;

	if (domain->now_covered_permille >= LEARN_COVERED_PERMILLE && l->n_needs == LEARN_LOOKS)
		need = middle(l->needs);
	if (!is_too_little(l, &need))
		return false;
	now = larger(&now, &need);
	return apply(l, domain, &now, limits, now_ns);
}

static bool perhaps_less(struct learned *l, const struct recommend *domain,
                         const struct recommend_limits *limits, uint64_t now_ns)
{
	struct recommend_need most = l->needs[0];

	if (l->n_needs < LEARN_LOOKS)
		return false;
	for (unsigned int i = 1; i < LEARN_LOOKS; i++)
		most = larger(&most, &l->needs[i]);
	return is_too_much(l, &most) && apply(l, domain, &most, limits, now_ns);
}

/* What needs more than it may have keeps what covers it. */
static void note_need(struct learned *l, const struct recommend_need *need,
                      const struct recommend_limits *limits)
{
	if (!is_within(need, limits)) {
		l->n_needs = 0;
		return;
	}
	for (unsigned int i = LEARN_LOOKS - 1; i > 0; i--)
		l->needs[i] = l->needs[i - 1];
	l->needs[0] = *need;
	l->n_needs = MIN(l->n_needs + 1, (unsigned int)LEARN_LOOKS);
}

/* Where what it has covers its demand (KEEP), that is enough, whatever else would be. */
static bool speaks_for(struct learned *l, const struct recommend *domain,
                       const struct recommend_limits *limits, uint64_t now_ns)
{
	l->against = 0;
	note_need(l, &domain->need, limits);
	if (!l->boosts)
		return is_within(&domain->need, limits) &&
		       apply(l, domain, &domain->need, limits, now_ns);
	if (domain->verdict != RECOMMEND_KEEP &&
	    domain->now_covered_permille < LEARN_ENOUGH_PERMILLE && more(l, domain, limits, now_ns))
		return true;
	return perhaps_less(l, domain, limits, now_ns);
}

/* It needs more than it may have: what it may have is all there is to learn. */
static bool speaks_for_a_part(struct learned *l, const struct recommend *domain,
                              const struct recommend_limits *limits, uint64_t now_ns)
{
	struct recommend part = *domain;

	part.need = (struct recommend_need){
	        .burst_ns = domain->burst_ns,
	        .share_permille = domain->share_permille,
	        .covered_permille = domain->covered_permille,
	};
	return speaks_for(l, &part, limits, now_ns);
}

static bool speaks_against(struct learned *l, uint64_t now_ns)
{
	l->n_needs = 0;
	if (!l->boosts || ++l->against < LEARN_LOOKS)
		return false;
	l->boosts = false;
	l->since_ns = now_ns;
	return true;
}

bool learn_look(struct learned *learned, const struct recommend *domain,
                const struct recommend_limits *limits, uint64_t now_ns)
{
	bool limited = learned->boosts && limit(learned, limits, now_ns);

	learned->looked_ns = now_ns;
	learned->verdict = domain->verdict;
	learned->reason = domain->reason;
	switch (domain->verdict) {
	case RECOMMEND_BOOST:
	case RECOMMEND_KEEP:
		return speaks_for(learned, domain, limits, now_ns) || limited;
	case RECOMMEND_PART:
		return speaks_for_a_part(learned, domain, limits, now_ns) || limited;
	case RECOMMEND_OVER_LIMITS:
	case RECOMMEND_STEADY:
	case RECOMMEND_IDLE_HOST:
	case RECOMMEND_ALONE:
		return speaks_against(learned, now_ns) || limited;
	case RECOMMEND_HELD:
	case RECOMMEND_UNKNOWN:
	case RECOMMEND_NOT_MEASURED:
	case _RECOMMEND_VERDICT_MAX:
		break;
	}
	return limited;
}
