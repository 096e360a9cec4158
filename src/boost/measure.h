/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Measures what this machine takes for a switch, a timer and a scheduler call, with two ordinary
 * threads on one CPU. They compute for some milliseconds together, and wait for most of that time.
 */

#include "core/costs.h"
#include "util/base.h"

/** It takes no longer than this, whatever the CPU is busy with. */
#define MEASURE_MAX_NS (50 * NSEC_PER_MSEC)

/** So many times at least, or the figure is none: a CPU that is busy leaves too few. */
#define MEASURE_LEAST 16

/**
 * Measures. Each figure is one that seven of eight tries exceed: what they took longer, they waited
 * for other threads. Returns 0 and *ret, where what could not be measured is 0; -errno: no thread
 * could be had for it, or none of them ran in time.
 */
int measure_costs(struct pvs_costs *ret);
