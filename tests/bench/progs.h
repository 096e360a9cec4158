/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * BPF programs by the kernel's own statistics. They count only while somebody holds them enabled.
 */

#include "util/base.h"

#define PROGS_MAX 64

struct prog {
	uint32_t id;
	char name[16];
	uint64_t run_ns, runs;
};

/** Enables the statistics while the returned descriptor is open. Returns -errno. */
int progs_enable_stats(void);

/** Programs with an id above @after. Returns how many were stored, at most PROGS_MAX. */
size_t progs_read(uint32_t after, struct prog *ret);

/** The highest id so far. */
uint32_t progs_last_id(void);
