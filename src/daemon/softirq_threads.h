/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The kernel's ksoftirqd threads: the tracer watches whether one waits behind a boosted vCPU. That
 * matters where softirqs, and so the timers that end boosts, do not run on a CPU whose ksoftirqd is
 * runnable. Linux 6.5 ended that (d15121be7485, "Revert "softirq: Let ksoftirqd do its job"").
 */

#include "trace/tracer.h"

/**
 * By `uname -r`. True also if it cannot be read, and of an earlier kernel that has the commit: the
 * threads are watched in vain then.
 */
bool softirq_threads_matter(const char *release);

/**
 * Tells the tracer which they are, where that matters. Returns 0, or -errno: it was not told of
 * all.
 */
int softirq_threads_find(struct tracer *tracer);
