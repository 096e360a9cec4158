/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * One mapped piece of memory that is a region of guest pages, or may become one, or is somebody
 * else's. Nothing in it is believed before it was compared with the size of the mapping, and
 * nothing is ever written to its header.
 */

#include <stdint.h>

#include "pvsched/page.h"

struct pvsched_map {
	struct pvsched_region *header;
	uint64_t size;
};

/**
 * Maps a file of the size of a region. Returns 0; -EINVAL: not a regular file, or not of such a
 * size; -errno.
 */
int pvsched_map_open(struct pvsched_map *map, const char *path);

void pvsched_map_close(struct pvsched_map *map);

/** The generation as it stands there, with acquire: one load. */
uint64_t pvsched_map_generation(const struct pvsched_map *map);

/** It is a region by its magic, whether or not a host is there. */
int pvsched_map_is_region(const struct pvsched_map *map);

/**
 * Validates the header. Returns the generation, which then holds for @n_pages too; 0: no host, or
 * one whose header makes no sense.
 */
uint64_t pvsched_map_validate(const struct pvsched_map *map, uint32_t *n_pages);

/**
 * The page of the CPU with this index and APIC id, among the first @n_pages. Returns its number
 * from 1, or 0.
 */
uint32_t pvsched_map_find(const struct pvsched_map *map, uint32_t n_pages, uint32_t cpu,
                          uint32_t apic_id);

/** The page with that number, which must be one that pvsched_map_find() gave for this map. */
struct pvsched_page *pvsched_map_page(const struct pvsched_map *map, uint32_t page);

/**
 * Says hello on a page, unless that very hello stands there already. Takes back the request and the
 * agent's sign that an earlier generation left, so that what the host finds behind a hello is new.
 */
void pvsched_page_hello(struct pvsched_page *page, uint64_t generation, uint32_t cpu,
                        uint32_t apic_id);
