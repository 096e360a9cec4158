/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Has the reader look for domains' carriers, and begin and end their regions; or prove the pages of
 * agents. One QEMU has one job
 * at a time. A job that does not end within CARRIER_SEARCH_LIMIT_NS costs that domain its guest
 * pages, and nothing else.
 */

#include <systemd/sd-event.h>

#include "daemon/reader_process.h"
#include "util/base.h"

struct carrier_search;

/** A little more than what the reader itself takes for stuck. */
#define CARRIER_SEARCH_LIMIT_NS (BOARD_STUCK_NS + 200 * NSEC_PER_MSEC)

/** Jobs that the reader has at a time; more wait for their turn. */
#define CARRIER_SEARCHES_MAX 64

/** What was found in one QEMU. */
struct carrier_found {
	struct thread_id qemu;
	uint32_t n_pages;
	struct carrier_object known;   /* as it was asked for */
	bool same;                     /* it is @known still: nothing was begun */
	int result;                    /* 0; an enum carrier_problem; -errno */
	struct reader_carrier carrier; /* if @result is 0 and not @same */
};

/** What it tells upwards. */
struct carrier_search_news {
	void (*found)(void *userdata, const struct carrier_found *found);
	/** A proof is over; @proof: if @result is 0. As enum reader_job's PROVE, or -ETIMEDOUT. */
	void (*proven)(void *userdata, const struct thread_id *qemu, uint64_t generation,
	               int result, const struct reader_proof *proof);
	/** A job that hung has ended: one that gave CARRIER_NOT_TRIED may be tried again. */
	void (*room)(void *userdata);
	/** The reader is gone, with all carriers; what was begun is forgotten. */
	void (*lost)(void *userdata);
	void *userdata;
};

/** Returns 0 and *ret, or -ENOMEM. */
int carrier_search_new(struct carrier_search **ret, sd_event *event, struct reader_process *reader,
                       enum reader_user user, const struct carrier_search_news *news);

/**
 * Begins to look for the carrier of @qemu with room for @n_pages, and to begin its region; not if
 * it is @known (NULL: any is new) and its region is still ours. @refused: @known is another
 * domain's, and not begun whatever its region says. What waits for its turn is done once.
 * Returns 0, or -ENOMEM.
 */
int carrier_search_begin(struct carrier_search *search, const struct thread_id *qemu,
                         uint32_t n_pages, const struct carrier_object *known, bool refused);

/**
 * Begins to look for the pages of a claim, whose request has qemu, generation and claim. An earlier
 * one of that QEMU that still waits is forgotten. Returns 0, or -ENOMEM.
 */
int carrier_search_prove(struct carrier_search *search, const struct reader_request *request);

/**
 * Lets go of the carrier of @qemu whose region was begun as @generation, unless it has been begun
 * anew, or of the pages that were proven as that. @ends: the region, too.
 */
void carrier_search_end(struct carrier_search *search, const struct thread_id *qemu,
                        uint64_t generation, bool ends);

/** Waits for jobs for CARRIER_SEARCH_END_MS at most, so that guests learn that no host is here. */
#define CARRIER_SEARCH_END_MS 200

/** Takes NULL; returns NULL. */
struct carrier_search *carrier_search_free(struct carrier_search *search);
