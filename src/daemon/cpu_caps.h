/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a host CPU may give to real-time threads: the rule of its bucket, and its sheet. The kernel
 * decides what a sheet holds (docs/design/sheet.md); no profile, price or command raises it.
 */

#include "boost/accounts.h"
#include "policy/profile.h"
#include "util/kernel_net.h"

/** Of any second, where the fair server keeps the rest for ordinary threads. */
#define CPU_SHEET_PERMILLE 900

/** Where the kernel would stop booster and guardian, too, at 950 permille, its default. */
#define CPU_SHEET_THROTTLED_PERMILLE 700

/**
 * What a sheet holds, in permille of a second. Where throttling begins below 950 permille it is
 * less by the same ratio. Where throttling is switched off or unknown, it is as much as with the
 * default: nothing else keeps time for ordinary threads there.
 */
uint32_t cpu_caps_sheet_permille(const struct kernel_net *net);

/**
 * When boosts end: @sheet_permille, less a margin for what ends them and what runs on by then. It
 * is the booster's own time, host.booster_permille, and as much as a reaction takes.
 */
uint64_t cpu_caps_sheet_ns(uint32_t sheet_permille, const struct host_caps *caps);

/** The rule of the CPUs' buckets. */
struct pvs_bucket_rule cpu_caps_rule(const struct host_caps *caps);

/** Sets the rule and the sheets of all CPUs. */
void cpu_caps_apply(const struct accounts *accounts, uint32_t sheet_permille,
                    const struct host_caps *caps);
