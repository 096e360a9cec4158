/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Writes guest pages that are not mapped. Such a write takes the lock of the file, which a hostile
 * QEMU can hold for long. So the booster only leaves the text here, and a separate thread writes
 * it. If that thread hangs, guests on such carriers get no news, and nothing waits for it.
 */

#include "guest/page.h"
#include "util/base.h"

struct page_writer;

/** For the slots below @n; the thread starts with the first page. NULL: no memory or descriptors.
 */
struct page_writer *page_writer_new(unsigned int n);

/** Ends the thread; one that hangs is left behind with what it uses. Takes NULL; returns NULL. */
struct page_writer *page_writer_free(struct page_writer *writer);

/**
 * Main thread: sets the page of a slot, whose descriptor is duplicated; GUEST_PAGE_NULL: none.
 * Returns 0, or -errno: then the slot has none.
 */
int page_writer_set(struct page_writer *writer, unsigned int slot, const struct guest_page *page);

/** What is to be written into a page. */
struct page_news {
	uint64_t generation; /* of the page: the slot may have another page by then */
	enum pvsched_status status;
	struct guest_snapshot snapshot;
};

/** Booster: leaves news, which replace those that are not written yet. Never waits. */
void page_writer_post(struct page_writer *writer, unsigned int slot, const struct page_news *news);
