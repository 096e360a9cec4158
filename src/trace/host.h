/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Whether the tracer would see on this host what it believes to see. */

#include "util/base.h"

/**
 * In a PID namespace (a container) of our own a TID of ours is another thread's for the tracer,
 * which sees the host's: strangers would be charged. And there are accounts for the CPUs below
 * PVS_CPUS_MAX only. What cannot be read is taken for the worse.
 * @root  is put before the paths: "" for this host
 * Returns 0; -EOPNOTSUPP: it must not be loaded, and @why says why, for people.
 */
int tracer_check_host(const char *root, char *why, size_t why_size);
