// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"
#include "util/procfs.h"

/* A guest may change what it says of itself as often as it likes: one line of it in a minute. */
#define LOG_INTERVAL_NS (60 * NSEC_PER_SEC)

#define CMDLINE_MAX (256 * 1024)

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

static struct topology topology_read(pid_t pid)
{
	CLEANUP(cleanup_free) char *cmdline = malloc(CMDLINE_MAX);
	ssize_t n = cmdline ? procfs_cmdline(pid, cmdline, CMDLINE_MAX) : -ENOMEM;

	return n > 0 ? topology_of_cmdline(cmdline, (size_t)n) : TOPOLOGY_FLAT;
}

/* Begins a new generation, or lets go of memory that can't be written. */
static void begin(struct manager *m, struct managed_domain *d)
{
	struct managed_carrier *c = &d->pages;
	int r = guest_region_begin(c->carrier, &c->topology, c->n_pages, &c->generation);

	if (r == 0)
		return;
	c->losses_total++;
	carriers_drop(m, d);
	d->pages.error = r;
	say(d, -1, LOG_WARNING, "the memory can't be written: not used");
}

static bool is_qemu_still(const struct managed_domain *d)
{
	uint64_t start_ticks;

	return procfs_start_ticks(0, d->seen->qemu.tid, &start_ticks) == 0 &&
	       start_ticks == d->seen->qemu.start_ticks;
}

void carriers_find(struct manager *m, struct managed_domain *d, bool again)
{
	struct managed_carrier *c = &d->pages;
	uint32_t n_pages = d->n_vcpus ? d->seen->vcpus[d->n_vcpus - 1].index + 1 : 0;
	int r;

	if (config_host(m->config)->guest_pages == CONFIG_GUEST_PAGES_OFF) {
		if (c->carrier)
			carriers_drop(m, d);
		return;
	}
	if (c->carrier && n_pages <= c->n_pages)
		return;
	if (!again && !c->carrier)
		return;
	if (c->carrier)
		carriers_drop(m, d); /* a vCPU was plugged in: its page is to be told of, too */
	c->error = 0;
	c->problem = 0;
	r = carrier_find(d->seen->qemu.tid, n_pages, &c->carrier);
	if (r == 0 && !is_qemu_still(d)) {
		c->carrier = carrier_free(c->carrier);
		r = -ESRCH;
	}
	if (r != 0) {
		c->error = MIN(r, 0);
		c->problem = MAX(r, 0);
		if (r > CARRIER_ABSENT)
			say(d, -1, LOG_WARNING, carrier_problem_text((enum carrier_problem)r));
		return;
	}
	c->shared = is_shared(m, d, c->carrier);
	c->topology = topology_read(d->seen->qemu.tid);
	c->n_pages = MIN(n_pages, (uint32_t)PVSCHED_REGION_PAGES_MAX);
	if (c->shared)
		say(d, -1, LOG_WARNING, "another domain has the same memory: not used");
	else
		begin(m, d);
}

void carriers_reset(struct manager *m, struct managed_domain *d)
{
	if (d->pages.carrier && !d->pages.shared)
		begin(m, d);
	/* terms_apply() follows and gives the pages anew */
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
		d->pages.shared = false;
		begin(m, d);
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
	if (!c->shared)
		guest_region_end(c->carrier, c->n_pages);
	c->carrier = carrier_free(c->carrier);
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
