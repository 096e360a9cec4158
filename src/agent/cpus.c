// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/cpus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cpus.h"
#include "util/cleanup.h"
#include "util/cpulist.h"
#include "util/read_all.h"

/* Words of /proc/PID/pagemap. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_FRAME   ((UINT64_C(1) << 55) - 1)

const struct cpu_places CPU_PLACES = {
        .possible = "/sys/devices/system/cpu/possible",
        .online = "/sys/devices/system/cpu/online",
        .cpuinfo = "/proc/cpuinfo",
};

static int read_list(const char *path, struct cpu_set_bits *ret)
{
	int fd CLEANUP(cleanup_fd) = open(path, O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read_all(fd, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return cpulist_parse(text, ret);
}

int cpus_possible(const struct cpu_places *places)
{
	struct cpu_set_bits set;
	int n = 0, r = read_list(places->possible, &set);

	if (r < 0)
		return r;
	CPU_SET_BITS_FOREACH(cpu, &set)
	n = (int)cpu + 1;
	return n == 0 ? -ENODEV : MIN(n, PVSCHED_CHANNEL_CPUS_MAX);
}

int cpus_read(const struct cpu_places *places, struct guest_cpu *cpus, uint32_t n)
{
	struct pvsched_cpus *ids CLEANUP(cleanup_free) = malloc(sizeof(*ids));
	struct cpu_set_bits online;
	bool has_ids = false;
	int r = read_list(places->online, &online);

	if (!ids)
		return -ENOMEM;
	if (r < 0)
		return r;
	pvsched_cpus_init(ids);
	pvsched_cpus_read(ids, places->cpuinfo);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = pvsched_cpus_apic_id(ids, i);

		cpus[i].online = cpu_set_bits_has(&online, i);
		cpus[i].apic_id = id == CPUS_UNKNOWN ? PVSCHED_APIC_ID_NONE : id;
		has_ids |= cpus[i].apic_id != PVSCHED_APIC_ID_NONE;
	}
	/* one that went offline between the two looks: more news of it is on its way */
	for (uint32_t i = 0; has_ids && i < n; i++)
		cpus[i].online &= cpus[i].apic_id != PVSCHED_APIC_ID_NONE;
	return 0;
}

int cpus_addresses(const void *pages, struct guest_cpu *cpus, uint32_t n)
{
	int fd CLEANUP(cleanup_fd) = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (uint32_t i = 0; i < n; i++) {
		uintptr_t at = (uintptr_t)pages + (uintptr_t)i * PVSCHED_PAGE_SIZE;
		uint64_t word;
		ssize_t size = pread(fd, &word, sizeof(word),
		                     (off_t)(at / PVSCHED_PAGE_SIZE * sizeof(word)));

		if (size != (ssize_t)sizeof(word))
			return size < 0 ? -errno : -EIO;
		if (!(word & PAGEMAP_PRESENT))
			return -EIO;
		if (!(word & PAGEMAP_FRAME))
			return -EPERM;
		cpus[i].address = (word & PAGEMAP_FRAME) * PVSCHED_PAGE_SIZE;
	}
	return 0;
}
