/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the helpers of a domain shall have that follow its vCPUs: a part of the plan. They are held
 * by what holds all vCPUs of the domain, and have budgets where these have some. Pure.
 */

#include "policy/profile.h"
#include "util/base.h"

/**
 * The own bucket of such a helper, of which the domain's pays each charge, too. An iothread or a
 * vhost worker runs for 10 to 50 us at a time; 300 us are some of these at once. 10 % are 3,000
 * runs a second at the least charge.
 */
#define FOLLOW_BURST_NS       (300 * NSEC_PER_USEC)
#define FOLLOW_SHARE_PERMILLE 100

struct follow_plan {
	bool wanted;            /* else nothing else counts */
	struct profile profile; /* of each such helper */
	uint32_t holds;
	bool keeps_rt_budget;
	uint32_t rt_permille; /* its cgroup needs so much of each CPU; 0: nothing is granted */
};

/** The profile of a helper, made of its domain's. */
struct profile follow_profile(const struct profile *of_domain);

/** Of a domain with that profile, before follow_add_vcpu() of each vCPU that is traced. */
struct follow_plan follow_begin(const struct profile *of_domain);

/** What one of its vCPUs has, or may have, a helper may have. */
void follow_add_vcpu(struct follow_plan *follow, uint32_t holds, bool keeps_rt_budget);
