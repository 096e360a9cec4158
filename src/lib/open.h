/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * An opened host: the maps that may be its region, and what is remembered of each CPU.
 */

#include "lib/cpus.h"
#include "lib/map.h"
#include "pvsched/pvsched.h"

#define PVSCHED_MAPS_MAX 8

/** Where the machine is looked at; tests have others. */
struct pvsched_places {
	const char *devices; /* "/sys/bus/pci/devices" */
	const char *cpuinfo; /* "/proc/cpuinfo" */
};

struct pvsched {
	struct pvsched_map maps[PVSCHED_MAPS_MAX];
	uint32_t n_maps;
	uint32_t current; /* atomic: the map that was the host's when last looked */
	const char *cpuinfo;
	/*
	 * Atomics: the page of each CPU with the generation for which it was found and hello was
	 * said, in one word, so that the two never come apart. 0: look for it.
	 */
	uint64_t pages[CPUS_MAX];
	struct pvsched_cpus cpus;
};

/** The page of a CPU, found and greeted. */
struct pvsched_place {
	struct pvsched_map *map;
	struct pvsched_page *page;
	uint64_t generation;
	uint32_t number; /* of the page, from 1 */
};

/** pvsched_open() with the machine's places given, which must outlive *ret. */
int pvsched_open_places(const struct pvsched_places *places, const char *path,
                        struct pvsched **ret);

/**
 * The page of the CPU @cpu. Costs one load of the shared memory unless the generation changed or
 * the CPU is new. Returns 0, PVSCHED_NO_HOST, PVSCHED_NO_PAGE.
 */
int pvsched_place_find(struct pvsched *host, uint32_t cpu, struct pvsched_place *ret);

/**
 * The page @number again, which was found for @generation: one load. Returns 0, PVSCHED_NO_HOST, or
 * PVSCHED_NOT_OURS: the host is another one now.
 */
int pvsched_place_again(struct pvsched *host, uint64_t generation, uint32_t number,
                        struct pvsched_place *ret);

/** The map and the generation of the host that is there now; 0: none. */
uint64_t pvsched_current(struct pvsched *host, struct pvsched_map **map, uint32_t *n_pages);
