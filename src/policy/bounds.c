// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/bounds.h"

#include "core/account.h"
#include "core/bucket.h"
#include "policy/request.h"

/* How long ksoftirqd may wait behind a boosted vCPU. */
#define SOFTIRQD_WAIT_NS (1 * NSEC_PER_MSEC)

#define REFILL_MIN_NS (200 * NSEC_PER_USEC)

/* When so many tokens will have come. Not too soon: a shared bucket may be what lacks them. */
static uint64_t refilled_at(const struct turn *t, int64_t tokens_ns)
{
	return t->now_ns + MAX(vcpu_refill_ns(t->v, (uint64_t)tokens_ns), REFILL_MIN_NS);
}

/* The vCPU's own bucket must be full, unless it has kept its tokens and they are enough. */
static struct obstacle own_bucket(const struct turn *t, int64_t enough_ns)
{
	const struct policy_vcpu *v = t->v;
	bool kept = v->unboosted.tokens == TOKENS_KEPT;
	struct pvs_bucket_rule rule = {.burst_ns = v->profile.burst_ns,
	                               .share_permille = v->profile.share_permille};
	uint64_t full_at_ns = t->facts.full_at_ns;
	int64_t own_ns = pvs_bucket_tokens(&rule, full_at_ns, t->now_ns);

	if (full_at_ns <= t->now_ns || (kept && own_ns >= enough_ns))
		return (struct obstacle){POLICY_REASON_WITHIN, NSEC_NEVER};
	if (kept)
		full_at_ns = MIN(full_at_ns, refilled_at(t, enough_ns - own_ns));
	return (struct obstacle){POLICY_REASON_BUDGET, full_at_ns};
}

/* Which bucket prevents a boost, since it is not full again. */
static struct obstacle empty_bucket(const struct turn *t)
{
	int64_t enough_ns = (int64_t)request_enough_ns(t);
	struct obstacle own;

	/* enough in all three buckets, and on the sheet */
	if (t->v->unboosted.tokens == TOKENS_KEPT && t->facts.tokens_ns >= enough_ns)
		return (struct obstacle){POLICY_REASON_WITHIN, NSEC_NEVER};
	own = own_bucket(t, enough_ns);
	if (own.reason != POLICY_REASON_WITHIN)
		return own;
	if (t->facts.domain_at_ns > t->now_ns)
		return (struct obstacle){POLICY_REASON_DOMAIN_CAP, t->facts.domain_at_ns};
	if (t->facts.cpu_at_ns > t->now_ns)
		return (struct obstacle){POLICY_REASON_CPU_CAP, t->facts.cpu_at_ns};
	if (t->facts.sheet_at_ns > t->now_ns)
		return (struct obstacle){POLICY_REASON_CPU_REAL_TIME, t->facts.sheet_at_ns};
	/* runs that are not charged yet may have used up a shared bucket */
	if (t->facts.whereabouts == POLICY_WAITING && t->facts.tokens_ns <= 0)
		return (struct obstacle){POLICY_REASON_BUDGET,
		                         refilled_at(t, enough_ns - t->facts.tokens_ns)};
	return own;
}

struct obstacle bounds_obstacle(const struct turn *t)
{
	const struct policy_vcpu *v = t->v;
	enum policy_reason forbidden = vcpu_forbidden(t);
	struct obstacle bucket;

	if (forbidden != POLICY_REASON_WITHIN)
		return (struct obstacle){forbidden, NSEC_NEVER};
	if (t->facts.unheard_until_ns > t->now_ns)
		return (struct obstacle){POLICY_REASON_ATTENTION, t->facts.unheard_until_ns};
	if (v->backoff_until_ns > t->now_ns)
		return (struct obstacle){v->backoff_why,
		                         MAX(v->backoff_until_ns, t->facts.full_at_ns)};
	if (vcpu_starves_helper(&t->facts))
		return (struct obstacle){POLICY_REASON_HELPER, t->now_ns + PVS_HELPER_WAIT_NS};
	if (v->spin_until_ns > t->now_ns)
		return (struct obstacle){POLICY_REASON_SPIN, v->spin_until_ns};
	bucket = empty_bucket(t);
	if (bucket.reason != POLICY_REASON_WITHIN)
		return bucket;
	if (vcpu_changes_left(t) < 1)
		return (struct obstacle){POLICY_REASON_RATE,
		                         t->now_ns + vcpu_change_cost_ns(t->policy)};
	return bucket;
}

enum policy_reason bounds_of_pulse(const struct turn *t, int64_t tokens_ns)
{
	enum policy_reason forbidden = vcpu_forbidden(t);

	if (forbidden != POLICY_REASON_WITHIN)
		return forbidden;
	if (t->facts.unheard_until_ns > t->now_ns)
		return POLICY_REASON_ATTENTION;
	if (vcpu_starves_helper(&t->facts))
		return POLICY_REASON_HELPER;
	if (t->v->spin_until_ns > t->now_ns)
		return POLICY_REASON_SPIN; /* it waits for another one itself */
	if (t->facts.sheet_used_up)
		return POLICY_REASON_CPU_REAL_TIME;
	if (tokens_ns < PVS_CHARGE_MIN_NS)
		return POLICY_REASON_BUDGET;
	return vcpu_changes_left(t) < 1 ? POLICY_REASON_RATE : POLICY_REASON_WITHIN;
}

bool bounds_has_tokens(const struct turn *t)
{
	/* runs that are not charged yet may have used up a bucket since it was full */
	return !vcpu_is_awake(&t->facts) || t->facts.tokens_ns > 0;
}

/* When its tokens end, if only our timer sees that. */
static uint64_t tokens_look_ns(const struct turn *t)
{
	if (t->v->boosted.watch != WATCH_BY_TIMER)
		return NSEC_NEVER;
	return t->now_ns + (t->facts.tokens_ns > 0 ? (uint64_t)t->facts.tokens_ns : 1);
}

/*
 * When a helper will have waited for too long behind it. In the run that it was boosted in, the
 * tracer looks at helpers that begin to wait, and not at those that waited before.
 */
static uint64_t helper_look_ns(const struct turn *t)
{
	uint64_t behind_ns = t->facts.helper_behind_ns;

	if (t->v->boosted.watch != WATCH_BY_TIMER || !t->facts.helper_waits)
		return NSEC_NEVER;
	return t->now_ns + PVS_HELPER_WAIT_NS - MIN(behind_ns, (uint64_t)PVS_HELPER_WAIT_NS - 1);
}

/*
 * How long the vCPU itself has kept ksoftirqd waiting in this run. ksoftirqd is a fair thread: it
 * waits behind any other thread, too, and may have waited long when the vCPU was switched in.
 */
static uint64_t softirqd_behind_ns(const struct turn *t)
{
	uint64_t since_ns = t->facts.softirqd_since_ns;

	if (t->facts.whereabouts != POLICY_RUNNING || !since_ns || t->now_ns <= since_ns)
		return 0;
	return MIN(t->facts.ran_ns, t->now_ns - since_ns);
}

/* While ksoftirqd waits the vCPU's deadline may not fire: its tokens are looked at, too. */
static uint64_t softirqd_look_ns(const struct turn *t)
{
	uint64_t left_ns = SOFTIRQD_WAIT_NS - MIN(softirqd_behind_ns(t), SOFTIRQD_WAIT_NS - 1);

	if (t->facts.whereabouts != POLICY_RUNNING || !t->facts.softirqd_since_ns)
		return NSEC_NEVER;
	return t->now_ns + MIN(left_ns, (uint64_t)MAX(t->facts.tokens_ns, 1));
}

static bool starves_softirqd(const struct turn *t)
{
	return softirqd_behind_ns(t) >= SOFTIRQD_WAIT_NS;
}

enum policy_reason bounds_end(const struct turn *t)
{
	if (t->facts.sheet_used_up)
		return POLICY_REASON_CPU_REAL_TIME;
	if (t->facts.whereabouts == POLICY_RUNNING && t->facts.tokens_ns <= 0)
		return POLICY_REASON_BUDGET;
	if (t->facts.waited_ns >= PVS_UNSEEN_NS)
		return POLICY_REASON_UNSEEN;
	if (starves_softirqd(t))
		return POLICY_REASON_SOFTIRQ;
	return vcpu_starves_helper(&t->facts) ? POLICY_REASON_HELPER : POLICY_REASON_WITHIN;
}

uint64_t bounds_look_ns(const struct turn *t)
{
	uint64_t at_ns = MIN(tokens_look_ns(t), helper_look_ns(t));

	at_ns = MIN(at_ns, softirqd_look_ns(t));
	if (t->facts.whereabouts == POLICY_WAITING)
		at_ns = MIN(at_ns, t->now_ns + PVS_UNSEEN_NS);
	return at_ns;
}
