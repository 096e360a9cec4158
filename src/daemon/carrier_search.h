/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Looking for a domain's carrier, beginning and ending its region, beside the main thread: a QEMU
 * that holds its own memory map, or the lock of the file, can block any thread that reads the map
 * in /proc or writes to the file. Each job has a thread of its own; one that hangs costs that
 * domain its guest pages and nothing else.
 */

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "guest/region.h"
#include "model/domain.h"
#include "util/base.h"

struct carrier_search;

/** Jobs that may be under way; more wait for their turn. */
#define CARRIER_SEARCHES_MAX 4

/** An object, by what no two have in common. All zero: none. */
struct carrier_object {
	dev_t device;
	ino_t inode;
};

/** What was found in one QEMU; the carrier is the receiver's. */
struct carrier_found {
	struct thread_id qemu;
	uint32_t n_pages;
	struct carrier_object known; /* as it was asked for */
	bool same;                   /* it is @known still: nothing was begun */
	int result;                  /* of carrier_find(), or of guest_region_begin() */
	struct carrier *carrier;     /* NULL unless result is 0 */
	struct topology topology;
	uint64_t generation; /* of the region, begun anew */
};

typedef void carrier_found_fn(void *userdata, const struct carrier_found *found);

/** Results are given to @fn by the loop @event. Returns 0 and *ret, or -errno. */
int carrier_search_new(struct carrier_search **ret, sd_event *event, carrier_found_fn *fn,
                       void *userdata);

/**
 * Begins to look for the carrier of @qemu with room for @n_pages, and to begin its region; not if
 * it is @known (NULL: any is new). One QEMU has one job at a time: what waits is done once.
 * Returns 0, or -errno.
 */
int carrier_search_begin(struct carrier_search *search, const struct thread_id *qemu,
                         uint32_t n_pages, const struct carrier_object *known);

/**
 * Ends the region that was begun as @generation in a carrier of @qemu, unless it has been begun
 * anew, and lets go of it; takes the carrier over, NULL too.
 */
void carrier_search_end(struct carrier_search *search, const struct thread_id *qemu,
                        struct carrier *carrier, uint32_t n_pages, uint64_t generation);

/** Waits for jobs for CARRIER_SEARCH_END_MS at most, so that guests learn that no host is here. */
#define CARRIER_SEARCH_END_MS 200

/** Threads that still search are left behind, with what they use. Takes NULL; returns NULL. */
struct carrier_search *carrier_search_free(struct carrier_search *search);
