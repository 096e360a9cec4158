/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The work of a wake-up: how long a vCPU runs from when it is woken until it halts, over all its
 * runs in between. A boost that ends in the middle of that work has the rest wait behind threads
 * which the boost has kept waiting. So a boost ends after whole pieces, where that can be foreseen.
 * Shared by the tracer and the simulator. A wrong guess costs a boost, and never a deadline.
 */

#include "core/account.h"
#include "core/bucket.h"

/* Steps, in parts of what is known: nine of ten wake-ups have no more, nine of ten no less. */
#define PVS_WORK_FAST 16
#define PVS_WORK_SLOW 128

/** It is switched in at @now_ns, and was runnable since @ready_ns. */
static inline void pvs_work_in(struct pvs_work *work, __u64 ready_ns, __u64 now_ns)
{
	__u64 waited_ns = ready_ns && ready_ns < now_ns ? now_ns - ready_ns : 0;

	if (!work->woken_ns)
		work->woken_ns = now_ns - waited_ns;
	work->waited_ns += waited_ns;
}

/** It ran for @ran_ns more. */
static inline void pvs_work_add(struct pvs_work *work, __u64 ran_ns)
{
	work->so_far_ns += ran_ns;
}

/** What is known, a step nearer to @took_ns. */
static inline __u64 pvs_work_learn(__u64 known_ns, __u64 took_ns, __u64 up, __u64 down)
{
	__u64 step_ns = took_ns > known_ns ? known_ns / up + 1000 : known_ns / down + 1;

	if (took_ns > known_ns)
		return took_ns - known_ns < step_ns ? took_ns : known_ns + step_ns;
	return known_ns - took_ns < step_ns ? took_ns : known_ns - step_ns;
}

/** It halted: that was the work of one wake-up. */
static inline void pvs_work_done(struct pvs_work *work)
{
	__u64 took_ns = work->so_far_ns;

	work->so_far_ns = work->waited_ns = 0;
	work->woken_before_ns = work->woken_ns;
	work->woken_ns = 0;
	if (!work->most_ns) {
		work->most_ns = work->least_ns = took_ns;
		return;
	}
	work->most_ns = pvs_work_learn(work->most_ns, took_ns, PVS_WORK_FAST, PVS_WORK_SLOW);
	work->least_ns = pvs_work_learn(work->least_ns, took_ns, PVS_WORK_SLOW, PVS_WORK_FAST);
}

/**
 * A boosted vCPU has halted at @now_ns, and has much the same to do each time that it is woken.
 * Will its own tokens be too few for that, when it is woken as it usually is? If a burst does not
 * hold it, or if each time is another, there are no whole pieces: then no.
 */
static inline __attribute__((always_inline)) int
pvs_work_is_short(const struct pvs_vcpu_account *vcpu, __u64 now_ns)
{
	__u64 most_ns = vcpu->work.most_ns, next_ns;
	__s64 left_ns;

	if (most_ns > vcpu->rule.burst_ns || vcpu->work.least_ns < most_ns / 2)
		return 0;
	next_ns = pvs_rhythm_next(&vcpu->rhythm, now_ns);
	left_ns = pvs_bucket_tokens(&vcpu->rule, vcpu->repaid_at_ns, next_ns ? next_ns : now_ns);
	return pvs_bucket_worth(&vcpu->rule, left_ns, vcpu->entitled_permille) < (__s64)most_ns;
}
