/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The CPUs of this guest, and where its pages are in its physical memory.
 */

#include "pvsched/channel.h"
#include "util/base.h"

/** Where to read; tests pass other paths. */
struct cpu_places {
	const char *possible; /* "/sys/devices/system/cpu/possible" */
	const char *online;   /* "/sys/devices/system/cpu/online" */
	const char *cpuinfo;  /* "/proc/cpuinfo" */
};

extern const struct cpu_places CPU_PLACES;

/** Of each possible CPU, by index. */
struct guest_cpu {
	bool online;
	uint32_t apic_id; /* PVSCHED_APIC_ID_NONE: it has none, or was never online */
	uint64_t address; /* guest-physical, of its page */
};

/**
 * The highest index of a possible CPU, plus one; pages are made for so many, at most
 * PVSCHED_CHANNEL_CPUS_MAX. Returns it; -errno.
 */
int cpus_possible(const struct cpu_places *places);

/**
 * Reads which CPUs are online, and their APIC ids, into the first @n of @cpus; addresses stay.
 * Returns 0 or -errno.
 */
int cpus_read(const struct cpu_places *places, struct guest_cpu *cpus, uint32_t n);

/**
 * Finds the guest-physical address of each of @n pages of the kernel's from @pages on. The kernel
 * never moves them. Returns 0; -EPERM: without CAP_SYS_ADMIN the kernel does not tell; -EIO: one is
 * not in memory; -errno.
 */
int cpus_addresses(const void *pages, struct guest_cpu *cpus, uint32_t n);
