/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What harm.h and the files behind it share: the figures of comparisons, and what is compared. */

#include "core/account.h"
#include "util/base.h"

/** The length of windows, and what is not measured after a change. */
#define HARM_WINDOW_MIN_NS (50 * NSEC_PER_MSEC)
#define HARM_WINDOW_MAX_NS (200 * NSEC_PER_MSEC)
#define HARM_SETTLE_NS     (10 * NSEC_PER_MSEC)

/**
 * Of the time, so much is without boosts at most, and a burst at once: enough for some verdicts
 * when boosts begin.
 */
#define HARM_OFF_PERMILLE 20
#define HARM_OFF_BURST_NS (4 * NSEC_PER_SEC)

/** Domains are let alone for that long, for twice as long each time again. */
#define HARM_ALONE_MIN_NS NSEC_PER_SEC
#define HARM_ALONE_MAX_NS (60 * NSEC_PER_SEC)

/** A wait that is longer than this is late: where there is none, there is nothing to compare. */
#define HARM_LATE_NS (200 * NSEC_PER_USEC)

/** The counters of a vCPU, which only grow; waits as in struct pvs_vcpu_account. */
struct harm_counts {
	uint64_t boosted_ns;
	uint32_t waits[PVS_WAIT_BUCKETS];
};

/** Reads the counters of the vCPU in a slot. */
typedef void harm_read_fn(void *userdata, unsigned int slot, struct harm_counts *ret);
