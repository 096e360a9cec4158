/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The APIC ids of this machine's CPUs, read from /proc/cpuinfo.
 */

#include <stddef.h>
#include <stdint.h>

#define CPUS_MAX 4096

/** No CPU with this index was seen. */
#define CPUS_UNKNOWN 0xfffffffeU

struct pvsched_cpus {
	uint32_t apic_id[CPUS_MAX]; /* atomics; PVSCHED_APIC_ID_NONE: the CPU has none */
};

/** State of a reader that takes /proc/cpuinfo in pieces. Starts as PVSCHED_CPU_LINES_INIT. */
struct pvsched_cpu_lines {
	char line[96]; /* start of the line; the rest of a longer line is dropped */
	size_t size;
	long processor; /* index of the CPU that the lines describe, or -1 */
};

#define PVSCHED_CPU_LINES_INIT                                                                     \
	{                                                                                          \
		.processor = -1                                                                    \
	}

/** Makes all CPUs unknown. */
void pvsched_cpus_init(struct pvsched_cpus *cpus);

/** Processes the next @size bytes of the file. */
void pvsched_cpus_feed(struct pvsched_cpus *cpus, struct pvsched_cpu_lines *lines, const char *text,
                       size_t size);

/** Reads the file. CPUs that it cannot read stay unknown. Allocates nothing; thread-safe. */
void pvsched_cpus_read(struct pvsched_cpus *cpus, const char *path);

/** The APIC id of a CPU, PVSCHED_APIC_ID_NONE, or CPUS_UNKNOWN. */
uint32_t pvsched_cpus_apic_id(const struct pvsched_cpus *cpus, uint32_t cpu);
