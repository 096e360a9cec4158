/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The booster's part in guest pages: the hello, the guest's requests, the host's answers. The
 * tracer reads a page when its vCPU leaves the CPU. The booster reads it again for each decision.
 * It polls only pages that the tracer cannot read, and only while the vCPU is awake, since a guest
 * that sleeps writes nothing. Allocates at the start, never blocks, never logs.
 */

#include "boost/accounts.h"
#include "guest/page.h"
#include "util/base.h"

struct pages;
struct page_writer;

/** The shortest time between two looks for a hello, each of which also publishes to the guest. */
#define PAGES_LOOK_NS (100 * NSEC_PER_MSEC)

/** The interval of polling: at first, and after it has found nothing new for long. */
#define PAGES_POLL_MIN_NS (100 * NSEC_PER_USEC)
#define PAGES_POLL_MAX_NS (3200 * NSEC_PER_USEC)

/** The shortest time between two polls of any pages: each is polled less often if there are many.
 */
#define PAGES_POLL_ALL_NS (50 * NSEC_PER_USEC)

/** What is known of a slot's page; a copy. */
struct pages_view {
	bool present;
	bool lost;   /* it cannot be read any more */
	bool polled; /* not read by the tracer */
	enum pvsched_status status;
	struct guest_hello hello;
	enum pvsched_urgency urgency;
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

/** Tells the guest the state of its vCPU. To be called whenever that changes. */
void pages_publish(struct pages *pages, unsigned int slot, const struct policy_view *view,
                   uint64_t now_ns);

/** To be called when the tracer reports a switch-in of the vCPU. */
void pages_switched_in(struct pages *pages, unsigned int slot, uint64_t now_ns);

/* bits that pages_look() returns */
#define PAGES_STATUS (1 << 0) /* the status has changed */
#define PAGES_LOST   (1 << 1) /* the memory is gone */
#define PAGES_REQUESTED                                                                            \
	(1 << 2) /* by polling: a new request, or one that the policy wants to hear of */

/** Looks at the page of a slot that is due. Returns PAGES_* bits. */
int pages_look(struct pages *pages, unsigned int slot, const struct policy_view *view,
               uint64_t now_ns);

/** When the next page is due; NSEC_NEVER: none ever is. */
uint64_t pages_next_ns(const struct pages *pages);

/** A slot whose page is due; -1: none. */
int pages_due(const struct pages *pages, uint64_t now_ns);

/** The page that is due is not looked at before @at_ns. */
void pages_put_off(struct pages *pages, unsigned int slot, uint64_t at_ns);

void pages_read(const struct pages *pages, unsigned int slot, uint64_t now_ns,
                struct pages_view *ret);
