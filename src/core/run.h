/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * What a run of a vCPU costs, and how long it may go on. The tracer and the simulator charge by it;
 * the booster uses it to look at a run that is not charged yet. The functions change nothing except
 * the accounts that they are given.
 */

#include "core/account.h"

/**
 * The boosted part of a run that is not charged yet. A vCPU that is unboosted and boosted again in
 * one run has several stretches. All stretches before the last one are added up, as if they had
 * been one that ended when the latest of them did.
 */
struct pvs_run {
	__u64 earlier_ns, earlier_until_ns;
	__u64 last_ns, last_until_ns;
};

/** The stretches before the last one, added up; 0: there is at most one stretch. */
static inline __attribute__((always_inline)) __u64
pvs_run_earlier(const struct pvs_vcpu_account *vcpu, __u64 in_ns)
{
	return in_ns && PVS_READ(vcpu->earlier_in_ns) == in_ns ? PVS_READ(vcpu->earlier_ns) : 0;
}

/** The boosted part of the run since @in_ns, as of @now_ns. @in_ns 0: the vCPU does not run. */
static inline __attribute__((always_inline)) struct pvs_run
pvs_run_of(const struct pvs_vcpu_account *vcpu, __u64 in_ns, __u64 now_ns)
{
	__u64 from_ns = pvs_run_boosted_since(in_ns, PVS_READ(vcpu->boosted_at_ns));
	__u64 unboosted_at_ns;
	struct pvs_run run = {.last_until_ns = now_ns};

	if (!in_ns)
		return run;
	run.earlier_ns = pvs_run_earlier(vcpu, in_ns);
	run.earlier_until_ns = PVS_READ(vcpu->earlier_until_ns);
	if (!(PVS_READ_ACQUIRE(vcpu->flags) & PVS_FLAG_BOOSTED)) {
		unboosted_at_ns = PVS_READ(vcpu->unboosted_at_ns);
		if (unboosted_at_ns < now_ns)
			run.last_until_ns = unboosted_at_ns;
	}
	if (run.last_until_ns > from_ns)
		run.last_ns = run.last_until_ns - from_ns;
	return run;
}

/** What the last stretch is charged: together with the others at least @charge_min_ns. */
static inline __u64 pvs_run_last_charge(const struct pvs_run *run, __u32 charge_min_ns)
{
	if (run->last_ns && run->last_ns + run->earlier_ns < charge_min_ns)
		return charge_min_ns - run->earlier_ns;
	return run->last_ns;
}

/** When the vCPU's own bucket will be full again, with @run charged. */
static inline __u64 pvs_run_full_at(const struct pvs_run *run, const struct pvs_bucket_rule *rule,
                                    __u64 repaid_at_ns, __u32 entitled_permille, __u64 now_ns)
{
	repaid_at_ns = pvs_bucket_use(rule, repaid_at_ns, run->earlier_ns, run->earlier_until_ns,
	                              now_ns, entitled_permille);
	return pvs_bucket_use(rule, repaid_at_ns, run->last_ns, run->last_until_ns, now_ns,
	                      entitled_permille);
}

/** How long a foreign real-time thread that runs on the CPU has run; it is not charged yet. */
static inline __attribute__((always_inline)) __u64
pvs_cpu_foreign_run(const struct pvs_cpu_account *cpu, __u64 now_ns)
{
	__u64 since_ns = PVS_READ(cpu->rt_since_ns);

	return since_ns && now_ns > since_ns ? now_ns - since_ns : 0;
}

/** What the CPU's sheet counts, and the run of a foreign real-time thread that goes on there. */
static inline __u64 pvs_cpu_sheet_used(const struct pvs_cpu_account *cpu, __u64 now_ns)
{
	return pvs_sheet_used(&cpu->sheet, now_ns) + pvs_cpu_foreign_run(cpu, now_ns);
}

/** What the CPU's sheet has left, less the run of a foreign real-time thread that goes on there. */
static inline __attribute__((always_inline)) __s64
pvs_cpu_sheet_left(const struct pvs_cpu_account *cpu, __u64 now_ns)
{
	return pvs_sheet_left(&cpu->sheet, now_ns) - (__s64)pvs_cpu_foreign_run(cpu, now_ns);
}

/** What bounds a boost: three buckets, and the sheet in the CPU's account. */
struct pvs_buckets {
	const struct pvs_vcpu_account *vcpu;
	const struct pvs_domain_account *domain; /* NULL: none */
	const struct pvs_cpu_account *cpu;       /* NULL: none */
	const struct pvs_bucket_rule *cpu_rule;
	const struct pvs_vcpu_account *payer; /* of a pulse; NULL: the vCPU itself, or none */
};

/** Which vCPU's bucket a boost is charged to; NULL: none, its domain pays alone. */
static inline __attribute__((always_inline)) const struct pvs_vcpu_account *
pvs_run_payer(const struct pvs_vcpu_account *vcpu, const struct pvs_vcpu_account *payer)
{
	__u32 pays = PVS_READ(vcpu->payer);

	if (!pays)
		return vcpu;
	/* a slot that passed to another domain meanwhile is not charged */
	return pays != PVS_PAYER_DOMAIN && payer && payer->domain == vcpu->domain ? payer : 0;
}

/** What is left of a pulse, as far as its runs are charged. */
static inline __s64 pvs_pulse_left(const struct pvs_vcpu_account *vcpu)
{
	return (__s64)(PVS_READ(vcpu->pulse_end_ns) - vcpu->used_ns);
}

/** *left_ns and *which become those of the bucket @other if it has less. */
static inline __attribute__((always_inline)) void
pvs_bucket_least(__s64 *left_ns, __u32 *which, __s64 other_ns, enum pvs_bucket other)
{
	if (other_ns < *left_ns) {
		*left_ns = other_ns;
		*which = other;
	}
}

/**
 * How long a boosted vCPU may go on running at @now_ns. This is the least of its own, its domain's
 * and its CPU's tokens, and of what the CPU's sheet has left, less its boosted run since @since_ns,
 * which is not charged yet. *which is what has the least.
 */
static inline __attribute__((always_inline)) __s64
pvs_buckets_left(const struct pvs_buckets *b, __u64 since_ns, __u64 now_ns, __u32 *which)
{
	const struct pvs_vcpu_account *vcpu = b->vcpu, *pays = pvs_run_payer(vcpu, b->payer);
	__u64 earlier_ns = pvs_run_earlier(vcpu, vcpu->in_ns), repaid_at_ns;
	__s64 left_ns = (__s64)PVS_BUCKET_DEBT_MAX_NS, other_ns;

	*which = PVS_BUCKET_VCPU;
	if (pays) {
		repaid_at_ns =
		        pvs_bucket_use(&pays->rule, pays->repaid_at_ns, earlier_ns,
		                       vcpu->earlier_until_ns, now_ns, pays->entitled_permille);
		left_ns = pvs_bucket_tokens(&pays->rule, repaid_at_ns, now_ns);
		left_ns = pvs_bucket_worth(&pays->rule, left_ns, pays->entitled_permille);
	}
	if (pays != vcpu)
		pvs_bucket_least(&left_ns, which, pvs_pulse_left(vcpu) - (__s64)earlier_ns,
		                 PVS_BUCKET_PULSE);
	if (b->domain) {
		other_ns = pvs_bucket_tokens(&b->domain->rule, b->domain->repaid_at_ns, now_ns);
		pvs_bucket_least(&left_ns, which, other_ns - (__s64)earlier_ns, PVS_BUCKET_DOMAIN);
	}
	if (b->cpu) {
		other_ns = pvs_bucket_tokens(b->cpu_rule, b->cpu->repaid_at_ns, now_ns);
		pvs_bucket_least(&left_ns, which, other_ns - (__s64)earlier_ns, PVS_BUCKET_CPU);
		other_ns = pvs_cpu_sheet_left(b->cpu, now_ns);
		pvs_bucket_least(&left_ns, which, other_ns - (__s64)earlier_ns, PVS_BUCKET_SHEET);
	}
	return left_ns - (__s64)(now_ns - since_ns);
}

/**
 * Charges the vCPU's own bucket, at its price, for @charge_ns used up until @until_ns. Other CPUs
 * charge it at the same time only where it pays for pulses: two failures in a row are rare, and
 * then the charge is added as if the bucket were in use.
 */
static inline void pvs_vcpu_charge(struct pvs_vcpu_account *vcpu, __u64 until_ns, __u64 charge_ns)
{
	charge_ns = pvs_bucket_price(&vcpu->rule, charge_ns, vcpu->entitled_permille);
	for (int i = 0; i < 2; i++) {
		__u64 before = PVS_READ(vcpu->repaid_at_ns);
		__u64 after = pvs_bucket_charge(&vcpu->rule, before, until_ns, charge_ns);

		if (__sync_val_compare_and_swap(&vcpu->repaid_at_ns, before, after) == before)
			return;
	}
	__sync_fetch_and_add(&vcpu->repaid_at_ns,
	                     pvs_bucket_charge(&vcpu->rule, until_ns, until_ns, charge_ns) -
	                             until_ns);
}

/**
 * Charges a domain's bucket that many others charge at this moment: it is in use, so a charge moves
 * its time by what it costs. Nothing bounds it here; the next charge does.
 */
static inline __attribute__((always_inline)) void
pvs_domain_charge_in_a_crowd(struct pvs_domain_account *domain, __u64 until_ns, __u64 charge_ns)
{
	__sync_fetch_and_add(&domain->repaid_at_ns,
	                     pvs_bucket_charge(&domain->rule, until_ns, until_ns, charge_ns) -
	                             until_ns);
}

/** Charges a domain's bucket. Several CPUs may do so at once; no charge is lost. */
static inline __attribute__((always_inline)) void
pvs_domain_charge(struct pvs_domain_account *domain, __u64 until_ns, __u64 charge_ns)
{
	__sync_fetch_and_add(&domain->used_ns, charge_ns);
	for (int i = 0; i < 16; i++) {
		__u64 before = domain->repaid_at_ns;
		__u64 after = pvs_bucket_charge(&domain->rule, before, until_ns, charge_ns);

		if (__sync_val_compare_and_swap(&domain->repaid_at_ns, before, after) == before)
			return;
	}
	/* sixteen failures in a row: as many others have charged within nanoseconds */
	pvs_domain_charge_in_a_crowd(domain, until_ns, charge_ns);
}

/** Charges a CPU's bucket, on that CPU. @foreign: the run was not that of a boosted vCPU. */
static inline void pvs_cpu_charge(struct pvs_cpu_account *cpu, const struct pvs_bucket_rule *rule,
                                  __u64 until_ns, __u64 charge_ns, int foreign)
{
	cpu->rt_run_ns += charge_ns;
	if (foreign)
		cpu->foreign_ns += charge_ns;
	cpu->repaid_at_ns = pvs_bucket_charge(rule, cpu->repaid_at_ns, until_ns, charge_ns);
}

/**
 * Mode observe: a vCPU was switched in. Counts the wake-ups that a boost would have covered; the
 * bucket behaves as it would with boosts.
 */
static inline void pvs_imagined_in(struct pvs_vcpu_account *vcpu, __u64 now_ns)
{
	if (vcpu->empty && vcpu->repaid_at_ns <= now_ns)
		vcpu->empty = 0;
	if (!vcpu->empty && vcpu->out == PVS_OUT_HALTED)
		vcpu->wakeups_imagined++;
}

/** Mode observe: the vCPU is switched out after @ran_ns. */
static inline void pvs_imagined_out(struct pvs_vcpu_account *vcpu, __u64 now_ns, __u64 ran_ns,
                                    __u32 charge_min_ns)
{
	__s64 left_ns = pvs_bucket_tokens(&vcpu->rule, vcpu->repaid_at_ns, now_ns);
	__u64 used_ns = ran_ns, charge_ns;

	if (vcpu->empty)
		return;
	if (left_ns <= 0)
		used_ns = 0;
	else if (used_ns > (__u64)left_ns)
		used_ns = (__u64)left_ns;
	charge_ns = used_ns > charge_min_ns ? used_ns : charge_min_ns;
	vcpu->imagined_ns += used_ns;
	vcpu->repaid_at_ns = pvs_bucket_charge(&vcpu->rule, vcpu->repaid_at_ns, now_ns, charge_ns);
	if (used_ns < ran_ns)
		vcpu->empty = 1;
}

/** What is known of a vCPU's fair entitlement after one more sample, @permille. */
static inline __u32 pvs_entitled_learn(__u32 known_permille, __u32 permille)
{
	return known_permille ? (known_permille * 3 + permille + 3) / 4 : permille;
}

/** The current run of a vCPU, as far as its guest's requests are concerned. */
static inline struct pvs_request_run pvs_run_request(const struct pvs_vcpu_account *vcpu)
{
	return (struct pvs_request_run){
	        .urgency = (enum pvsched_urgency)vcpu->request.urgency,
	        .in_ns = vcpu->in_ns,
	        .said_ns = pvs_request_since(&vcpu->request),
	        .urgent_run_ns = vcpu->urgent_run_ns,
	        .grace_ns = vcpu->request_grace_ns ? vcpu->request_grace_ns : PVS_REQUEST_GRACE_NS,
	};
}

/**
 * In how many ns to look next at a boosted vCPU that runs: in @left_ns, when its tokens end, or
 * sooner, when its guest may have turned to ordinary work.
 */
static inline __attribute__((always_inline)) __u64
pvs_run_next_look(const struct pvs_vcpu_account *vcpu, __u64 now_ns, __u64 left_ns)
{
	struct pvs_request_run run;
	__u64 look_ns;

	if (!vcpu->page_address || !(vcpu->flags & PVS_FLAG_REPORT_ORDINARY))
		return left_ns;
	run = pvs_run_request(vcpu);
	look_ns = pvs_request_look_at(&run, now_ns) - now_ns;
	return look_ns < left_ns ? look_ns : left_ns;
}

/** Whether the vCPU has done ordinary work for so long that it should yield, and reports are on. */
static inline int pvs_run_is_ordinary(const struct pvs_vcpu_account *vcpu, __u64 now_ns)
{
	struct pvs_request_run run = pvs_run_request(vcpu);
	__u64 since_ns = pvs_request_ordinary_since(&run);

	return since_ns && since_ns + run.grace_ns <= now_ns &&
	       (vcpu->flags & PVS_FLAG_REPORT_ORDINARY);
}

/**
 * A vCPU ran boosted, and its page was read at @now_ns. If its guest has become ordinary since the
 * look before, that tells how long the guest was urgent. If the vCPU is asleep now, it also tells
 * how long the vCPU runs when urgent. If the guest was expected to be urgent at @expected_ns, the
 * part of the run before that time does not count.
 */
static inline void pvs_run_learn_urgency(struct pvs_vcpu_account *vcpu, __u64 expected_ns,
                                         __u64 now_ns, int asleep)
{
	__u64 from_ns = vcpu->in_ns, said_ns = vcpu->request.request_ns;

	if (!from_ns || vcpu->request.urgency != PVSCHED_URGENCY_ORDINARY ||
	    vcpu->request.changed_ns != now_ns)
		return;
	if (expected_ns > from_ns && expected_ns < now_ns)
		from_ns = expected_ns;
	if (said_ns > from_ns)
		vcpu->urgent_work_ns = pvs_lasts_learn(vcpu->urgent_work_ns, said_ns - from_ns);
	if (asleep)
		vcpu->urgent_run_ns = pvs_lasts_learn(vcpu->urgent_run_ns, now_ns - from_ns);
}
