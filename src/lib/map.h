/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * One mapped piece of memory: a region of guest pages, or memory that may become one, or memory
 * with another purpose. Its header is checked against the size of the mapping before it is used,
 * and it is never written.
 */

#include <stdint.h>

#include "pvsched/page.h"

struct pvsched_map {
	struct pvsched_region *header;
	uint64_t size;
};

/**
 * Maps a file that has the size of a region. Returns 0; -EINVAL: not a regular file, or its size is
 * not that of a region; -errno.
 */
int pvsched_map_open(struct pvsched_map *map, const char *path);

/** The same of an open file, which stays the caller's. */
int pvsched_map_fd(struct pvsched_map *map, int fd);

void pvsched_map_close(struct pvsched_map *map);

/** The generation in the header: one load with acquire order. */
uint64_t pvsched_map_generation(const struct pvsched_map *map);

/** True if the header has a region's magic, whether or not a host serves it. */
int pvsched_map_is_region(const struct pvsched_map *map);

/**
 * Validates the header. Returns the generation, to which *n_pages belongs; 0: no host, or an
 * invalid header.
 */
uint64_t pvsched_map_validate(const struct pvsched_map *map, uint32_t *n_pages);

/**
 * The page of the CPU with this index and APIC id, among the first @n_pages. Returns its number
 * from 1, or 0.
 */
uint32_t pvsched_map_find(const struct pvsched_map *map, uint32_t n_pages, uint32_t cpu,
                          uint32_t apic_id);

/** The page with this number, which pvsched_map_find() must have returned for this map. */
struct pvsched_page *pvsched_map_page(const struct pvsched_map *map, uint32_t page);

/**
 * Says hello on a page, unless the same hello is there already. Clears the request and the
 * agent_generation that an earlier generation left, so the host finds nothing stale with a hello.
 */
void pvsched_page_hello(struct pvsched_page *page, uint64_t generation, uint32_t cpu,
                        uint32_t apic_id);
