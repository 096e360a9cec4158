/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The APIC ids of this machine's CPUs, as /proc/cpuinfo tells them.
 */

#include <stddef.h>
#include <stdint.h>

#define CPUS_MAX 4096

/** No CPU of that number was seen. */
#define CPUS_UNKNOWN 0xfffffffeU

struct pvsched_cpus {
	uint32_t apic_id[CPUS_MAX]; /* atomics; PVSCHED_APIC_ID_NONE: a machine without */
};

/** Reads lines out of pieces of /proc/cpuinfo. Starts zeroed, but for @processor. */
struct pvsched_cpu_lines {
	char line[96]; /* the beginning of the line; what is longer is of no interest */
	size_t size;
	long processor; /* the last number seen, or -1 */
};

#define PVSCHED_CPU_LINES_INIT                                                                     \
	{                                                                                          \
		.processor = -1                                                                    \
	}

/** Nothing is known. */
void pvsched_cpus_init(struct pvsched_cpus *cpus);

/** Takes the next @size bytes in. */
void pvsched_cpus_feed(struct pvsched_cpus *cpus, struct pvsched_cpu_lines *lines, const char *text,
                       size_t size);

/** Reads the file; what cannot be read stays unknown. Allocates nothing; any thread may call it. */
void pvsched_cpus_read(struct pvsched_cpus *cpus, const char *path);

/** The APIC id of a CPU, PVSCHED_APIC_ID_NONE, or CPUS_UNKNOWN. */
uint32_t pvsched_cpus_apic_id(const struct pvsched_cpus *cpus, uint32_t cpu);
