/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * The share of its CPU that a vCPU would get as a fair thread, read from the run queues.
 */

#include "tables.h"

#include "core/run.h"

#define CGROUP_LEVELS 10
#define SAMPLE_NS     2000000 /* the entitlement is sampled at most this often per vCPU */

/*
 * Samples the fair share of its CPU that @p would get if it competed there now, in permille. At
 * each level of the cgroup tree, its weight is compared with the weight of all that is queued. The
 * sample is exact; a measurement of past run time would tell nothing of a vCPU that is always
 * boosted. Also reports when a quota at any level appears or goes.
 */
static __always_inline void entitlement_sample(struct pvs_vcpu_account *vcpu, __u32 slot,
                                               struct task_struct *p, __u64 now)
{
	struct sched_entity *se;
	__u64 share = 1 << 20;
	__u32 quota = 0, permille;

	if (!(parts & PVS_PART_ENTITLEMENT))
		return;
	se = &p->se;
	if (now - vcpu->sampled_at_ns < SAMPLE_NS)
		return;
	vcpu->sampled_at_ns = now;
	for (int i = 0; i < CGROUP_LEVELS && se; i++) {
		struct cfs_rq *queue = se->cfs_rq, *own = NULL;
		__u64 weight = se->load.weight, total;

		if (!queue)
			break;
		if (bpf_core_field_exists(se->my_q))
			own = se->my_q;
		if (bpf_core_field_exists(queue->runtime_enabled)) {
			if (queue->runtime_enabled)
				quota = 1;
			if (own && own->runtime_enabled)
				quota = 1;
		}
		total = queue->load.weight;
		if (!se->on_rq) {
			/* an idle group's weight is stale: once queued, it has its shares */
			if (own && own->tg)
				weight = own->tg->shares;
			total += weight;
		}
		if (total && weight < total)
			share = share * (weight >> 4) / ((total >> 4) ?: 1);
		se = se->parent;
	}
	permille = (__u32)((share * 1000) >> 20);
	if (permille == 0)
		permille = 1;
	vcpu->entitled_permille = pvs_entitled_learn(vcpu->entitled_permille, permille);
	if (quota != vcpu->quota) {
		vcpu->quota = quota;
		event_send(slot, PVS_EVENT_QUOTA, quota);
	}
}
