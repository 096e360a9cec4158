/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * On some hosts switch-ins go missing. A vCPU that runs unseen has no deadline. So, once one was
 * missed, each boosted vCPU that is woken has a timer of its own, which checks that it is seen to
 * run soon. That timer may be started on the waker's CPU.
 */

#include "deadline.h"
#include "tables.h"

static __always_inline void unseen_start(struct unseen_look *look, __u64 now, __u64 delay)
{
	look->due_ns = now + delay;
	/* refused: the next wake-up tries again */
	if (bpf_timer_start(&look->timer, delay, 0))
		look->due_ns = 0;
}

static int unseen_looked(void *map, int *key, struct unseen_look *look)
{
	__u32 slot = *key;
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	__u64 now = bpf_ktime_get_ns(), since, told, delay = PVS_UNSEEN_NS;

	__sync_lock_test_and_set(&look->due_ns, 0);
	if (!vcpu || !(PVS_READ_ACQUIRE(vcpu->flags) & PVS_FLAG_BOOSTED) || vcpu->in_ns)
		return 0; /* that switch-in has seen to a deadline */
	told = *(volatile __u64 *)&vcpu->exhausted_at_ns;
	since = ready_since(vcpu);
	if (!since)
		return 0;
	if (told)
		delay = overdue_tell(vcpu, slot, told, now);
	else if (now - since >= PVS_UNSEEN_NS)
		exhausted(vcpu, slot, now, PVS_BUCKET_UNSEEN);
	if (delay)
		unseen_start(look, now, delay);
	return 0;
}

/* A boosted vCPU was woken. */
__noinline int unseen_watch(__u32 slot, __u64 now)
{
	struct unseen_look *look = bpf_map_lookup_elem(&unseen_looks, &slot);

	if (look && look->due_ns <= now)
		unseen_start(look, now, PVS_UNSEEN_NS);
	return 0;
}
