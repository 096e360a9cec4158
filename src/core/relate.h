/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * Which vCPU waits for which other one of its domain. A vCPU that has sent an interrupt to exactly
 * one other *awaits* it, until that has served the interrupt. Decides what is such a relation and
 * what of it is worth an event, for the tracer and the simulator alike. A relation is a guess that
 * several CPUs write without a lock: a wrong one costs a look, or a pulse that is paid for.
 */

#include "core/account.h"

/** A relation is over after so long, as in the series "KVM IPI-Aware Directed Yield". */
#define PVS_AWAITS_NS 50000000

/**
 * A vCPU that has run for so long has served the interrupts that came before. Where the hardware
 * injects, no end of an interrupt is seen, and only this tells.
 */
#define PVS_SERVED_NS 50000

/** A vCPU that waits is reported at most this often: a pulse takes about as long. */
#define PVS_WAITS_TOLD_NS 100000

/* What kvm_apic_ipi and the hypercall SEND_IPI pass: the low half of the ICR. */
#define PVS_ICR_VECTOR    0xffU
#define PVS_ICR_MODE      0x700U /* of delivery; 0: fixed */
#define PVS_ICR_LOGICAL   0x800U
#define PVS_ICR_SHORTHAND 0xc0000U
#define PVS_ICR_SELF      0x40000U

/** A vCPU is about to send an interrupt, in its own context: its receivers follow. */
static inline void pvs_relate_sends(struct pvs_vcpu_account *sender, __u32 icr)
{
	int is_fixed = !(icr & PVS_ICR_MODE) && (icr & PVS_ICR_SHORTHAND) != PVS_ICR_SELF;

	sender->sends = is_fixed ? 1 + (icr & PVS_ICR_VECTOR) : 0;
	sender->receivers = 0;
}

/** From now on @sender awaits the vCPU in slot @awaited. */
static inline void pvs_relate(struct pvs_vcpu_account *sender, struct pvs_vcpu_account *receiver,
                              __u32 awaited, __u64 now_ns)
{
	sender->awaits = awaited;
	sender->awaits_ns = now_ns;
	receiver->awaited_ns = now_ns;
}

/**
 * The vCPU in slot @awaited is a receiver of an interrupt with this vector, in the context of
 * @sender. Returns 1 if it is the first one of what @sender is sending. With a second one none of
 * them is awaited.
 */
static inline int pvs_relate_received(struct pvs_vcpu_account *sender,
                                      struct pvs_vcpu_account *receiver, __u32 awaited,
                                      __u32 vector, __u64 now_ns)
{
	if (sender == receiver || sender->sends != 1 + vector || sender->domain != receiver->domain)
		return 0;
	sender->ipis += !sender->receivers;
	if (sender->receivers++) {
		sender->awaits_ns = 0;
		return 0;
	}
	pvs_relate(sender, receiver, awaited, now_ns);
	return 1;
}

/** The end of an interrupt was seen, in the context of its receiver. */
static inline void pvs_relate_served(struct pvs_vcpu_account *receiver, __u64 now_ns)
{
	if (receiver->awaited_ns)
		receiver->served_ns = now_ns;
}

/** Since when the run that began at @in_ns serves what came at @sent_ns. */
static inline __u64 pvs_relate_serves_since(__u64 in_ns, __u64 sent_ns)
{
	return in_ns > sent_ns ? in_ns : sent_ns;
}

/** The receiver leaves its CPU, after a run that began at @in_ns. */
static inline void pvs_relate_ran(struct pvs_vcpu_account *receiver, __u64 in_ns, __u64 now_ns)
{
	__u64 awaited_ns = receiver->awaited_ns;

	if (awaited_ns && in_ns &&
	    now_ns >= pvs_relate_serves_since(in_ns, awaited_ns) + PVS_SERVED_NS)
		receiver->served_ns = now_ns;
}

/** Does @sender still await @receiver, whose slot is @sender's `awaits`? */
static inline int pvs_relate_awaits(const struct pvs_vcpu_account *sender,
                                    const struct pvs_vcpu_account *receiver, __u64 now_ns)
{
	__u64 sent_ns = PVS_READ(sender->awaits_ns), in_ns = PVS_READ(receiver->in_ns);

	if (!sent_ns || now_ns >= sent_ns + PVS_AWAITS_NS ||
	    PVS_READ(receiver->served_ns) > sent_ns)
		return 0;
	return !in_ns || now_ns < pvs_relate_serves_since(in_ns, sent_ns) + PVS_SERVED_NS;
}

/** Since when the vCPU waits to run, and is not boosted; 0: nothing can be done for it. */
static inline __u64 pvs_relate_waits_since(const struct pvs_vcpu_account *vcpu)
{
	if (vcpu->in_ns || (vcpu->flags & PVS_FLAG_BOOSTED))
		return 0;
	return pvs_ready_since(vcpu->out, vcpu->out_ns, vcpu->wake_ns);
}

/** @waiter waits, and reports are on. Returns 1 if it is to be reported now. */
static inline int pvs_waits_is_told(struct pvs_vcpu_account *waiter, __u64 now_ns)
{
	if (now_ns - waiter->waits_told_ns < PVS_WAITS_TOLD_NS ||
	    now_ns < PVS_READ(waiter->waits_from_ns))
		return 0;
	waiter->waits_told_ns = now_ns;
	return 1;
}

/**
 * The same if it waits for @awaited: once in each wait of that to run. Several CPUs may call this
 * at once.
 */
static inline int pvs_waits_for_is_told(struct pvs_vcpu_account *waiter,
                                        struct pvs_vcpu_account *awaited, __u64 now_ns)
{
	__u64 since_ns = pvs_relate_waits_since(awaited), before = awaited->awaited_for_ns;

	if (!since_ns || before == since_ns || !pvs_waits_is_told(waiter, now_ns))
		return 0;
	return __sync_val_compare_and_swap(&awaited->awaited_for_ns, before, since_ns) == before;
}

/**
 * The APIC id that an ICR's destination names, where it names exactly one; else PVS_APIC_ID_NONE.
 * @high is the ICR's high half: the id itself with an x2APIC, else its top byte. Logical
 * destinations are one bit of a flat set, or a cluster of 16 and one bit in it.
 */
static inline __u32 pvs_icr_destination(__u32 icr, __u32 high)
{
	int is_x2apic = high & 0xffffffU || !high;
	__u32 id = is_x2apic ? high : high >> 24;
	__u32 bits = is_x2apic ? id & 0xffff : id, bit = 0;

	if ((icr & PVS_ICR_SHORTHAND) || id == (is_x2apic ? ~0U : 0xff))
		return PVS_APIC_ID_NONE;
	if (!(icr & PVS_ICR_LOGICAL))
		return id;
	if (!bits || (bits & (bits - 1)))
		return PVS_APIC_ID_NONE;
	for (int i = 0; i < 16; i++)
		if (bits == 1U << i)
			bit = (__u32)i;
	return is_x2apic ? (id >> 16 << 4) + bit : bit;
}
