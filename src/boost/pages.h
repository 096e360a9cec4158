/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The booster's part in guest pages: the hello, the guest's requests, the host's answers. It never
 * touches the memory of a guest. The tracer reads a page when its vCPU leaves the CPU. The reader
 * (reader/board.h) copies a page when a look at it is due, and writes what its guest is to know.
 * Only pages that the tracer cannot read are looked at often, and only while the vCPU is awake,
 * since a guest that sleeps writes nothing. Allocates at the start, never blocks, never logs.
 *
 * A page of an agent is in the guest's RAM, and nothing of the host writes it: what its guest is to
 * know is left on the board for the main thread, which sends it through the channel.
 */

#include "boost/accounts.h"
#include "guest/page.h"
#include "reader/board.h"
#include "util/base.h"

struct pages;

/** The shortest time between two looks for a hello, each of which also publishes to the guest. */
#define PAGES_LOOK_NS (100 * NSEC_PER_MSEC)

/** The interval of polling: at first, and after it has found nothing new for long. */
#define PAGES_POLL_MIN_NS (100 * NSEC_PER_USEC)
#define PAGES_POLL_MAX_NS (3200 * NSEC_PER_USEC)

/** The shortest time between two polls of any pages: each is polled less often if there are many.
 */
#define PAGES_POLL_ALL_NS (50 * NSEC_PER_USEC)

/** The main thread is told of changes of one page that often at most; the last one stays there. */
#define PAGES_TELL_NS (10 * NSEC_PER_MSEC)

/** Why a page is lost. */
enum pages_loss {
	PAGES_CUT_OFF = 0, /* the memory is gone, as by a truncation of its file */
	PAGES_STUCK,       /* the reader hangs in it */
	PAGES_OVERWRITTEN, /* the region has another generation: a migration brought its memory */
};

/** What is known of a slot's page; a copy. */
struct pages_view {
	bool present;
	bool lost; /* it cannot be read any more */
	enum pages_loss loss;
	bool polled; /* not read by the tracer */
	bool avoid;  /* of the vCPU, with a page or without: see pages_set_avoid() */
	enum pvsched_status status;
	struct guest_hello hello;
	uint32_t policy; /* that it names: policy/registry.h; 0: none that there is */
	enum pvsched_urgency urgency;
	uint64_t generation;
	uint64_t hellos_total; /* changes of status */
	uint64_t polls_total;
	uint32_t invalid_total;
	uint32_t faults_total; /* of the tracer: the page was not resident */
};

/** For the slots below @n, by @board, which must outlive it. NULL when memory is out. */
struct pages *pages_new(unsigned int n, const struct accounts *accounts, struct board *board);

/** Takes NULL; returns NULL. */
struct pages *pages_free(struct pages *pages);

/** Gives a slot another page, or takes it away (GUEST_PAGE_NULL). @poll: not for the tracer. */
void pages_set(struct pages *pages, unsigned int slot, const struct guest_page *page, bool poll,
               uint64_t now_ns);

/**
 * Fills in what the guest says, as far as tracer and reader have seen it. Asks for another look at
 * a page that the tracer does not read.
 */
void pages_facts(struct pages *pages, unsigned int slot, uint64_t now_ns,
                 struct policy_facts *facts);

/**
 * Tells the guest the state of its vCPU. To be called whenever that changes. Returns true if the
 * main thread is to be told that there is something for the channel.
 */
bool pages_publish(struct pages *pages, unsigned int slot, const struct policy_view *view,
                   uint64_t now_ns);

/**
 * The guest should avoid this vCPU, or need not; also of a page that comes later. Returns as
 * pages_publish() does, but each change is told: a vCPU that sleeps is not looked at.
 */
bool pages_set_avoid(struct pages *pages, unsigned int slot, bool avoid,
                     const struct policy_view *view, uint64_t now_ns);

/** To be called when the tracer reports a switch-in of the vCPU. */
void pages_switched_in(struct pages *pages, unsigned int slot, uint64_t now_ns);

/* bits that pages_look() and pages_news() return; PAGES_TELL alone is nothing for the policy */
#define PAGES_STATUS (1 << 0) /* the status has changed */
#define PAGES_LOST   (1 << 1) /* enum pages_loss says why */
#define PAGES_REQUESTED                                                                            \
	(1 << 2)            /* by polling: a new request, or one that the policy wants to hear of */
#define PAGES_TELL (1 << 3) /* there is something for the channel: times and counts */

/**
 * Does what is due for the page of a slot: has it looked at, and tells its guest news. What is
 * found comes by pages_news(). Returns PAGES_* bits.
 */
int pages_look(struct pages *pages, unsigned int slot, const struct policy_view *view,
               uint64_t now_ns);

/** To be called when the reader has another copy of a slot's page. Returns PAGES_* bits. */
int pages_news(struct pages *pages, unsigned int slot, const struct policy_view *view,
               uint64_t now_ns);

/** When the next page is due; NSEC_NEVER: none ever is. */
uint64_t pages_next_ns(const struct pages *pages);

/** A slot whose page is due; -1: none. */
int pages_due(const struct pages *pages, uint64_t now_ns);

/** The page that is due is not looked at before @at_ns. */
void pages_put_off(struct pages *pages, unsigned int slot, uint64_t at_ns);

void pages_read(const struct pages *pages, unsigned int slot, uint64_t now_ns,
                struct pages_view *ret);
