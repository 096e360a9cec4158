/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * Elevated time is consumed on a CPU: may somebody see whether an ordinary thread still gets to run
 * there?
 */

#include "tables.h"

static __always_inline void canary_call(__u32 slot, __u32 cpu)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);
	__u64 elevated;

	if (!account)
		return;
	elevated = account->rt_run_ns - account->foreign_ns;
	if (elevated < account->canary_at_ns)
		return;
	account->canary_at_ns = elevated + PVS_CANARY_NS;
	event_send(slot, PVS_EVENT_CANARY, cpu);
}
