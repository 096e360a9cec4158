/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The region of one program: a memfd of the layout of an ivshmem region. It is sealed, so that the
 * program cannot take memory away that the agent has mapped.
 */

#include "agent/cpus.h"

struct client_region {
	int fd;
	struct pvsched_region *memory; /* NULL: none */
	uint64_t size;
	uint32_t n_cpus;
};

#define CLIENT_REGION_NULL ((struct client_region){.fd = -1})

/** Makes one with a page for each CPU; no host serves it yet. Returns 0, or -errno. */
int client_region_init(struct client_region *region, uint32_t n_cpus);
void client_region_finish(struct client_region *region);

/** Writes which page belongs to which CPU. */
void client_region_cpus(struct client_region *region, const struct guest_cpu *cpus);

/** From now on it is served as @generation; 0: it is not. */
void client_region_serve(struct client_region *region, uint64_t generation);

struct pvsched_page *client_region_page(const struct client_region *region, uint32_t cpu);
