/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Reads from the running kernel's BTF what libbpf does not relocate by itself. */

#include "util/base.h"

struct btf;

/**
 * Gets the offset of a CPU's preempt_count from its run queue. Both are per-CPU variables, and a
 * BPF program finds the run queue through the current task. This needs no kernel symbols.
 * Returns 0 and *ret; -ENOENT where the kernel keeps it elsewhere; -errno.
 */
int kernel_preempt_count_from_rq(int64_t *ret);

/** The same from the given BTF. Returns 0 and *ret, or -ENOENT. */
int kernel_btf_preempt_count_from_rq(const struct btf *btf, int64_t *ret);
