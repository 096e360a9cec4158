// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/push.h"

#include "core/account.h"
#include "core/bucket.h"

/* After a push, a look shows whether the vCPU has moved: so many times what a change takes. */
#define PUSHED_LOOK_ACTS 5

/*
 * What a push takes of the booster's real time: so many times what a change takes, since the
 * booster visits that CPU and comes back. In the long run pushes take no more than the share of one
 * CPU below; the burst lets some of a crowd go at once, since otherwise these would be unboosted.
 */
#define PUSH_ACTS 3
static const struct pvs_bucket_rule push_rule = {
        .burst_ns = 1 * NSEC_PER_MSEC,
        .share_permille = 30,
};

bool push_is_allowed(const struct policy *policy, unsigned int vcpu, uint64_t now_ns)
{
	const struct policy_vcpu *v = &policy->vcpus[vcpu];
	const struct host_caps *caps = &policy->caps;
	uint64_t refill_ns = caps->cpu_burst_ns * 1000 / MAX(caps->cpu_share_permille, UINT32_C(1));

	if (vcpu_holds(policy, vcpu))
		return false;
	/* it could come back to the CPU that it has emptied: not before that can be full again */
	if (v->pushed_ns && now_ns < v->pushed_ns + refill_ns)
		return false;
	return pvs_bucket_tokens(&push_rule, policy->push_repaid_at_ns, now_ns) >=
	       (int64_t)(PUSH_ACTS * vcpu_act_ns(policy));
}

static void charge(struct turn *t)
{
	struct policy *policy = t->policy;

	t->v->pushed_ns = t->now_ns;
	policy->push_repaid_at_ns = pvs_bucket_charge(&push_rule, policy->push_repaid_at_ns,
	                                              t->now_ns, PUSH_ACTS * vcpu_act_ns(policy));
}

void push_step(struct turn *t)
{
	/* the booster itself may have preempted it there, and the kernel pushed it for that */
	bool is_gone = t->facts.tokens_ns > (int64_t)vcpu_act_ns(t->policy);

	if (!vcpu_is_awake(&t->facts) || vcpu_holds(t->policy, t->vcpu))
		return;
	if (!is_gone &&
	    (!t->facts.room_elsewhere || !push_is_allowed(t->policy, t->vcpu, t->now_ns)))
		return;
	if (!is_gone)
		charge(t);
	t->v->view.pushed_total++;
	t->v->boosted.watch = watch_next(t->v->boosted.watch, WATCH_ON_PUSH);
	t->decision->action = POLICY_PUSH;
	vcpu_look_at(
	        t, MIN(t->v->view.next_ns, t->now_ns + PUSHED_LOOK_ACTS * vcpu_act_ns(t->policy)));
}
