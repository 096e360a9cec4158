// SPDX-License-Identifier: GPL-2.0-or-later
#include "learner.h"

#include <unistd.h>

#include "core/window.h"
#include "daemon/delays.h"
#include "daemon/windows.h"
#include "util/clock.h"

#define LOOK_NS (4 * NSEC_PER_SEC)

static void observe(const struct stack *stack, const struct profile *profile,
                    const struct pvs_mark *since, struct recommend_facts *facts)
{
	const struct pvs_vcpu_account *account = &stack->accounts.vcpus[0];
	uint64_t length_ns = clock_now_ns() - since->until_ns;
	struct window_view window = {0};

	window_since(since, account, &window);
	*facts = (struct recommend_facts){
	        .traced = true,
	        .boosts = profile->mode == PROFILE_BOOST,
	        .wakeups = window.wakeups,
	        .boosted = window.wakeups_boosted,
	        .wait_us = delays_percentile_us(window.wait_counts, DEMAND_GOAL_PERMILLE),
	        .run_permille = (uint32_t)(window.run_ns * 1000 / length_ns),
	        .rule = {.burst_ns = profile->burst_ns, .share_permille = profile->share_permille},
	        .limits = {.burst_ns = MIN(stack->caps.domain_burst_ns, stack->caps.cpu_burst_ns),
	                   .share_permille = MIN(stack->caps.domain_share_permille,
	                                         stack->caps.cpu_share_permille)},
	};
}

static int look(struct stack *stack, const struct profile *profile, const struct pvs_mark *since,
                struct learner *learner)
{
	static struct pvs_demand raw;
	static struct demand demand;
	struct recommend whole = RECOMMEND_NONE;
	struct recommend_facts facts;
	struct pvs_prices prices;
	int r = tracer_read_demand(stack->tracer, 0, &raw);

	if (r < 0)
		return r;
	observe(stack, profile, since, &facts);
	prices = account_prices(&stack->accounts);
	demand_read(&raw, stack->accounts.vcpus[0].halts, &prices, &demand);
	facts.demand = &demand;
	facts.entitled_permille = demand_entitled_permille(&demand);
	learner->entitled_permille = facts.entitled_permille;
	learner->last = recommend_vcpu(&facts);
	recommend_join(&whole, &learner->last);
	return learn_look(&learner->learned, &whole, &facts.limits, clock_now_ns());
}

static int apply(struct stack *stack, pid_t tid, const struct learned *learned,
                 struct profile *profile)
{
	profile->mode = learned->boosts ? PROFILE_BOOST : PROFILE_OBSERVE;
	if (learned->boosts) {
		profile->burst_ns = learned->burst_ns;
		profile->share_permille = learned->share_permille;
	}
	return stack_set(stack, 0, 0, tid, profile);
}

int learner_learn(struct stack *stack, pid_t tid, uint64_t for_ns, struct profile *profile,
                  struct learner *ret)
{
	uint64_t end_ns = clock_now_ns() + for_ns;
	int r = 0;

	*profile = PROFILE_AUTO_INIT;
	*ret = (struct learner){0};
	profile->mode = PROFILE_OBSERVE;
	while (r >= 0 && clock_now_ns() + LOOK_NS <= end_ns) {
		struct pvs_mark since;

		pvs_mark_make(&since, &stack->accounts.vcpus[0], clock_now_ns());
		usleep(LOOK_NS / NSEC_PER_USEC);
		r = look(stack, profile, &since, ret);
		if (r > 0)
			r = apply(stack, tid, &ret->learned, profile);
	}
	return r;
}
