/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * An opened host: the maps that may be its region, and a cache of each CPU's page.
 */

#include "lib/agent.h"
#include "lib/cpus.h"
#include "lib/map.h"
#include "pvsched/pvsched.h"

#define PVSCHED_MAPS_MAX 8

/** Where to look for devices and CPUs; tests pass other paths. */
struct pvsched_places {
	const char *devices; /* "/sys/bus/pci/devices" */
	const char *cpuinfo; /* "/proc/cpuinfo" */
	const char *agent;   /* PVSCHED_AGENT_SOCKET; NULL: none is looked for */
};

/** The last snapshot of a CPU that was seen, and since when it is known on the CPU; atomics. */
struct pvsched_heard {
	uint64_t published_ns; /* host's time */
	uint64_t since_ns;     /* ours; 0: not seen on that CPU */
};

struct pvsched {
	struct pvsched_map maps[PVSCHED_MAPS_MAX];
	uint32_t n_maps;
	uint32_t current; /* atomic: the map that held the host's region at the last look */
	const char *cpuinfo;
	/*
	 * Atomics: the number of each CPU's page, together with the generation for which it was
	 * found and hello was said. One word holds both, so they always match. 0: not known.
	 */
	uint64_t pages[CPUS_MAX];
	struct pvsched_cpus cpus;
	struct pvsched_heard heard[CPUS_MAX];
	struct pvsched_agent agent; /* where it gave one of @maps */
};

/** The page of a CPU, after hello. */
struct pvsched_place {
	struct pvsched_map *map;
	struct pvsched_page *page;
	uint64_t generation;
	uint32_t number; /* of the page, from 1 */
};

/** Like pvsched_open(), with other paths. @places' strings must outlive *ret. */
int pvsched_open_places(const struct pvsched_places *places, const char *path,
                        struct pvsched **ret);

/**
 * Finds the page of the CPU @cpu. Costs one load of the shared memory, unless the generation has
 * changed or the CPU is new. Returns 0, PVSCHED_NO_HOST, PVSCHED_NO_PAGE.
 */
int pvsched_place_find(struct pvsched *host, uint32_t cpu, struct pvsched_place *ret);

/**
 * Finds the page @number again, which was found for @generation before: one load. Returns 0,
 * PVSCHED_NO_HOST, or PVSCHED_NOT_OURS: the generation has changed.
 */
int pvsched_place_again(struct pvsched *host, uint64_t generation, uint32_t number,
                        struct pvsched_place *ret);

/** Sets the map of the present host and returns its generation; 0: there is no host. */
uint64_t pvsched_current(struct pvsched *host, struct pvsched_map **map, uint32_t *n_pages);
