// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/manager.h"

#include <stdio.h>
#include <string.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"

/* A guest may change what it says of itself as often as it likes: one line of it in a minute. */
#define LOG_INTERVAL_NS (60 * NSEC_PER_SEC)

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

/* A search is over: its result counts if it is still about the QEMU of a domain that wants it. */
static void on_found(void *userdata, const struct carrier_found *found)
{
	struct manager *m = userdata;
	struct managed_domain *d = domains_by_qemu(m, found->qemu.tid);
	struct managed_carrier *c = d ? &d->pages : NULL;

	if (!d || d->seen->qemu.start_ticks != found->qemu.start_ticks ||
	    config_host(m->config)->guest_pages == CONFIG_GUEST_PAGES_OFF) {
		carrier_free(found->carrier);
		return;
	}
	if (c->carrier && found->carrier && same_object(c->carrier, found->carrier))
		c->carrier = carrier_free(c->carrier); /* begun anew: it does not end */
	else
		carriers_drop(m, d);
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
	if (c->shared)
		say(d, -1, LOG_WARNING, "another domain has the same memory: not used");
	carriers_apply(m);
}

int carriers_start(struct manager *m)
{
	return carrier_search_new(&m->carrier_search, m->event, on_found, m);
}

void carriers_find(struct manager *m, struct managed_domain *d, bool again)
{
	uint32_t n_pages = d->n_vcpus ? d->seen->vcpus[d->n_vcpus - 1].index + 1 : 0;
	int r;

	if (config_host(m->config)->guest_pages == CONFIG_GUEST_PAGES_OFF) {
		carriers_drop(m, d);
		return;
	}
	n_pages = MIN(n_pages, (uint32_t)PVSCHED_REGION_PAGES_MAX);
	if (n_pages == 0)
		return; /* its threads are not known yet */
	/* a vCPU was plugged in: its page is to be told of, too */
	if (d->pages.wanted_pages >= n_pages && (d->pages.carrier || !again))
		return;
	r = carrier_search_begin(m->carrier_search, &d->seen->qemu, n_pages);
	if (r < 0)
		d->pages.error = r;
	else
		d->pages.wanted_pages = n_pages;
}

void carriers_reset(struct manager *m, struct managed_domain *d)
{
	if (!d->pages.carrier)
		return;
	/* not read from now on; the search begins a new generation, in its own thread */
	d->pages.generation = 0;
	carriers_apply(m);
	d->pages.wanted_pages = 0;
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
	c->generation = 0;
	carriers_apply(m); /* nobody reads it any more */
	if (c->shared)
		carrier_free(c->carrier);
	else
		carrier_search_end(m->carrier_search, c->carrier, c->n_pages);
	c->carrier = NULL;
	c->shared = false;
	unshare(m);
}

void carriers_apply(struct manager *m)
{
	bool poll = config_host(m->config)->guest_pages == CONFIG_GUEST_PAGES_POLL;

	for (struct managed_domain *d = m->domains; d; d = d->next) {
		const struct managed_carrier *c = &d->pages;
		uint64_t generation = c->carrier && !c->shared ? c->generation : 0;

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
