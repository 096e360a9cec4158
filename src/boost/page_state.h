/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What a guest is told of the state of its vCPU, and which of its words are news. */

#include "guest/page.h"
#include "policy/policy.h"
#include "pvsched/page.h"
#include "util/base.h"

/** What the tracer would report: also what is not new, but wanted and maybe not reported yet. */
static inline bool page_is_news(const struct policy_view *view, enum pvsched_urgency before,
                                enum pvsched_urgency urgency)
{
	return urgency != before || (urgency == PVSCHED_URGENCY_URGENT && view->wants_urgent) ||
	       (urgency == PVSCHED_URGENCY_ORDINARY && view->wants_ordinary);
}

static inline uint32_t page_throttled(const struct policy_view *view)
{
	if (view->state != POLICY_THROTTLED)
		return 0;
	if (view->reason == POLICY_REASON_DOMAIN_CAP || view->reason == POLICY_REASON_CPU_CAP ||
	    view->reason == POLICY_REASON_CPU_REAL_TIME)
		return PVSCHED_THROTTLED_SHARE;
	return PVSCHED_THROTTLED_BURST;
}

/** @critical: its guest's scheduler says that a critical section runs. */
static inline uint64_t page_state(const struct policy_view *view, bool critical)
{
	enum pvsched_boost boost = critical ? PVSCHED_BOOST_CRITICAL : PVSCHED_BOOST_TASK;

	if (view->state != POLICY_ARMED)
		boost = PVSCHED_BOOST_NONE;
	return pvsched_applied(boost, page_throttled(view));
}

/** Adds to a snapshot of the accounts what else a guest is told. @avoid: see pages_set_avoid(). */
static inline void page_snapshot(struct guest_snapshot *snapshot, const struct policy_view *view,
                                 bool critical, bool avoid, uint64_t now_ns)
{
	snapshot->applied_state = page_state(view, critical);
	if (view->state == POLICY_ARMED)
		snapshot->host_flags |= PVSCHED_HOST_ARMED;
	if (avoid)
		snapshot->host_flags |= PVSCHED_HOST_AVOID;
	snapshot->boosts = view->boosts_total;
	snapshot->throttles = view->throttles_total;
	snapshot->published_ns = now_ns;
}
