// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/cpu_caps.h"

/*
 * From the moment at which the tracer finds a sheet used up until no boosted vCPU runs there:
 * reactions of about 100 us, one for each vCPU that wakes there armed, and a run of a foreign
 * thread that came between.
 */
#define REACTION_PERMILLE 10

#define THROTTLE_DEFAULT_PERMILLE 950

uint32_t cpu_caps_sheet_permille(const struct kernel_net *net)
{
	uint64_t throttle_permille;

	if (net->fair_server)
		return CPU_SHEET_PERMILLE;
	if (!net->known || kernel_net_never_throttles(net))
		return CPU_SHEET_THROTTLED_PERMILLE;
	throttle_permille = (uint64_t)(net->runtime_us * 1000 / net->period_us);
	if (throttle_permille >= THROTTLE_DEFAULT_PERMILLE)
		return CPU_SHEET_THROTTLED_PERMILLE;
	return (uint32_t)(throttle_permille * CPU_SHEET_THROTTLED_PERMILLE /
	                  THROTTLE_DEFAULT_PERMILLE);
}

uint64_t cpu_caps_sheet_ns(uint32_t permille, const struct host_caps *caps)
{
	uint32_t margin = caps->booster_permille + REACTION_PERMILLE;

	return permille > margin ? (permille - margin) * NSEC_PER_MSEC : 0;
}

struct pvs_bucket_rule cpu_caps_rule(const struct host_caps *caps)
{
	return (struct pvs_bucket_rule){
	        .burst_ns = caps->cpu_burst_ns,
	        .share_permille = caps->cpu_share_permille,
	};
}

void cpu_caps_apply(const struct accounts *accounts, uint32_t sheet_permille,
                    const struct host_caps *caps)
{
	struct pvs_bucket_rule rule = cpu_caps_rule(caps);

	account_set_cpu_rule(accounts, &rule);
	account_set_sheets(accounts, cpu_caps_sheet_ns(sheet_permille, caps));
}
