// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/manager.h"

#include <stdio.h>
#include <string.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"

/* A guest may change what it says of itself as often as it likes: one line of it in a minute. */
#define LOG_INTERVAL_NS (60 * NSEC_PER_SEC)

/* After a device came or went. */
#define LOOKS_AGAIN   20
#define LOOK_AGAIN_US (300 * NSEC_PER_MSEC / NSEC_PER_USEC)

static bool may_say(struct managed_carrier *c, unsigned int *skipped)
{
	uint64_t now_ns = clock_now_ns();

	if (c->log_ns && now_ns < c->log_ns + LOG_INTERVAL_NS) {
		c->log_skipped++;
		return false;
	}
	*skipped = c->log_skipped;
	c->log_ns = now_ns;
	c->log_skipped = 0;
	return true;
}

static void say(struct managed_domain *d, int vcpu, int level, const char *text)
{
	struct log_context ctx = {
	        .domain = d->seen->name, .vcpu = vcpu, .message_id = LOG_ID_GUEST_PAGE};
	unsigned int skipped;

	if (!may_say(&d->pages, &skipped))
		return;
	if (skipped)
		log_write(level, &ctx, "domain \"%s\": guest pages: %s (and %u more changes)",
		          d->seen->name, text, skipped);
	else
		log_write(level, &ctx, "domain \"%s\": guest pages: %s", d->seen->name, text);
}

static bool same_object(const struct carrier *a, const struct carrier *b)
{
	return carrier_device(a) == carrier_device(b) && carrier_inode(a) == carrier_inode(b);
}

/* Who shares memory with another domain could speak for it: neither is heard. */
static bool is_shared(struct manager *m, struct managed_domain *d, const struct carrier *carrier)
{
	bool shared = false;

	for (struct managed_domain *i = m->domains; i; i = i->next) {
		if (i == d || !i->pages.carrier || !same_object(i->pages.carrier, carrier))
			continue;
		shared = true;
		i->pages.shared = true;
		say(i, -1, LOG_WARNING, "another domain has the same memory: not used");
	}
	return shared;
}

/* The booster reads nothing of it any more: only then may it be unmapped. */
static void detach(struct manager *m, struct managed_carrier *c)
{
	c->stale = true;
	carriers_apply(m);
}

static void look_again_later(struct manager *m, struct managed_domain *d);

static struct managed_domain *find_domain(struct manager *m, const struct thread_id *qemu)
{
	for (struct managed_domain *d = m->domains; d; d = d->next)
		if (thread_id_equal(&d->seen->qemu, qemu))
			return d;
	return NULL;
}

/* Takes the place of what the domain had. */
static void take(struct manager *m, struct managed_domain *d, const struct carrier_found *found)
{
	struct managed_carrier *c = &d->pages;

	if (c->carrier && found->carrier && same_object(c->carrier, found->carrier)) {
		detach(m, c);
		c->carrier = carrier_free(c->carrier); /* begun anew: it does not end */
	} else {
		carriers_drop(m, d);
	}
	c->error = MIN(found->result, 0);
	c->problem = MAX(found->result, 0);
	if (found->result > CARRIER_ABSENT)
		say(d, -1, LOG_WARNING, carrier_problem_text((enum carrier_problem)found->result));
	if (!found->carrier)
		return;
	c->carrier = found->carrier;
	c->topology = found->topology;
	c->n_pages = found->n_pages;
	c->shared = is_shared(m, d, c->carrier);
	c->generation = found->generation;
	c->stale = false;
	if (c->shared)
		say(d, -1, LOG_WARNING, "another domain has the same memory: not used");
	carriers_apply(m);
}

/* A search is over: its result counts if it is still about the QEMU of a domain that wants it. */
static void on_found(void *userdata, const struct carrier_found *found)
{
	struct manager *m = userdata;
	struct managed_domain *d = find_domain(m, &found->qemu);

	if (!d || config_host(m->config)->guest_pages == CONFIG_GUEST_PAGES_OFF) {
		carrier_search_end(m->carrier_search, &found->qemu, found->carrier, found->n_pages,
		                   found->generation);
		return;
	}
	if (found->same) {
		look_again_later(m, d);
		return;
	}
	/* it could not be looked at: that says nothing of what is there */
	if (found->known.inode && found->result < 0 && d->pages.carrier)
		return;
	take(m, d, found);
}

int carriers_start(struct manager *m)
{
	return carrier_search_new(&m->carrier_search, m->event, on_found, m);
}

void carriers_find(struct manager *m, struct managed_domain *d, bool again)
{
	uint32_t n_pages = d->n_vcpus ? d->seen->vcpus[d->n_vcpus - 1].index + 1 : 0;
	struct managed_carrier *c = &d->pages;
	struct carrier_object known;
	bool keeps;
	int r;

	if (config_host(m->config)->guest_pages == CONFIG_GUEST_PAGES_OFF) {
		carriers_drop(m, d);
		return;
	}
	n_pages = MIN(n_pages, (uint32_t)PVSCHED_REGION_PAGES_MAX);
	if (n_pages == 0)
		return; /* its threads are not known yet */
	if (c->wanted_pages >= n_pages && !again)
		return;
	/* else a vCPU was plugged in: its page is to be told of, too; or it was reset */
	keeps = c->carrier && !c->stale && c->wanted_pages >= n_pages;
	if (keeps)
		known = (struct carrier_object){carrier_device(c->carrier),
		                                carrier_inode(c->carrier)};
	r = carrier_search_begin(m->carrier_search, &d->seen->qemu, n_pages, keeps ? &known : NULL);
	if (r < 0)
		c->error = r;
	else
		c->wanted_pages = n_pages;
}

void carriers_reset(struct manager *m, struct managed_domain *d)
{
	/* not read from now on; the search begins a new generation, in its own thread */
	if (d->pages.carrier)
		detach(m, &d->pages);
	/* without one, too: a search that is under way may have begun the region before the reset
	 */
	d->pages.wanted_pages = 0;
	carriers_find(m, d, true);
}

static int on_look_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct managed_domain *d = userdata;

	(void)source;
	(void)usec;
	carriers_find(d->manager, d, true);
	return 0;
}

/* QEMU keeps the memory of a device that was unplugged for a moment. */
static void look_again_later(struct manager *m, struct managed_domain *d)
{
	if (d->pages.looks_left == 0)
		return;
	d->pages.looks_left--;
	d->pages.again = sd_event_source_disable_unref(d->pages.again);
	sd_event_add_time_relative(m->event, &d->pages.again, CLOCK_MONOTONIC, LOOK_AGAIN_US, 0,
	                           on_look_again, d);
}

void carriers_device(struct manager *m, struct managed_domain *d)
{
	d->pages.looks_left = LOOKS_AGAIN;
	carriers_find(m, d, true);
}

/* Who is alone with its memory now may use it. */
static void unshare(struct manager *m)
{
	for (struct managed_domain *d = m->domains; d; d = d->next) {
		bool alone = true;

		for (struct managed_domain *i = m->domains; i; i = i->next)
			if (i != d && i->pages.carrier && d->pages.carrier &&
			    same_object(i->pages.carrier, d->pages.carrier))
				alone = false;
		if (!d->pages.carrier || !d->pages.shared || !alone)
			continue;
		carriers_reset(m, d);
	}
}

void carriers_configure(struct manager *m)
{
	for (struct managed_domain *d = m->domains; d; d = d->next) {
		carriers_find(m, d, true);
		for (size_t i = 0; i < d->n_vcpus; i++)
			d->vcpus[i].page_generation = 0;
	}
	carriers_apply(m);
}

void carriers_drop(struct manager *m, struct managed_domain *d)
{
	struct managed_carrier *c = &d->pages;

	if (!c->carrier)
		return;
	detach(m, c);
	if (c->shared)
		carrier_free(c->carrier);
	else
		carrier_search_end(m->carrier_search, &d->seen->qemu, c->carrier, c->n_pages,
		                   c->generation);
	c->carrier = NULL;
	c->shared = false;
	unshare(m);
}

void carriers_apply(struct manager *m)
{
	bool poll = config_host(m->config)->guest_pages == CONFIG_GUEST_PAGES_POLL;

	for (struct managed_domain *d = m->domains; d; d = d->next) {
		const struct managed_carrier *c = &d->pages;
		bool used = c->carrier && !c->shared && !c->stale;
		uint64_t generation = used ? c->generation : 0;

		for (size_t i = 0; i < d->n_vcpus; i++) {
			struct managed_vcpu *v = &d->vcpus[i];
			struct guest_page page = GUEST_PAGE_NULL;

			if (v->slot == SLOT_NONE || v->page_generation == generation)
				continue;
			if (generation && v->thread.index < c->n_pages)
				page = guest_region_page(c->carrier, &c->topology, v->thread.index,
				                         generation);
			booster_set_page(m->booster, v->slot, &page, poll);
			v->page_generation = generation;
		}
	}
}

void carriers_hello(struct managed_domain *d, const struct managed_vcpu *v, int status)
{
	char text[128];

	snprintf(text, sizeof(text), "vCPU %u: %s", v->thread.index,
	         guest_status_name((enum pvsched_status)status));
	say(d, (int)v->thread.index,
	    status == PVSCHED_STATUS_ENABLED || status == PVSCHED_STATUS_DISABLED ? LOG_INFO
	                                                                          : LOG_NOTICE,
	    text);
}

void carriers_lost(struct manager *m, struct managed_domain *d)
{
	if (!d->pages.carrier)
		return; /* another vCPU of it said so */
	d->pages.losses_total++;
	carriers_drop(m, d);
	d->pages.problem = CARRIER_WRONG_SIZE;
	say(d, -1, LOG_WARNING, "the memory was cut off: not used any more");
}
