/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Traces of waits: what ran while a vCPU waited (core/blocker.h). While there is none, the tracer
 * does nothing for them, and they have no entries in its maps.
 */

#include <sys/types.h>

#include "core/blocker.h"
#include "trace/tracer.h"
#include "util/base.h"

/**
 * Starts to trace the waits of a registered vCPU thread. With the first of them the tracer begins
 * to note each run on each CPU: 3 KiB a CPU, and 4 KiB a thread.
 * Returns 0, also if it is traced already; -EOPNOTSUPP: the kernel refused this part; -E2BIG:
 * PVS_TRACES_MAX are traced; -ENOMEM; -errno.
 */
int tracer_trace_waits(struct tracer *tracer, pid_t tid);

/** Ends that. Does nothing if it is not traced. */
void tracer_untrace_waits(struct tracer *tracer, pid_t tid);

/** Of how many threads they are traced now. */
unsigned int tracer_waits_traced(const struct tracer *tracer);

/**
 * The trace of a thread since it began. The tracer may change it meanwhile: sums may not agree by
 * one wait. Returns 0 and *ret; -ENOENT: it is not traced; -errno.
 */
int tracer_read_waits(const struct tracer *tracer, pid_t tid, struct pvs_wait_trace *ret);
