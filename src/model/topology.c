/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "model/topology.h"

#include <errno.h>
#include <stdio.h>
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

/** How a machine type prefers to fill missing counts. */
enum smp_preference {
	SMP_PREFER_CORES,   /* since 6.2 */
	SMP_PREFER_SOCKETS, /* up to 6.1 */
	SMP_PREFER_UNKNOWN, /* a distribution's machine type */
};

/** What a command line says. A count of 0 means "not given". */
struct smp {
	uint64_t count[_SMP_PART_MAX];
	enum smp_preference preference;
	bool misread;   /* an option is none that QEMU accepts */
	bool elsewhere; /* a file may have more */
};

/** Finds a part by its name of @length bytes; _SMP_PART_MAX: there is none. */
static enum smp_part part_of_name(const char *name, size_t length)
{
	for (enum smp_part part = 0; part < _SMP_PART_MAX; part++)
		if (strlen(smp_names[part]) == length && memcmp(name, smp_names[part], length) == 0)
			return part;
	return _SMP_PART_MAX;
}

/** Takes the value of a part, up to a comma or the end; the last one counts. */
static void take_count(struct smp *smp, enum smp_part part, const char *text)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0); /* QEMU accepts hexadecimal, too */
	if (end == text || *text == '-' || (*end && *end != ',')) {
		smp->misread = true;
		return;
	}
	if (errno || value > COUNT_MAX) {
		value = COUNT_MAX; /* for topology_max_vcpus(): as many as it likes */
		smp->misread = true;
	}
	smp->count[part] = value;
}

/**
 * Merges the pairs of one option.
 * @prefix   of the keys that matter, as "smp."; others are passed over if it is not ""
 * @implied  a first pair may have no key
 */
static void parse_pairs(struct smp *smp, const char *text, const char *prefix, bool implied)
{
	for (bool first = true; *text; first = false) {
		size_t length = strcspn(text, ",="), skip = strlen(prefix);
		bool named = text[length] == '=';
		bool ours = named && length > skip && memcmp(text, prefix, skip) == 0;
		enum smp_part part = _SMP_PART_MAX;
		const char *value = named ? text + length + 1 : text;

		if (ours)
			part = part_of_name(text + skip, length - skip);
		else if (!named && first && implied)
			part = SMP_CPUS;
		if (part != _SMP_PART_MAX)
			take_count(smp, part, value);
		else if (ours || !*prefix)
			smp->misread = true;
		text = value + strcspn(value, ",");
		if (*text)
			text++;
	}
}

const char *topology_machine_type(const char *text, size_t *ret_length)
{
	const char *type = strncmp(text, "type=", 5) == 0 ? text + 5 : NULL;

	if (!type && !memchr(text, '=', strcspn(text, ",")))
		type = text;
	if (!type) {
		type = strstr(text, ",type=");
		type = type ? type + strlen(",type=") : NULL;
	}
	*ret_length = type ? strcspn(type, ",") : 0;
	return *ret_length ? type : NULL;
}

/** The version in a machine type, as in "pc-q35-6.1" or "pc-i440fx-2.11". */
static enum smp_preference preference_of(const char *type, size_t length)
{
	const char *dash = memrchr(type, '-', length);
	unsigned int major, minor;
	char version[16];
	int n = 0;

	if (!dash) /* "pc", "q35", "microvm": of the QEMU that runs, which is taken for a newer one
	            */
		return SMP_PREFER_CORES;
	snprintf(version, sizeof(version), "%.*s", (int)(length - (size_t)(dash + 1 - type)),
	         dash + 1);
	if (sscanf(version, "%u.%u%n", &major, &minor, &n) != 2 || version[n])
		return SMP_PREFER_UNKNOWN;
	return major > 6 || (major == 6 && minor >= 2) ? SMP_PREFER_CORES : SMP_PREFER_SOCKETS;
}

/** "q35,smp.cpus=2" or "accel=kvm,type=q35". */
static void parse_machine(struct smp *smp, const char *text)
{
	size_t length;
	const char *type = topology_machine_type(text, &length);

	if (type)
		smp->preference = preference_of(type, length);
	parse_pairs(smp, text, "smp.", false);
}

static void parse_cmdline(const char *cmdline, size_t size, struct smp *ret)
{
	const char *at = cmdline, *end = cmdline + size, *option, *value;

	*ret = (struct smp){.preference = SMP_PREFER_CORES};
	while ((option = procfs_next_argument(&at, end))) {
		bool smp = procfs_is_option(option, "smp");

		if (!smp && !procfs_is_option(option, "machine") &&
		    !procfs_is_option(option, "M") && !procfs_is_option(option, "readconfig"))
			continue;
		value = procfs_next_argument(&at, end);
		if (!value)
			ret->misread = true;
		else if (smp)
			parse_pairs(ret, value, "", true);
		else if (procfs_is_option(option, "readconfig"))
			ret->elsewhere = true;
		else
			parse_machine(ret, value);
	}
}

static void fill_cores(uint64_t *n, uint64_t maxcpus, uint64_t others)
{
	if (n[SMP_CORES] == 0) {
		n[SMP_SOCKETS] = MAX(n[SMP_SOCKETS], 1U);
		n[SMP_THREADS] = MAX(n[SMP_THREADS], 1U);
		n[SMP_CORES] = maxcpus / (n[SMP_SOCKETS] * others * n[SMP_THREADS]);
	} else if (n[SMP_SOCKETS] == 0) {
		n[SMP_THREADS] = MAX(n[SMP_THREADS], 1U);
		n[SMP_SOCKETS] = maxcpus / (others * n[SMP_CORES] * n[SMP_THREADS]);
	}
}

static void fill_sockets(uint64_t *n, uint64_t maxcpus, uint64_t others)
{
	if (n[SMP_SOCKETS] == 0) {
		n[SMP_CORES] = MAX(n[SMP_CORES], 1U);
		n[SMP_THREADS] = MAX(n[SMP_THREADS], 1U);
		n[SMP_SOCKETS] = maxcpus / (others * n[SMP_CORES] * n[SMP_THREADS]);
	} else if (n[SMP_CORES] == 0) {
		n[SMP_THREADS] = MAX(n[SMP_THREADS], 1U);
		n[SMP_CORES] = maxcpus / (n[SMP_SOCKETS] * others * n[SMP_THREADS]);
	}
}

/** Computes missing counts like machine_parse_smp_config() of QEMU, in hw/core/machine-smp.c. */
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
	if (maxcpus == 0) {
		n[SMP_SOCKETS] = MAX(n[SMP_SOCKETS], 1U);
		n[SMP_CORES] = MAX(n[SMP_CORES], 1U);
		n[SMP_THREADS] = MAX(n[SMP_THREADS], 1U);
	} else if (smp->preference == SMP_PREFER_SOCKETS) {
		fill_sockets(n, maxcpus, others);
	} else {
		fill_cores(n, maxcpus, others);
	}
	if (n[SMP_THREADS] == 0 && n[SMP_CORES] > 0 && n[SMP_SOCKETS] > 0)
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

static struct topology topology_of_smp(struct smp smp)
{
	const uint64_t *n = smp.count;

	complete_smp(&smp);
	/*
	 * Modules, between dies and cores, take bits of their own. They can be counted as cores
	 * only if the cores of a module fill their bits.
	 */
	if (!is_sensible(&smp) || n[SMP_MODULES] * n[SMP_CORES] > COUNT_MAX ||
	    (n[SMP_MODULES] > 1 && !is_power_of_two(n[SMP_CORES])))
		return TOPOLOGY_FLAT;
	return (struct topology){.dies = (uint32_t)n[SMP_DIES],
	                         .cores = (uint32_t)(n[SMP_MODULES] * n[SMP_CORES]),
	                         .threads = (uint32_t)n[SMP_THREADS]};
}

struct topology topology_of_cmdline(const char *cmdline, size_t size)
{
	struct topology cores, sockets;
	struct smp smp;

	parse_cmdline(cmdline, size, &smp);
	if (smp.misread || smp.elsewhere)
		return TOPOLOGY_FLAT;
	if (smp.preference != SMP_PREFER_UNKNOWN)
		return topology_of_smp(smp);
	cores = topology_of_smp(smp);
	smp.preference = SMP_PREFER_SOCKETS;
	sockets = topology_of_smp(smp);
	return topology_equal(&cores, &sockets) ? cores : TOPOLOGY_FLAT;
}

uint32_t topology_max_vcpus(const char *cmdline, size_t size, uint32_t max)
{
	uint64_t product = 1;
	struct smp smp;

	parse_cmdline(cmdline, size, &smp);
	if (smp.elsewhere)
		return max;
	for (enum smp_part part = SMP_SOCKETS; part < _SMP_PART_MAX; part++)
		product = MIN(product * MAX(smp.count[part], 1U), (uint64_t)max);
	product = MAX(product, MAX(smp.count[SMP_CPUS], smp.count[SMP_MAXCPUS]));
	return (uint32_t)MIN(product, (uint64_t)max);
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
