/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What a vCPU did in the last seconds and minutes, out of its marks (core/window.h). Pure. */

#include "core/window.h"
#include "util/base.h"

/** Between @since_ns and now. */
struct window_view {
	uint64_t since_ns;
	uint64_t run_ns, boosted_ns, wait_ns;
	uint64_t wakeups, wakeups_boosted;
	uint64_t boosts, denied;
	uint32_t wait_counts[PVS_WAIT_BUCKETS];
};

/**
 * What @vcpu did since the mark, but for since_ns, which is the caller's. Returns false if the mark
 * is another vCPU's, which had the slot before: counters went back since.
 */
bool window_since(const struct pvs_mark *mark, const struct pvs_vcpu_account *vcpu,
                  struct window_view *ret);

/** "now", "1min", "10min". */
const char *window_name(unsigned int window);

/**
 * @vcpu is the account as of @now_ns, and @windows is not older. The view begins as long ago as the
 * window is long, or when the vCPU was seen first. Returns false if nothing is known yet.
 */
bool window_read(const struct pvs_windows *windows, unsigned int window,
                 const struct pvs_vcpu_account *vcpu, uint64_t now_ns, struct window_view *ret);
