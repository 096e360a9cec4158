/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The kernel's ksoftirqd threads: the tracer watches whether one waits behind a boosted vCPU. */

#include "trace/tracer.h"

/** Tells the tracer which they are. Returns 0, or -errno: it was not told of all. */
int softirq_threads_find(struct tracer *tracer);
