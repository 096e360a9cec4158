/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Sets of CPUs, and the kernel's list format for them ("0,2-3", as in Cpus_allowed_list and in
 * /sys/devices/system/cpu/online). Pure; bounded at CPU_SET_BITS_MAX CPUs.
 */

#include "util/base.h"

#define CPU_SET_BITS_MAX   4096
#define CPU_SET_BITS_WORDS (CPU_SET_BITS_MAX / 64)

struct cpu_set_bits {
	uint64_t words[CPU_SET_BITS_WORDS]; /* CPU n is bit n % 64 of word n / 64 */
};

#define CPU_SET_BITS_NULL ((struct cpu_set_bits){{0}})

/**
 * Parses a list: CPU numbers and ranges A-B (A <= B), separated by commas, in any order; overlaps
 * are fine. Blanks around the whole list and a newline behind it are skipped, so that files of the
 * kernel can be passed as read. An empty list is the empty set. Returns 0 and *ret; -EINVAL when it
 * is not a list; -ERANGE when it names a CPU of CPU_SET_BITS_MAX or above. *ret is changed on
 * success only.
 */
int cpulist_parse(const char *text, struct cpu_set_bits *ret);

/** Writes the set as a list. Returns its length as snprintf() does: cut when >= @size. */
size_t cpulist_format(const struct cpu_set_bits *set, char *buffer, size_t size);

/** Adds a CPU; one beyond CPU_SET_BITS_MAX is not added. */
void cpu_set_bits_add(struct cpu_set_bits *set, unsigned int cpu);

bool cpu_set_bits_has(const struct cpu_set_bits *set, unsigned int cpu);

/** Returns the lowest CPU of the set from @from on; CPU_SET_BITS_MAX if there is none. */
unsigned int cpu_set_bits_next(const struct cpu_set_bits *set, unsigned int from);

#define CPU_SET_BITS_FOREACH(cpu, set)                                                             \
	for (unsigned int cpu = cpu_set_bits_next(set, 0); cpu < CPU_SET_BITS_MAX;                 \
	     cpu = cpu_set_bits_next(set, cpu + 1))

unsigned int cpu_set_bits_count(const struct cpu_set_bits *set);

bool cpu_set_bits_empty(const struct cpu_set_bits *set);

bool cpu_set_bits_equal(const struct cpu_set_bits *a, const struct cpu_set_bits *b);

/** True if every CPU of @inner is in @outer; the empty set is in every set. */
bool cpu_set_bits_subset(const struct cpu_set_bits *inner, const struct cpu_set_bits *outer);
