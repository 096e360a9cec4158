/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "model/topology.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/procfs_parse.h"

/** Limits per level and in total, above those of QEMU. They keep products within 64 bits. */
#define COUNT_MAX 4096
#define TOTAL_MAX 65536

/** The parts of -smp. QEMU's x86 machine types accept only 1 for clusters, books and drawers. */
enum smp_part {
	SMP_CPUS,
	SMP_MAXCPUS,
	SMP_SOCKETS,
	SMP_DIES,
	SMP_MODULES,
	SMP_CORES,
	SMP_THREADS,
	SMP_CLUSTERS,
	SMP_BOOKS,
	SMP_DRAWERS,
	_SMP_PART_MAX,
};

static const char *const smp_names[_SMP_PART_MAX] = {
        [SMP_CPUS] = "cpus",       [SMP_MAXCPUS] = "maxcpus",   [SMP_SOCKETS] = "sockets",
        [SMP_DIES] = "dies",       [SMP_MODULES] = "modules",   [SMP_CORES] = "cores",
        [SMP_THREADS] = "threads", [SMP_CLUSTERS] = "clusters", [SMP_BOOKS] = "books",
        [SMP_DRAWERS] = "drawers",
};

/** A count of 0 means "not given". */
struct smp {
	uint64_t count[_SMP_PART_MAX];
};

/** Finds a part by its name of @length bytes; _SMP_PART_MAX: there is none. */
static enum smp_part part_of_name(const char *name, size_t length)
{
	for (enum smp_part part = 0; part < _SMP_PART_MAX; part++)
		if (strlen(smp_names[part]) == length && memcmp(name, smp_names[part], length) == 0)
			return part;
	return _SMP_PART_MAX;
}

/** Merges one -smp option into @smp; a later value of a part overrides. False: invalid. */
static bool parse_smp(const char *text, struct smp *smp)
{
	for (bool first = true; *text; first = false) {
		size_t length = strcspn(text, ",=");
		enum smp_part part = SMP_CPUS;
		char *end;

		if (text[length] == '=') {
			part = part_of_name(text, length);
			text += length + 1;
		} else if (!first) {
			return false;
		}
		if (part == _SMP_PART_MAX)
			return false;
		errno = 0;
		smp->count[part] = strtoull(text, &end, 0); /* QEMU accepts hexadecimal, too */
		if (errno || end == text || *text == '-' || smp->count[part] > COUNT_MAX ||
		    (*end && *end != ','))
			return false;
		text = *end ? end + 1 : end;
	}
	return true;
}

/**
 * Computes missing counts like machine_parse_smp_config() of QEMU 6.2 and later, in
 * hw/core/machine-smp.c. Older machine types prefer sockets to cores; that does not matter, since
 * libvirt always gives sockets, cores and threads.
 */
static void complete_smp(struct smp *smp)
{
	uint64_t *n = smp->count;
	uint64_t maxcpus = n[SMP_MAXCPUS] ? n[SMP_MAXCPUS] : n[SMP_CPUS];
	uint64_t others;

	for (enum smp_part part = 0; part < _SMP_PART_MAX; part++)
		if (n[part] == 0 && part != SMP_CPUS && part != SMP_MAXCPUS &&
		    part != SMP_SOCKETS && part != SMP_CORES && part != SMP_THREADS)
			n[part] = 1;
	others = n[SMP_DIES] * n[SMP_MODULES];
	if (maxcpus == 0 || n[SMP_CORES] == 0)
		n[SMP_SOCKETS] = MAX(n[SMP_SOCKETS], 1U);
	if (maxcpus == 0 || n[SMP_CORES] == 0 || n[SMP_SOCKETS] == 0)
		n[SMP_THREADS] = MAX(n[SMP_THREADS], 1U);
	if (n[SMP_CORES] == 0)
		n[SMP_CORES] = maxcpus ? maxcpus / (n[SMP_SOCKETS] * others * n[SMP_THREADS]) : 1;
	else if (n[SMP_SOCKETS] == 0)
		n[SMP_SOCKETS] = maxcpus ? maxcpus / (others * n[SMP_CORES] * n[SMP_THREADS]) : 1;
	if (n[SMP_THREADS] == 0 && n[SMP_CORES] > 0)
		n[SMP_THREADS] = maxcpus / (n[SMP_SOCKETS] * others * n[SMP_CORES]);
	n[SMP_MAXCPUS] = maxcpus;
}

/** QEMU refuses to start with other values, so a command line with them was misread. */
static bool is_sensible(const struct smp *smp)
{
	const uint64_t *n = smp->count;
	uint64_t total =
	        n[SMP_SOCKETS] * n[SMP_DIES] * n[SMP_MODULES] * n[SMP_CORES] * n[SMP_THREADS];

	return total > 0 && total <= TOTAL_MAX && n[SMP_CLUSTERS] == 1 && n[SMP_BOOKS] == 1 &&
	       n[SMP_DRAWERS] == 1 && (n[SMP_MAXCPUS] == 0 || n[SMP_MAXCPUS] == total) &&
	       n[SMP_CPUS] <= total;
}

static bool is_power_of_two(uint64_t value)
{
	return value && (value & (value - 1)) == 0;
}

struct topology topology_of_cmdline(const char *cmdline, size_t size)
{
	const char *at = cmdline, *end = cmdline + size, *argument;
	struct smp smp = {.count = {0}};
	const uint64_t *n = smp.count;

	while ((argument = procfs_next_argument(&at, end))) {
		if (strcmp(argument, "-smp") != 0 && strcmp(argument, "--smp") != 0)
			continue;
		argument = procfs_next_argument(&at, end);
		if (!argument || !parse_smp(argument, &smp))
			return TOPOLOGY_FLAT;
	}
	complete_smp(&smp);
	/*
	 * Modules, between dies and cores, take bits of their own. They can be counted as cores
	 * only if the cores of a module fill their bits.
	 */
	if (!is_sensible(&smp) || (n[SMP_MODULES] > 1 && !is_power_of_two(n[SMP_CORES])))
		return TOPOLOGY_FLAT;
	return (struct topology){.dies = (uint32_t)n[SMP_DIES],
	                         .cores = (uint32_t)(n[SMP_MODULES] * n[SMP_CORES]),
	                         .threads = (uint32_t)n[SMP_THREADS]};
}

bool topology_equal(const struct topology *a, const struct topology *b)
{
	return a->dies == b->dies && a->cores == b->cores && a->threads == b->threads;
}

/** Number of bits that @count different ids need. */
static unsigned int width(uint32_t count)
{
	return count > 1 ? 32 - (unsigned int)__builtin_clz(count - 1) : 0;
}

uint32_t topology_apic_id(const struct topology *topology, uint32_t vcpu)
{
	uint32_t thread = vcpu % topology->threads;
	uint32_t core = vcpu / topology->threads % topology->cores;
	uint32_t die = vcpu / topology->threads / topology->cores % topology->dies;
	uint32_t socket = vcpu / topology->threads / topology->cores / topology->dies;
	unsigned int shift = width(topology->threads);
	uint32_t id = thread | core << shift;

	shift += width(topology->cores);
	id |= die << shift;
	shift += width(topology->dies);
	return id | socket << shift;
}
