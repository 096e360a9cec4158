/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The booster's dealings with guest pages: negotiation, what the guest says, what the host answers.
 * The tracer reads a page at the moments that matter; here it is read again for every decision, and
 * polled only where the tracer cannot read it, and only while the vCPU is awake, since a guest that
 * sleeps writes nothing. Allocates at the start, never blocks, never logs.
 */

#include "boost/accounts.h"
#include "guest/page.h"
#include "util/base.h"

struct pages;
struct page_writer;

/** How often a vCPU's page is looked at for a hello, and told how it fares, at most. */
#define PAGES_LOOK_NS (100 * NSEC_PER_MSEC)

/** Polling, where it must be: at first, and after it found nothing for long. */
#define PAGES_POLL_MIN_NS (100 * NSEC_PER_USEC)
#define PAGES_POLL_MAX_NS (3200 * NSEC_PER_USEC)

/** The more pages are polled the less often each is: all of them together this often, at most. */
#define PAGES_POLL_ALL_NS (50 * NSEC_PER_USEC)

/** What is known of a slot's page; a copy. */
struct pages_view {
	bool present;
	bool lost;   /* it could not be read any more */
	bool polled; /* not read by the tracer */
	enum pvsched_status status;
	struct guest_hello hello;
	enum pvsched_ask ask;
	uint64_t generation;
	uint64_t hellos_total; /* changes of status */
	uint64_t polls_total;
	uint32_t invalid_total;
	uint32_t faults_total; /* of the tracer: the page was not resident */
};

/** For the slots below @n; @writer writes what is not mapped. NULL when memory is out. */
struct pages *pages_new(unsigned int n, const struct accounts *accounts,
                        struct page_writer *writer);

/** Takes NULL; returns NULL. */
struct pages *pages_free(struct pages *pages);

/** Gives a slot another page, or takes it away (GUEST_PAGE_NULL). @poll: not for the tracer. */
void pages_set(struct pages *pages, unsigned int slot, const struct guest_page *page, bool poll,
               uint64_t now_ns);

/** Fills in what the guest says, as it is now. */
void pages_facts(struct pages *pages, unsigned int slot, uint64_t now_ns,
                 struct policy_facts *facts);

/** Tells the guest how its vCPU stands: to be called at each change of that. */
void pages_publish(struct pages *pages, unsigned int slot, const struct policy_view *view,
                   uint64_t now_ns);

/** The tracer says that the vCPU runs again. */
void pages_switched_in(struct pages *pages, unsigned int slot, uint64_t now_ns);

/* what pages_look() found: bits */
#define PAGES_STATUS (1 << 0) /* the status is another one */
#define PAGES_LOST   (1 << 1) /* the memory is gone */
#define PAGES_ASKED  (1 << 2) /* polled: what the guest says is new, or wanted by the policy */

/** Looks at the page of a slot that is due. Returns bits. */
int pages_look(struct pages *pages, unsigned int slot, const struct policy_view *view,
               uint64_t now_ns);

/** When the next one wants a look; NSEC_NEVER. */
uint64_t pages_next_ns(const struct pages *pages);

/** Which is due; -1: none. */
int pages_due(const struct pages *pages, uint64_t now_ns);

void pages_read(const struct pages *pages, unsigned int slot, uint64_t now_ns,
                struct pages_view *ret);
