/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Writes guest pages that are not mapped. Such a write takes the file's lock, which a QEMU that
 * wants to can hold for long: so the booster only leaves word of it here, and a thread of its own
 * does it. If that thread hangs, guests on such carriers are told nothing new, and nobody waits.
 */

#include "guest/page.h"
#include "util/base.h"

struct page_writer;

/** For the slots below @n; without a thread as yet. NULL when memory or descriptors are out. */
struct page_writer *page_writer_new(unsigned int n);

/** Ends the thread; one that hangs is left behind with what it uses. Takes NULL; returns NULL. */
struct page_writer *page_writer_free(struct page_writer *writer);

/**
 * Main thread: the page of a slot from now on, with a descriptor of the writer's own; or none
 * (GUEST_PAGE_NULL). Returns 0, or -errno: then it has none.
 */
int page_writer_set(struct page_writer *writer, unsigned int slot, const struct guest_page *page);

/** What the guest shall find in the page. */
struct page_news {
	uint64_t generation; /* of the page it is meant for: a slot may have another one by then */
	enum pvsched_status status;
	struct guest_snapshot snapshot;
};

/** Booster: leaves word; only the latest counts. Never waits. */
void page_writer_post(struct page_writer *writer, unsigned int slot, const struct page_news *news);
