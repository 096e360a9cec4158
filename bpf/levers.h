/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * What a thread's levers are set to. sched_getattr() shows the slice and the clamp that count, and
 * not whether they were given to this thread or are the host's.
 */

#include "tables.h"

#define UCLAMP_MIN 0

static __always_inline void slice_look(struct task_struct *p, struct pvs_levers *levers)
{
	if (!bpf_core_field_exists(p->se.custom_slice))
		return;
	levers->has |= PVS_LEVER_SLICE;
	if (p->se.custom_slice)
		levers->own |= PVS_LEVER_SLICE;
}

/*
 * By the path from task_struct. Where there is no CONFIG_UCLAMP_TASK there is no struct uclamp_se,
 * and libbpf looks for a missing type in all modules, which takes CAP_SYS_ADMIN.
 */
static __always_inline void clamp_look(struct task_struct *p, struct pvs_levers *levers)
{
	if (!bpf_core_field_exists(p->uclamp_req))
		return;
	levers->has |= PVS_LEVER_UCLAMP;
	if (BPF_CORE_READ_BITFIELD_PROBED(p, uclamp_req[UCLAMP_MIN].user_defined))
		levers->own |= PVS_LEVER_UCLAMP;
}

/* The daemon makes an iterator over the one thread that it asks for. */
SEC("iter/task")
int show_levers(struct bpf_iter__task *ctx)
{
	struct task_struct *p = ctx->task;
	struct pvs_levers levers = {0};

	if (!p)
		return 0;
	levers.tid = (__u32)p->pid;
	slice_look(p, &levers);
	clamp_look(p, &levers);
	bpf_seq_write(ctx->meta->seq, &levers, sizeof(levers));
	return 0;
}
