/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * Helpers that follow: the daemon is told of one that its domain waits for. That is so when it has
 * waited for PVS_FOLLOW_WAIT_NS, which its timer sees, or at once when a boosted vCPU of its domain
 * halts on the CPU where it waits. A bit in the domain's account says which helpers follow, so that
 * others cost nothing more.
 */

#include "tables.h"

#include "core/follow.h"

/* The slot in which the helper has a vCPU's account, or PVS_VCPUS_MAX and more: it has none. */
static __always_inline __u32 follow_slot(const struct pvs_helper_account *helper)
{
	__u32 tid = helper->tid;
	__u32 *found = bpf_map_lookup_elem(&slots, &tid);

	return found ? *found : PVS_VCPUS_MAX;
}

/* The helper waits since @since. Reports that, if it is wanted and was not. */
static __always_inline void follow_tell(__u32 slot, __u64 since)
{
	struct pvs_vcpu_account *account = bpf_map_lookup_elem(&vcpus, &slot);

	if (account && pvs_follow_is_wanted(account) && pvs_follow_tell(account, since))
		event_send(slot, PVS_EVENT_HELPER_WAITS, 0);
}

/* Looks at a wait. Returns in how many ns to look again; 0: that is not needed. */
__noinline __u64 follow_look(__u32 number, __u64 now)
{
	struct pvs_helper_account *helper = bpf_map_lookup_elem(&helpers, &number);
	struct pvs_vcpu_account *account;
	__u64 since, delay;
	__u32 slot;

	if (!helper)
		return 0;
	since = *(volatile __u64 *)&helper->since_ns; /* one load: the wait may end meanwhile */
	if (!since)
		return 0;
	slot = follow_slot(helper);
	account = bpf_map_lookup_elem(&vcpus, &slot);
	if (!account || !pvs_follow_is_wanted(account) || account->helper_told_ns == since)
		return 0;
	delay = pvs_follow_patience(since, now);
	if (!delay)
		follow_tell(slot, since);
	return delay;
}

__noinline int follow_call(__u32 number, __u32 cpu)
{
	struct pvs_helper_account *helper = bpf_map_lookup_elem(&helpers, &number);
	__u64 since;

	if (!helper || helper->cpu != cpu)
		return 0;
	since = *(volatile __u64 *)&helper->since_ns;
	if (since)
		follow_tell(follow_slot(helper), since);
	return 0;
}

/* A boosted vCPU of the domain has halted on @cpu: it may well wait for helpers that wait there. */
__noinline int followers_call(__u32 domain_slot, __u32 cpu)
{
	struct pvs_domain_account *domain = bpf_map_lookup_elem(&domains, &domain_slot);
	__u32 waiting;

	if (!domain)
		return 0;
	waiting = domain->helpers_waiting & domain->followers;
	for (__u32 i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		if (waiting & (1U << i))
			follow_call(domain_slot * PVS_HELPERS_OF_DOMAIN + i, cpu);
	return 0;
}
