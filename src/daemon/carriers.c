// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/carriers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/carrier_search.h"
#include "daemon/domain_log.h"
#include "util/clock.h"
#include "util/log.h"

/* After a device came or went. */
#define LOOKS_AGAIN   20
#define LOOK_AGAIN_US (300 * NSEC_PER_MSEC / NSEC_PER_USEC)

/* A guest can overwrite its region as often as it likes: it is begun anew once in this time. */
#define OVERWRITTEN_INTERVAL_NS NSEC_PER_SEC

/* What one domain has. */
struct entry {
	struct carriers *carriers;             /* for the timer, as is... */
	const struct inventory_domain *domain; /* ...this; NULL: none has this slot */
	bool held;                             /* the reader has its carrier: */
	struct reader_carrier carrier;         /* this */
	bool claims;                           /* a reader that is gone had it */
	struct carrier_object refused;         /* CARRIER_SHARED: this */
	struct carrier_view view;
	uint32_t wanted_pages;   /* that a search was begun for */
	bool stale;              /* its guest was reset, and it is to be begun anew */
	struct thread_id stuck;  /* a job of this QEMU hung: none is begun any more; 0: none */
	unsigned int looks_left; /* whether it is there still, after a device came or went */
	sd_event_source *again;  /* the next of them */
	uint64_t overwritten_ns; /* when its region last was found to be */
	struct domain_log log;
};

struct carriers {
	sd_event *event;
	const struct inventory *inventory;
	const struct config_host *host;
	struct carrier_search *search;
	struct ledger *ledger;
	void (*changed)(void *userdata);
	void *userdata;
	struct entry of[PVS_DOMAINS_MAX]; /* by the domain's slot */
};

/* ---- lines in the journal ---- */

static void say(struct entry *e, int vcpu, int level, const char *text)
{
	domain_log_say(&e->log, e->domain->seen->name, vcpu, level, "guest pages", text);
}

/* ---- memory that two domains share ---- */

static struct entry *entry_of(struct carriers *carriers, const struct inventory_domain *domain)
{
	struct entry *e = &carriers->of[domain->slot];

	e->carriers = carriers;
	e->domain = domain;
	return e;
}

static void find(struct carriers *carriers, struct entry *e, bool again);

static bool same_object(const struct carrier_object *a, const struct carrier_object *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/* The other domain that this memory belongs to, since it had it first; NULL: there is none. */
static struct entry *owner_of(struct carriers *carriers, const struct entry *e,
                              const struct carrier_object *object)
{
	for (struct entry *i = carriers->of; i < carriers->of + PVS_DOMAINS_MAX; i++)
		if (i != e && (i->held || i->claims) && same_object(&i->carrier.object, object))
			return i;
	return NULL;
}

/* Domains that were refused have another try, since one has let go of what it had. */
static void try_refused(struct carriers *carriers)
{
	for (struct entry *e = carriers->of; e < carriers->of + PVS_DOMAINS_MAX; e++)
		if (e->domain && e->view.problem == CARRIER_SHARED)
			find(carriers, e, true);
}

/* ---- in the ledger, should the daemon be killed ---- */

static void record(struct carriers *carriers, const struct entry *e)
{
	struct ledger_region region = {
	        .pid = e->domain->seen->qemu.tid,
	        .n_pages = e->view.n_pages,
	        .start_ticks = e->domain->seen->qemu.start_ticks,
	        .generation = e->view.generation,
	};

	ledger_put_region(carriers->ledger, (unsigned int)(e - carriers->of), &region);
}

/* ---- letting go ---- */

/*
 * The reader may let go of it before the booster does: it does nothing for a page of a region that
 * it does not have.
 */
static void drop(struct carriers *carriers, struct entry *e)
{
	bool had = e->held || e->claims;

	if (e->held)
		carrier_search_end(carriers->search, &e->domain->seen->qemu, e->carrier.generation,
		                   true);
	e->held = e->claims = false;
	if (!had)
		return;
	ledger_drop_region(carriers->ledger, (unsigned int)(e - carriers->of));
	carriers->changed(carriers->userdata);
	try_refused(carriers);
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

static void look_again_in(struct carriers *carriers, struct entry *e, uint64_t delay_ns);

/* As by a migration without news from libvirt: the guest knows another host's generation. */
static void begin_anew(struct carriers *carriers, struct entry *e)
{
	uint64_t now_ns = clock_now_ns(), next_ns = e->overwritten_ns + OVERWRITTEN_INTERVAL_NS;

	e->stale = true;
	carriers->changed(carriers->userdata);
	say(e, -1, LOG_NOTICE, "the region was overwritten, as by a migration: begun anew");
	look_again_in(carriers, e, e->overwritten_ns && next_ns > now_ns ? next_ns - now_ns : 0);
	e->overwritten_ns = now_ns;
}

void carriers_lost(struct carriers *carriers, const struct inventory_domain *domain,
                   enum pages_loss loss)
{
	struct entry *e = entry_of(carriers, domain);

	if (!e->held || (e->stale && loss == PAGES_OVERWRITTEN))
		return; /* another vCPU of it said so */
	e->view.losses_total++;
	if (loss == PAGES_OVERWRITTEN) {
		begin_anew(carriers, e);
		return;
	}
	drop(carriers, e);
	if (loss == PAGES_STUCK) {
		note_stuck(e);
		return;
	}
	e->view.problem = CARRIER_WRONG_SIZE;
	say(e, -1, LOG_WARNING, "the memory was cut off: not used any more");
}

/* ---- looking ---- */

/*
 * A guest that does not run may be one whose memory a migration is bringing. What is written there
 * meanwhile is overwritten, or makes a post-copy migration fail, which can't go back.
 */
static bool memory_may_arrive(const struct entry *e)
{
	return !e->held && e->domain->seen->state != DOMAIN_RUNNING;
}

/* What a search is not to begin; NULL: it begins whatever it finds. */
static const struct carrier_object *known_to(const struct entry *e, uint32_t n_pages)
{
	if (e->view.problem == CARRIER_SHARED)
		return &e->refused;
	return e->held && !e->stale && e->wanted_pages >= n_pages ? &e->carrier.object : NULL;
}

/* Is what it was refused still another domain's? */
static bool is_refused(struct carriers *carriers, const struct entry *e)
{
	return e->view.problem == CARRIER_SHARED && owner_of(carriers, e, &e->refused);
}

static void find(struct carriers *carriers, struct entry *e, bool again)
{
	const struct domain *seen = e->domain->seen;
	size_t n = seen->n_vcpus;
	uint32_t n_pages = n ? seen->vcpus[n - 1].index + 1 : 0;
	bool refused = is_refused(carriers, e);
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
	if (memory_may_arrive(e))
		return;
	if (e->wanted_pages >= n_pages && !again)
		return;
	/* else a vCPU was plugged in: the region needs a page more; or the guest was reset */
	if (!refused && e->view.problem == CARRIER_SHARED)
		e->view.problem = 0;
	r = carrier_search_begin(carriers->search, &seen->qemu, n_pages, known_to(e, n_pages),
	                         refused);
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

static void look_again_in(struct carriers *carriers, struct entry *e, uint64_t delay_ns)
{
	e->again = sd_event_source_disable_unref(e->again);
	sd_event_add_time_relative(carriers->event, &e->again, CLOCK_MONOTONIC,
	                           delay_ns / NSEC_PER_USEC, 0, on_look_again, e);
}

/* QEMU keeps the memory of a device that was unplugged for a moment. */
static void look_again_later(struct carriers *carriers, struct entry *e)
{
	if (e->looks_left == 0)
		return;
	e->looks_left--;
	look_again_in(carriers, e, LOOK_AGAIN_US * NSEC_PER_USEC);
}

/*
 * Two domains that share memory could speak for each other. The one that had it first keeps it. The
 * search has begun the region for the other one, so it is begun anew for its owner.
 */
static void refuse(struct carriers *carriers, struct entry *e, struct entry *owner,
                   const struct carrier_found *found)
{
	bool said = e->view.problem == CARRIER_SHARED;

	drop(carriers, e);
	carrier_search_end(carriers->search, &found->qemu, found->carrier.generation, false);
	e->view.error = 0;
	e->view.problem = CARRIER_SHARED;
	e->refused = found->carrier.object;
	if (!said)
		say(e, -1, LOG_WARNING, carrier_problem_text(CARRIER_SHARED));
	carriers_reset(carriers, owner->domain);
}

/* Takes the place of what the domain had. */
static void take(struct carriers *carriers, struct entry *e, const struct carrier_found *found)
{
	/* the same memory, begun anew: its region does not end */
	if (found->result != 0 || !same_object(&e->carrier.object, &found->carrier.object))
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
	e->claims = false;
	e->stale = false;
	record(carriers, e);
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
	struct entry *e, *owner;

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
	owner = found->result == 0 ? owner_of(carriers, e, &found->carrier.object) : NULL;
	if (owner)
		refuse(carriers, e, owner, found);
	else
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

		e->claims = e->held || e->claims;
		e->held = false;
		e->wanted_pages = 0;
	}
	for (const struct inventory_domain *d = carriers->inventory->domains; d; d = d->next)
		carriers_find(carriers, d, true);
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
	carriers->ledger = options->ledger;
	carriers->changed = options->changed;
	carriers->userdata = options->userdata;
	r = carrier_search_new(&carriers->search, options->event, options->reader,
	                       READER_USER_CARRIERS, &news);
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
	return e->held && !e->stale ? e->view.generation : 0;
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
