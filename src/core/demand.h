/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The demand of a vCPU: when it was woken, and how much work each wake-up had, of a sample of its
 * wake-ups. Which burst and share cover that demand is found by a replay (policy/demand.h). The
 * tracer keeps one word per wake-up, where the work is known: at the halt. Wake-ups are kept in
 * blocks of such that followed one another, because a bucket remembers what came before. The first
 * blocks follow one another, too; later one begins every few seconds. So the sample is there soon,
 * spans a minute then, and costs next to nothing. With another profile it begins anew: a vCPU that
 * is boosted does other work at once than one that waits. Written by the tracer; read by the
 * daemon.
 */

#include "core/account.h"

#define PVS_DEMAND_BLOCKS 14
#define PVS_DEMAND_BLOCK  64 /* wake-ups in a block */
#define PVS_DEMAND_PIECES (PVS_DEMAND_BLOCKS * PVS_DEMAND_BLOCK)

/** From the begin of a block to that of the next one, once all were filled. */
#define PVS_DEMAND_EVERY_NS 5000000000ULL

/** A wake-up whose work waited for longer than this, in total, is late. A boosted one is not. */
#define PVS_DEMAND_LATE_NS 200000ULL

/* A piece: how long after the wake-up before it was woken, two flags, its work. */
#define PVS_PIECE_GAP_SHIFT  12 /* in units of 4.1 us, 268 ms at most */
#define PVS_PIECE_GAP_MAX    0xffffU
#define PVS_PIECE_LATE       (1U << 15)
#define PVS_PIECE_BOOSTED    (1U << 14) /* when it halted: its tokens lasted, if it had any */
#define PVS_PIECE_WORK_SHIFT 10         /* in units of 1.0 us, 16.8 ms at most */
#define PVS_PIECE_WORK_MAX   (PVS_PIECE_BOOSTED - 1)

struct pvs_demand_block {
	__u64 from_ns; /* when its first wake-up came; 0: it is empty */
	__u64 halts;   /* of the account, then: so many wake-ups were before */
	/* sum over its wake-ups of 10^6 / fair entitlement in permille, which tells their price */
	__u64 dearness;
};

/** Zeroed: nothing is kept yet. */
struct pvs_demand {
	__u64 next;   /* piece that is kept next, PVS_DEMAND_PIECES for the first one again */
	__u64 filled; /* 1: all blocks were filled once */
	struct pvs_bucket_rule rule; /* under which that was; pad 1: it was observed alone */
	struct pvs_demand_block blocks[PVS_DEMAND_BLOCKS];
	__u32 pieces[PVS_DEMAND_PIECES];
};

/** The wake-up whose work is done, as a piece. */
static inline __attribute__((always_inline)) __u32 pvs_piece_of(const struct pvs_work *work,
                                                                __u32 flags)
{
	/* the difference of two rounded times, so that a sum of gaps is not rounded again */
	__u64 gap = (work->woken_ns >> PVS_PIECE_GAP_SHIFT) -
	            (work->woken_before_ns >> PVS_PIECE_GAP_SHIFT);
	__u64 took = (work->so_far_ns + (1U << PVS_PIECE_WORK_SHIFT) - 1) >> PVS_PIECE_WORK_SHIFT;
	__u32 piece = took < PVS_PIECE_WORK_MAX ? (__u32)took : PVS_PIECE_WORK_MAX;

	piece |= (gap < PVS_PIECE_GAP_MAX ? (__u32)gap : PVS_PIECE_GAP_MAX) << 16;
	if (work->waited_ns > PVS_DEMAND_LATE_NS)
		piece |= PVS_PIECE_LATE;
	if (flags & PVS_FLAG_BOOSTED)
		piece |= PVS_PIECE_BOOSTED;
	return piece;
}

/** Of one that is not known nothing is dear. */
static inline __attribute__((always_inline)) __u64
pvs_demand_dearness(const struct pvs_vcpu_account *vcpu)
{
	__u32 permille = vcpu->entitled_permille;

	return 1000000 / (permille && permille < 1000 ? permille : 1000);
}

/** Begins anew if the vCPU has another rule now. */
static inline __attribute__((always_inline)) void
pvs_demand_follow(struct pvs_demand *demand, const struct pvs_vcpu_account *vcpu)
{
	__u32 observed = vcpu->flags & PVS_FLAG_IMAGINED ? 1 : 0;

	if (demand->rule.burst_ns == vcpu->rule.burst_ns &&
	    demand->rule.share_permille == vcpu->rule.share_permille &&
	    demand->rule.pad == observed)
		return;
	demand->next = demand->filled = 0;
	demand->rule.burst_ns = vcpu->rule.burst_ns;
	demand->rule.share_permille = vcpu->rule.share_permille;
	demand->rule.pad = observed;
}

/** The vCPU halts at @now_ns, before its work is learned. Returns when to call this again. */
static inline __attribute__((always_inline)) __u64
pvs_demand_keep(struct pvs_demand *demand, const struct pvs_vcpu_account *vcpu, __u64 now_ns)
{
	__u64 next, block;

	pvs_demand_follow(demand, vcpu);
	next = demand->next;
	if (next >= PVS_DEMAND_PIECES)
		next = 0;
	/* keeps the compiler from bounding a copy and indexing with the original */
	asm volatile("" : "+r"(next));
	if (next >= PVS_DEMAND_PIECES)
		return now_ns;
	block = next / PVS_DEMAND_BLOCK;
	asm volatile("" : "+r"(block));
	if (block >= PVS_DEMAND_BLOCKS)
		return now_ns;
	if (next % PVS_DEMAND_BLOCK == 0) {
		demand->blocks[block].from_ns = now_ns;
		demand->blocks[block].halts = vcpu->halts;
		demand->blocks[block].dearness = 0;
	}
	demand->blocks[block].dearness += pvs_demand_dearness(vcpu);
	demand->pieces[next] = pvs_piece_of(&vcpu->work, vcpu->flags);
	next++;
	demand->next = next;
	if (next == PVS_DEMAND_PIECES)
		demand->filled = 1;
	if (next % PVS_DEMAND_BLOCK || !demand->filled)
		return now_ns;
	return demand->blocks[block].from_ns + PVS_DEMAND_EVERY_NS;
}

_Static_assert(sizeof(struct pvs_demand) == 32 + 14 * 24 + 14 * 64 * 4, "demand");
