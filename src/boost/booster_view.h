/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the booster tells of itself and of a slot. Plain data. */

#include "boost/pages.h"
#include "boost/wait.h"
#include "core/account.h"
#include "policy/attention.h"
#include "policy/policy.h"
#include "util/base.h"

/** Delays, in the buckets of pvs_wait_bucket(). */
struct booster_delays {
	uint32_t counts[PVS_WAIT_BUCKETS];
	uint64_t max_ns, sum_ns;
};

/** What is known of a slot. */
struct booster_vcpu {
	struct policy_view view;
	uint32_t holds;
	struct booster_delays request_to_applied; /* event of the tracer -> end of the call */
	struct pages_view page;
};

struct booster_totals {
	uint64_t events;           /* of the tracer, handled */
	uint64_t notes_lost;       /* the main thread did not read them in time */
	uint64_t wakeups;          /* returns from the wait */
	uint64_t deadlines_missed; /* boosts that the backstop ended, see backstop.h */
	unsigned int boosted;      /* vCPUs that are boosted now */
	struct booster_delays request_to_applied; /* as of a slot, of all */
	enum booster_wait wait;
	int wait_error; /* why it does not wait by io_uring, if it was told to: -errno */
};
