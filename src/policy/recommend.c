// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/recommend.h"

static const char *const names[_RECOMMEND_VERDICT_MAX] = {
        [RECOMMEND_BOOST] = "boost",     [RECOMMEND_KEEP] = "keep",
        [RECOMMEND_PART] = "part",       [RECOMMEND_OVER_LIMITS] = "over-limits",
        [RECOMMEND_STEADY] = "steady",   [RECOMMEND_IDLE_HOST] = "idle-host",
        [RECOMMEND_ALONE] = "alone",     [RECOMMEND_HELD] = "held",
        [RECOMMEND_UNKNOWN] = "unknown", [RECOMMEND_NOT_MEASURED] = "not-measured",
};

static const char *const texts[_RECOMMEND_VERDICT_MAX] = {
        [RECOMMEND_BOOST] = "Its wake-ups wait, and boosts would cover them.",
        [RECOMMEND_KEEP] = "What it has covers its demand, or as much of it as it may have.",
        [RECOMMEND_PART] = "Its wake-ups wait. It needs more than it may have, by the caps of the "
                           "host or of its profile, or by its fair share of the CPU; but that "
                           "covers most of them.",
        [RECOMMEND_OVER_LIMITS] =
                "It needs more than it may have: the caps of the host or of its profile, or its "
                "fair share of the CPU, are less.",
        [RECOMMEND_STEADY] = "Its demand is steady: it needs throughput, which boosts do not give.",
        [RECOMMEND_IDLE_HOST] = "Its wake-ups do not wait, so there is nothing to gain.",
        [RECOMMEND_ALONE] = "It has its CPU for itself and does not wait, so there is nothing to "
                            "gain.",
        [RECOMMEND_HELD] = "It must not be boosted, whatever its profile.",
        [RECOMMEND_UNKNOWN] = "Too few of its wake-ups were seen; ask again when it was busy for "
                              "a while.",
        [RECOMMEND_NOT_MEASURED] =
                "It is not measured; `pvschedctl policy set DOM observe` measures it and changes "
                "nothing.",
};

const char *recommend_verdict_name(enum recommend_verdict verdict)
{
	return names[verdict];
}

const char *recommend_verdict_text(enum recommend_verdict verdict)
{
	return texts[verdict];
}

/* The most that it may have; a run costs more than its time where the fair share is less. */
static struct recommend_need largest(const struct recommend_facts *facts,
                                     const struct recommend_need *need)
{
	uint32_t share = facts->limits.share_permille;
	uint64_t burst_ns;

	if (facts->entitled_permille)
		share = MIN(share, facts->entitled_permille);
	if (need->share_permille)
		share = MIN(share, need->share_permille);
	burst_ns = demand_burst_ns(facts->demand, share);
	return (struct recommend_need){
	        .burst_ns = MIN(burst_ns, facts->limits.burst_ns),
	        .share_permille = share,
	};
}

static uint32_t covered_by(const struct demand *demand, const struct recommend_need *need)
{
	struct pvs_bucket_rule rule = {.burst_ns = need->burst_ns,
	                               .share_permille = need->share_permille};

	return need->share_permille ? demand_covered_permille(demand, &rule) : 0;
}

static void take(const struct recommend_need *need, struct recommend *ret)
{
	ret->burst_ns = need->burst_ns;
	ret->share_permille = need->share_permille;
	ret->covered_permille = need->covered_permille;
}

/* Burst and share for its demand, and what those that it has cover. */
static void fit(const struct recommend_facts *facts, struct recommend *ret)
{
	const struct demand *demand = facts->demand;

	ret->wakeups = demand->wakeups;
	ret->used_permille = demand_used_permille(demand);
	ret->need.share_permille = demand_share_permille(demand);
	ret->need.burst_ns = demand_burst_ns(demand, ret->need.share_permille);
	ret->need.covered_permille = covered_by(demand, &ret->need);
	take(&ret->need, ret);
	ret->now_covered_permille =
	        facts->boosts ? demand_covered_permille(demand, &facts->rule) : 0;
}

static bool is_within(const struct recommend_need *need, const struct recommend_need *largest)
{
	return need->share_permille && need->share_permille <= largest->share_permille &&
	       need->burst_ns <= largest->burst_ns;
}

/* Its waits tell what it would gain only if it is not boosted anyway. */
static bool is_mostly_boosted(const struct recommend_facts *facts)
{
	return facts->boosts && facts->boosted > facts->wakeups / 2;
}

static enum recommend_verdict judge(const struct recommend_facts *facts,
                                    const struct recommend *got, const struct recommend_need *most)
{
	if (facts->holds)
		return RECOMMEND_HELD;
	if (facts->run_permille > RECOMMEND_STEADY_PERMILLE)
		return RECOMMEND_STEADY;
	if (facts->wakeups < RECOMMEND_WAKEUPS_MIN || facts->demand->n < RECOMMEND_WAKEUPS_MIN)
		return RECOMMEND_UNKNOWN;
	if (facts->wait_us <= RECOMMEND_WAIT_US && !is_mostly_boosted(facts))
		return facts->one_cpu ? RECOMMEND_ALONE : RECOMMEND_IDLE_HOST;
	if (facts->boosts && got->now_covered_permille >= DEMAND_GOAL_PERMILLE)
		return RECOMMEND_KEEP;
	if (got->used_permille > facts->limits.share_permille)
		return RECOMMEND_STEADY;
	if (is_within(&got->need, most))
		return RECOMMEND_BOOST;
	if (most->covered_permille < RECOMMEND_PART_PERMILLE)
		return RECOMMEND_OVER_LIMITS;
	return facts->boosts && got->now_covered_permille >= most->covered_permille
	               ? RECOMMEND_KEEP
	               : RECOMMEND_PART;
}

struct recommend recommend_vcpu(const struct recommend_facts *facts)
{
	struct recommend ret = {.reason = facts->reason};
	struct recommend_need most = {0};

	if (!facts->traced) {
		ret.verdict = RECOMMEND_NOT_MEASURED;
		return ret;
	}
	if (facts->demand->n > 0) {
		fit(facts, &ret);
		most = largest(facts, &ret.need);
		most.covered_permille = covered_by(facts->demand, &most);
	}
	ret.verdict = judge(facts, &ret, &most);
	if (ret.verdict == RECOMMEND_PART)
		take(&most, &ret);
	if (ret.verdict == RECOMMEND_KEEP) {
		ret.covered_permille = ret.now_covered_permille;
		ret.burst_ns = facts->rule.burst_ns;
		ret.share_permille = facts->rule.share_permille;
	}
	return ret;
}

/* Of all their wake-ups. */
static uint32_t covered_by_both(uint32_t a_permille, uint64_t a, uint32_t b_permille, uint64_t b)
{
	return a + b ? (uint32_t)((a_permille * a + b_permille * b) / (a + b)) : 0;
}

void recommend_join(struct recommend *domain, const struct recommend *vcpu)
{
	bool counts = vcpu->verdict <= RECOMMEND_KEEP;

	if (vcpu->verdict < domain->verdict) {
		domain->verdict = vcpu->verdict;
		domain->reason = vcpu->reason;
	}
	domain->used_permille += vcpu->used_permille;
	if (!counts)
		return;
	domain->burst_ns = MAX(domain->burst_ns, vcpu->burst_ns);
	domain->share_permille = MAX(domain->share_permille, vcpu->share_permille);
	domain->covered_permille = covered_by_both(domain->covered_permille, domain->wakeups,
	                                           vcpu->covered_permille, vcpu->wakeups);
	domain->now_covered_permille =
	        covered_by_both(domain->now_covered_permille, domain->wakeups,
	                        vcpu->now_covered_permille, vcpu->wakeups);
	domain->need.burst_ns = MAX(domain->need.burst_ns, vcpu->need.burst_ns);
	domain->need.share_permille = MAX(domain->need.share_permille, vcpu->need.share_permille);
	domain->need.covered_permille =
	        covered_by_both(domain->need.covered_permille, domain->wakeups,
	                        vcpu->need.covered_permille, vcpu->wakeups);
	domain->wakeups += vcpu->wakeups;
}

bool recommend_lacks_tokens(const struct recommend_facts *facts, const struct recommend *recommend)
{
	return facts->traced && facts->boosts && !facts->holds &&
	       facts->demand->n >= RECOMMEND_WAKEUPS_MIN &&
	       demand_late_permille(facts->demand) > RECOMMEND_LATE_PERMILLE &&
	       recommend->now_covered_permille < 1000 - RECOMMEND_LATE_PERMILLE;
}
