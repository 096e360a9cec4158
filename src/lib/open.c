/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#include "lib/open.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pvsched/agent.h"

#define IVSHMEM_VENDOR 0x1af4
#define IVSHMEM_DEVICE 0x1110

/* Reads a number in sysfs format, "0x1af4\n". Returns 0 on failure. */
static unsigned long device_number(const char *directory, const char *device, const char *name)
{
	char path[512], text[32];
	ssize_t n;
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s/%s", directory, device, name) >=
	    sizeof(path))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	return strtoul(text, NULL, 16);
}

/* Adds the memory of one device. If it is a region, it replaces all others. Returns 1 then. */
static int add_device(struct pvsched *host, const char *directory, const char *device)
{
	struct pvsched_map map;
	char path[512];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s/resource2", directory, device) >=
	    sizeof(path))
		return 0;
	r = pvsched_map_open(&map, path);
	if (r == -EINVAL || r == -ENOENT) /* another use of ivshmem, or unplugged meanwhile */
		return 0;
	if (r < 0)
		return r;
	if (pvsched_map_is_region(&map)) {
		for (uint32_t i = 0; i < host->n_maps; i++)
			pvsched_map_close(&host->maps[i]);
		host->n_maps = 0;
	} else if (host->n_maps == PVSCHED_MAPS_MAX) {
		pvsched_map_close(&map);
		return 0;
	}
	host->maps[host->n_maps++] = map;
	return pvsched_map_is_region(&map);
}

/* Returns 0, or -errno if there is no map and a device failed to open. */
static int add_devices(struct pvsched *host, const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	int error = 0, r = 0;

	if (!dir)
		return 0;
	while (r != 1 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    device_number(directory, entry->d_name, "vendor") != IVSHMEM_VENDOR ||
		    device_number(directory, entry->d_name, "device") != IVSHMEM_DEVICE)
			continue;
		r = add_device(host, directory, entry->d_name);
		if (r < 0)
			error = r;
	}
	closedir(dir);
	return host->n_maps ? 0 : error;
}

static int add_agent(struct pvsched *host, const char *path)
{
	int r;

	if (host->n_maps == PVSCHED_MAPS_MAX)
		return -ENOSPC;
	r = pvsched_agent_open(&host->agent, &host->maps[host->n_maps], path);
	host->n_maps += r == 0;
	return r;
}

/* A region file, or the socket of an agent. */
static int add_path(struct pvsched *host, const char *path)
{
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		return add_agent(host, path);
	r = pvsched_map_open(&host->maps[0], path);
	host->n_maps = r == 0;
	return r;
}

/*
 * A device that holds a region is enough. Otherwise an agent is one more place where the host's
 * region may be, beside devices that may become one.
 */
static int add_places(struct pvsched *host, const struct pvsched_places *places)
{
	int r, devices = add_devices(host, places->devices);

	if (!places->agent || (host->n_maps && pvsched_map_is_region(&host->maps[0])))
		return devices;
	r = add_agent(host, places->agent);
	if (r == -ENOENT || r == -ECONNREFUSED || r == -ENOSPC || host->n_maps)
		return devices;
	return r;
}

int pvsched_open_places(const struct pvsched_places *places, const char *path, struct pvsched **ret)
{
	struct pvsched *host = calloc(1, sizeof(*host));
	struct pvsched_map *map;
	uint32_t n_pages;
	int r;

	*ret = NULL;
	if (!host)
		return -ENOMEM;
	host->cpuinfo = places->cpuinfo;
	if (!path)
		path = secure_getenv(PVSCHED_REGION_ENV);
	r = path ? add_path(host, path) : add_places(host, places);
	if (r < 0 || host->n_maps == 0) {
		free(host);
		return r < 0 ? r : PVSCHED_NO_DEVICE;
	}
	pvsched_cpus_init(&host->cpus);
	pvsched_cpus_read(&host->cpus, host->cpuinfo);
	*ret = host;
	return pvsched_current(host, &map, &n_pages) ? 0 : PVSCHED_NO_HOST;
}

int pvsched_open(const char *path, struct pvsched **ret)
{
	static const struct pvsched_places places = {
	        .devices = "/sys/bus/pci/devices",
	        .cpuinfo = "/proc/cpuinfo",
	        .agent = PVSCHED_AGENT_SOCKET,
	};

	return pvsched_open_places(&places, path, ret);
}

struct pvsched *pvsched_close(struct pvsched *host)
{
	if (!host)
		return NULL;
	pvsched_agent_close(&host->agent);
	for (uint32_t i = 0; i < host->n_maps; i++)
		pvsched_map_close(&host->maps[i]);
	free(host);
	return NULL;
}

uint64_t pvsched_current(struct pvsched *host, struct pvsched_map **map, uint32_t *n_pages)
{
	uint32_t first = __atomic_load_n(&host->current, __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < host->n_maps; i++) {
		uint32_t which = (first + i) % host->n_maps;
		uint64_t generation = pvsched_map_validate(&host->maps[which], n_pages);

		if (!generation)
			continue;
		__atomic_store_n(&host->current, which, __ATOMIC_RELAXED);
		*map = &host->maps[which];
		return generation;
	}
	*n_pages = 0;
	return 0;
}
