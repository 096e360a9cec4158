/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the running kernel's BTF says beyond what libbpf relocates by itself. */

#include "util/base.h"

struct btf;

/**
 * How far a CPU's preempt_count is behind its run queue: both are variables per CPU, and a program
 * finds the run queue by the current task. Works without the kernel's symbols.
 * Returns 0 and *ret; -ENOENT where the kernel keeps it elsewhere; -errno.
 */
int kernel_preempt_count_from_rq(int64_t *ret);

/** The same by any kernel's BTF; without the last outcome. */
int kernel_btf_preempt_count_from_rq(const struct btf *btf, int64_t *ret);
