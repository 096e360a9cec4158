// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/carriers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/carrier_search.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"

/* A guest may change what it says of itself as often as it likes: one line of it in a minute. */
#define LOG_INTERVAL_NS (60 * NSEC_PER_SEC)

/* After a device came or went. */
#define LOOKS_AGAIN   20
#define LOOK_AGAIN_US (300 * NSEC_PER_MSEC / NSEC_PER_USEC)

/* What one domain has. */
struct entry {
	struct carriers *carriers;             /* for the timer, as is... */
	const struct inventory_domain *domain; /* ...this; NULL: none has this slot */
	bool held;                             /* the reader has its carrier: */
	struct reader_carrier carrier;         /* this */
	struct carrier_view view;
	uint32_t wanted_pages;    /* that a search was begun for */
	bool stale;               /* its guest was reset, and it is to be begun anew */
	struct thread_id stuck;   /* a job of this QEMU hung: none is begun any more; 0: none */
	unsigned int looks_left;  /* whether it is there still, after a device came or went */
	sd_event_source *again;   /* the next of them */
	uint64_t log_ns;          /* of the last line about it */
	unsigned int log_skipped; /* since then */
};

struct carriers {
	sd_event *event;
	const struct inventory *inventory;
	const struct config_host *host;
	struct carrier_search *search;
	void (*changed)(void *userdata);
	void *userdata;
	struct entry of[PVS_DOMAINS_MAX]; /* by the domain's slot */
};

/* ---- lines in the journal ---- */

static void say(struct entry *e, int vcpu, int level, const char *text)
{
	const char *name = e->domain->seen->name;
	struct log_context ctx = {.domain = name, .vcpu = vcpu, .message_id = LOG_ID_GUEST_PAGE};
	uint64_t now_ns = clock_now_ns();

	if (e->log_ns && now_ns < e->log_ns + LOG_INTERVAL_NS) {
		e->log_skipped++;
		return;
	}
	if (e->log_skipped)
		log_write(level, &ctx, "domain \"%s\": guest pages: %s (and %u more changes)", name,
		          text, e->log_skipped);
	else
		log_write(level, &ctx, "domain \"%s\": guest pages: %s", name, text);
	e->log_ns = now_ns;
	e->log_skipped = 0;
}

/* ---- memory that two domains share ---- */

static struct entry *entry_of(struct carriers *carriers, const struct inventory_domain *domain)
{
	struct entry *e = &carriers->of[domain->slot];

	e->carriers = carriers;
	e->domain = domain;
	return e;
}

static bool same_object(const struct reader_carrier *a, const struct reader_carrier *b)
{
	return a->object.device == b->object.device && a->object.inode == b->object.inode;
}

/* The next entry after @after, NULL at first, that has the same memory as @e. */
static struct entry *next_twin(struct carriers *carriers, const struct entry *e,
                               struct entry *after)
{
	struct entry *i = after ? after + 1 : carriers->of;

	for (; e->held && i < carriers->of + PVS_DOMAINS_MAX; i++)
		if (i != e && i->held && same_object(&i->carrier, &e->carrier))
			return i;
	return NULL;
}

/* Two domains that share memory could speak for each other: neither is heard. */
static void check_shared(struct carriers *carriers, struct entry *e)
{
	e->view.shared = false;
	for (struct entry *i = next_twin(carriers, e, NULL); i; i = next_twin(carriers, e, i)) {
		e->view.shared = true;
		i->view.shared = true;
		say(i, -1, LOG_WARNING, "another domain has the same memory: not used");
	}
	if (e->view.shared)
		say(e, -1, LOG_WARNING, "another domain has the same memory: not used");
}

/* A domain that is alone with its memory now may use it. */
static void unshare(struct carriers *carriers)
{
	for (size_t i = 0; i < PVS_DOMAINS_MAX; i++) {
		struct entry *e = &carriers->of[i];

		if (e->held && e->view.shared && !next_twin(carriers, e, NULL))
			carriers_reset(carriers, e->domain);
	}
}

/* ---- letting go ---- */

static void find(struct carriers *carriers, struct entry *e, bool again);

/*
 * The reader may let go of it before the booster does: it does nothing for a page of a region that
 * it does not have.
 */
static void drop(struct carriers *carriers, struct entry *e)
{
	if (!e->held)
		return;
	carrier_search_end(carriers->search, &e->domain->seen->qemu, e->carrier.generation,
	                   !e->view.shared);
	e->held = false;
	e->view.shared = false;
	carriers->changed(carriers->userdata);
	unshare(carriers);
}

void carriers_end(struct carriers *carriers, const struct inventory_domain *domain)
{
	struct entry *e = entry_of(carriers, domain);

	drop(carriers, e);
	sd_event_source_disable_unref(e->again);
	*e = (struct entry){0};
}

static void note_stuck(struct entry *e)
{
	e->stuck = e->domain->seen->qemu;
	e->view.error = 0;
	e->view.problem = CARRIER_STUCK;
	say(e, -1, LOG_WARNING, carrier_problem_text(CARRIER_STUCK));
}

void carriers_lost(struct carriers *carriers, const struct inventory_domain *domain, bool stuck)
{
	struct entry *e = entry_of(carriers, domain);

	if (!e->held)
		return; /* another vCPU of it said so */
	e->view.losses_total++;
	drop(carriers, e);
	if (stuck) {
		note_stuck(e);
		return;
	}
	e->view.problem = CARRIER_WRONG_SIZE;
	say(e, -1, LOG_WARNING, "the memory was cut off: not used any more");
}

/* ---- looking ---- */

static void find(struct carriers *carriers, struct entry *e, bool again)
{
	const struct domain *seen = e->domain->seen;
	size_t n = seen->n_vcpus;
	uint32_t n_pages = n ? seen->vcpus[n - 1].index + 1 : 0;
	bool keeps;
	int r;

	if (thread_id_equal(&e->stuck, &seen->qemu))
		return;
	if (carriers->host->guest_pages == CONFIG_GUEST_PAGES_OFF) {
		drop(carriers, e);
		return;
	}
	n_pages = MIN(n_pages, (uint32_t)PVSCHED_REGION_PAGES_MAX);
	if (n_pages == 0)
		return; /* its threads are not known yet */
	if (e->wanted_pages >= n_pages && !again)
		return;
	/* else a vCPU was plugged in: the region needs a page more; or the guest was reset */
	keeps = e->held && !e->stale && e->wanted_pages >= n_pages;
	r = carrier_search_begin(carriers->search, &seen->qemu, n_pages,
	                         keeps ? &e->carrier.object : NULL);
	if (r < 0)
		e->view.error = r;
	else
		e->wanted_pages = n_pages;
}

void carriers_find(struct carriers *carriers, const struct inventory_domain *domain, bool again)
{
	find(carriers, entry_of(carriers, domain), again);
}

void carriers_reset(struct carriers *carriers, const struct inventory_domain *domain)
{
	struct entry *e = entry_of(carriers, domain);

	/* without a carrier, too: a search that is under way may have begun the region before */
	e->wanted_pages = 0;
	if (e->held) {
		e->stale = true;
		carriers->changed(carriers->userdata);
	}
	find(carriers, e, true);
}

void carriers_device(struct carriers *carriers, const struct inventory_domain *domain)
{
	struct entry *e = entry_of(carriers, domain);

	e->looks_left = LOOKS_AGAIN;
	find(carriers, e, true);
}

static int on_look_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct entry *e = userdata;

	(void)source;
	(void)usec;
	find(e->carriers, e, true);
	return 0;
}

/* QEMU keeps the memory of a device that was unplugged for a moment. */
static void look_again_later(struct carriers *carriers, struct entry *e)
{
	if (e->looks_left == 0)
		return;
	e->looks_left--;
	e->again = sd_event_source_disable_unref(e->again);
	sd_event_add_time_relative(carriers->event, &e->again, CLOCK_MONOTONIC, LOOK_AGAIN_US, 0,
	                           on_look_again, e);
}

/* Takes the place of what the domain had. */
static void take(struct carriers *carriers, struct entry *e, const struct carrier_found *found)
{
	/* the same memory, begun anew: its region does not end */
	if (!e->held || found->result != 0 || !same_object(&e->carrier, &found->carrier))
		drop(carriers, e);
	e->view.error = MIN(found->result, 0);
	e->view.problem = MAX(found->result, 0);
	if (found->result == CARRIER_STUCK)
		note_stuck(e);
	else if (found->result > CARRIER_ABSENT)
		say(e, -1, LOG_WARNING, carrier_problem_text((enum carrier_problem)found->result));
	if (found->result != 0)
		return;
	e->held = true;
	e->carrier = found->carrier;
	e->view.n_pages = found->n_pages;
	e->view.generation = found->carrier.generation;
	e->stale = false;
	check_shared(carriers, e);
	carriers->changed(carriers->userdata);
}

static const struct inventory_domain *find_domain(const struct carriers *carriers,
                                                  const struct thread_id *qemu)
{
	for (const struct inventory_domain *d = carriers->inventory->domains; d; d = d->next)
		if (thread_id_equal(&d->seen->qemu, qemu))
			return d;
	return NULL;
}

/* A search is over: its result counts if it is still about the QEMU of a domain that wants it. */
static void on_found(void *userdata, const struct carrier_found *found)
{
	struct carriers *carriers = userdata;
	const struct inventory_domain *domain = find_domain(carriers, &found->qemu);
	struct entry *e;

	if (!domain || carriers->host->guest_pages == CONFIG_GUEST_PAGES_OFF) {
		if (found->result == 0 && !found->same)
			carrier_search_end(carriers->search, &found->qemu,
			                   found->carrier.generation, true);
		return;
	}
	e = entry_of(carriers, domain);
	if (found->same) {
		look_again_later(carriers, e);
		return;
	}
	/* it could not be looked at: that says nothing of what is there */
	if (found->known.inode && found->result < 0 && e->held)
		return;
	take(carriers, e, found);
}

/* A job that hung is over: the domains that were not looked at for it have their turn. */
static void on_room(void *userdata)
{
	struct carriers *carriers = userdata;

	for (const struct inventory_domain *d = carriers->inventory->domains; d; d = d->next)
		if (carriers->of[d->slot].view.problem == CARRIER_NOT_TRIED)
			carriers_find(carriers, d, true);
}

/* The reader is gone, and with it all that it held. The next one looks again. */
static void on_lost(void *userdata)
{
	struct carriers *carriers = userdata;

	for (const struct inventory_domain *d = carriers->inventory->domains; d; d = d->next) {
		struct entry *e = entry_of(carriers, d);

		e->held = false;
		e->view.shared = false;
		e->wanted_pages = 0;
		carriers_find(carriers, d, true);
	}
	carriers->changed(carriers->userdata);
}

/* ---- for others ---- */

int carriers_new(struct carriers **ret, const struct carriers_options *options)
{
	struct carriers *carriers = calloc(1, sizeof(*carriers));
	struct carrier_search_news news = {
	        .found = on_found, .room = on_room, .lost = on_lost, .userdata = carriers};
	int r;

	if (!carriers)
		return -ENOMEM;
	carriers->event = options->event;
	carriers->inventory = options->inventory;
	carriers->changed = options->changed;
	carriers->userdata = options->userdata;
	r = carrier_search_new(&carriers->search, options->event, options->reader, &news);
	if (r < 0) {
		free(carriers);
		return r;
	}
	*ret = carriers;
	return 0;
}

struct carriers *carriers_free(struct carriers *carriers)
{
	if (!carriers)
		return NULL;
	for (size_t i = 0; i < PVS_DOMAINS_MAX; i++)
		sd_event_source_disable_unref(carriers->of[i].again);
	carrier_search_free(carriers->search);
	free(carriers);
	return NULL;
}

void carriers_configure(struct carriers *carriers, const struct config_host *host)
{
	carriers->host = host;
	for (const struct inventory_domain *d = carriers->inventory->domains; d; d = d->next)
		carriers_find(carriers, d, true);
}

void carriers_hello(struct carriers *carriers, const struct inventory_domain *domain,
                    const struct inventory_vcpu *vcpu, int status)
{
	bool expected = status == PVSCHED_STATUS_ENABLED || status == PVSCHED_STATUS_DISABLED;
	char text[128];

	snprintf(text, sizeof(text), "vCPU %u: %s", vcpu->thread.index,
	         guest_status_name((enum pvsched_status)status));
	say(entry_of(carriers, domain), (int)vcpu->thread.index, expected ? LOG_INFO : LOG_NOTICE,
	    text);
}

uint64_t carriers_usable(const struct carriers *carriers, const struct inventory_domain *domain,
                         uint32_t *ret_n_pages)
{
	const struct entry *e = &carriers->of[domain->slot];

	*ret_n_pages = e->view.n_pages;
	return e->held && !e->view.shared && !e->stale ? e->view.generation : 0;
}

struct guest_page carriers_page(const struct carriers *carriers,
                                const struct inventory_domain *domain, unsigned int index)
{
	const struct entry *e = &carriers->of[domain->slot];

	struct guest_page page = guest_region_page(e->carrier.address, &e->carrier.topology, index,
	                                           e->carrier.generation);

	page.lane = e->carrier.lane;
	return page;
}

void carriers_read(const struct carriers *carriers, const struct inventory_domain *domain,
                   struct carrier_view *ret)
{
	const struct entry *e = &carriers->of[domain->slot];

	*ret = e->view;
	ret->carrier = e->held ? &e->carrier : NULL;
}
