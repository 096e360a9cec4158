// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/follow.h"

struct profile follow_profile(const struct profile *of_domain)
{
	struct profile profile = *of_domain;

	profile.of_helper = true;
	profile.burst_ns = MIN(profile.burst_ns, FOLLOW_BURST_NS);
	profile.share_permille = MIN(profile.share_permille, (uint32_t)FOLLOW_SHARE_PERMILLE);
	/* it has no guest that says anything */
	profile.requests = PROFILE_REQUESTS_IGNORE;
	profile.on_interrupt = false;
	profile.policy = 0;
	profile.levers = PROFILE_LEVER_RT;
	return profile;
}

struct follow_plan follow_begin(const struct profile *of_domain)
{
	return (struct follow_plan){
	        .profile = follow_profile(of_domain),
	        .holds = UINT32_MAX,
	};
}

void follow_add_vcpu(struct follow_plan *follow, uint32_t holds, bool keeps_rt_budget)
{
	const struct profile *profile = &follow->profile;

	/* without the lever rt its vCPUs are held, and so are its helpers */
	follow->wanted =
	        profile->helpers == PROFILE_HELPERS_FOLLOW && profile->mode == PROFILE_BOOST;
	follow->holds &= holds;
	follow->keeps_rt_budget |= keeps_rt_budget;
}
