// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/domains.h"

#include <errno.h>
#include <stdlib.h>

#include "util/log.h"
#include "virt/libvirt.h"

/* ---- what the sources report ---- */

static void say_full(struct domains *domains)
{
	if (!domains->full_said)
		log_warning("more than %d domains run: the others are not managed",
		            PVS_DOMAINS_MAX);
	domains->full_said = true;
}

static void on_seen(void *userdata, struct domain *seen, unsigned int causes)
{
	struct domains *domains = userdata;
	struct inventory_domain *d;
	int r = inventory_seen(&domains->inventory, seen, &d);
	bool is_new = r == INVENTORY_NEW, migrated;

	/* also where it was not taken: what it replaces may have gone */
	pass_changed(domains->pass);
	if (r == INVENTORY_FULL)
		say_full(domains);
	if (r != 0 && !is_new)
		return;
	if (is_new)
		lifecycle_begin(domains->lifecycle, d);
	migrated = lifecycle_migrating(domains->lifecycle, d);
	lifecycle_reported(domains->lifecycle, d, causes);
	if (causes & VIRT_CAUSE_REBOOT)
		carriers_reset(domains->carriers, d);
	if ((causes & VIRT_CAUSE_REBOOT) ||
	    (!migrated && lifecycle_migrating(domains->lifecycle, d)))
		agent_pages_reset(domains->agent_pages, d);
	carriers_find(domains->carriers, d, is_new || (causes & VIRT_CAUSE_LIFECYCLE));
	if (causes & VIRT_CAUSE_DEVICE)
		carriers_device(domains->carriers, d);
	if (causes & (VIRT_CAUSE_TUNABLE | VIRT_CAUSE_LIFECYCLE | VIRT_CAUSE_REBOOT))
		inventory_rescan(&domains->inventory, d);
	else
		inventory_look(&domains->inventory, d);
	log_debug("domain \"%s\": %zu vCPUs", d->seen->name, d->n_vcpus);
}

/* Domains that had no slot get those that are free now. */
static void admit_refused(struct domains *domains)
{
	struct domain *seen;

	while ((seen = inventory_take_refused(&domains->inventory)))
		on_seen(domains, seen, VIRT_CAUSE_ENUMERATED);
}

static void on_gone(void *userdata, enum domain_source source, const char *uuid)
{
	struct domains *domains = userdata;
	struct inventory_domain *d = inventory_find_uuid(&domains->inventory, uuid);

	inventory_forget_refused(&domains->inventory, source, uuid);
	if (!d || d->seen->source != source)
		return;
	inventory_drop(&domains->inventory, d);
	admit_refused(domains);
	pass_changed(domains->pass);
}

static void on_thread_named(void *userdata, pid_t pid)
{
	struct domains *domains = userdata;

	discovery_hint(domains->discovery, pid, inventory_by_pid(&domains->inventory, pid));
}

static void on_hints_lost(void *userdata)
{
	struct domains *domains = userdata;

	discovery_hint_all(domains->discovery);
}

static void on_died(void *userdata, struct inventory_domain *domain)
{
	struct domains *domains = userdata;

	if (domain->seen->source == DOMAIN_SOURCE_PROCFS)
		discovery_rescan(domains->discovery, domain);
	inventory_drop(&domains->inventory, domain);
	admit_refused(domains);
	pass_changed(domains->pass);
}

static void on_migrated(void *userdata, struct inventory_domain *domain)
{
	domains_rescan(userdata, domain);
}

/* ---- what follows a domain ---- */

static void on_forgotten(void *userdata, struct inventory_domain *domain)
{
	struct domains *domains = userdata;

	carriers_end(domains->carriers, domain);
	agents_end(domains->agents, domain);
	overrides_forget(domains->overrides, domain);
	lifecycle_end(domains->lifecycle, domain);
}

static void on_carriers_changed(void *userdata)
{
	struct domains *domains = userdata;

	pass_changed(domains->pass);
}

static void on_agent_proven(void *userdata, const struct inventory_domain *domain,
                            uint64_t generation, const struct agent_pages_result *result)
{
	struct domains *domains = userdata;

	agents_proven(domains->agents, domain, generation, result);
}

static void on_agent_lost(void *userdata, const struct inventory_domain *domain,
                          enum agent_pages_loss loss)
{
	struct domains *domains = userdata;

	agents_lost(domains->agents, domain, loss);
}

static void on_agent_changed(void *userdata, const struct inventory_domain *domain, bool at_once)
{
	struct domains *domains = userdata;

	agents_changed(domains->agents, domain, at_once);
}

static void drop_of(struct domains *domains, enum domain_source source)
{
	struct inventory_domain *d, *next;

	inventory_forget_refused(&domains->inventory, source, NULL);
	for (d = domains->inventory.domains; d; d = next) {
		next = d->next;
		if (d->seen->source == source)
			inventory_drop(&domains->inventory, d);
	}
	admit_refused(domains);
	pass_changed(domains->pass);
}

void domains_clear(struct domains *domains)
{
	inventory_clear(&domains->inventory);
	pass_changed(domains->pass);
}

void domains_rescan(struct domains *domains, struct inventory_domain *domain)
{
	inventory_rescan(&domains->inventory, domain);
	pass_changed(domains->pass);
}

void domains_rescan_all(struct domains *domains)
{
	for (struct inventory_domain *d = domains->inventory.domains; d; d = d->next)
		domains_rescan(domains, d);
}

/* ---- looking for them ---- */

void domains_configure(struct domains *domains, const struct config_host *host)
{
	for (int i = 0; i < _DOMAIN_SOURCE_MAX; i++)
		inventory_set_rank(&domains->inventory, (enum domain_source)i,
		                   discovery_rank(host, (enum domain_source)i));
	carriers_configure(domains->carriers, host);
	agents_configure(domains->agents, host);
}

int domains_discover(struct domains *domains, const struct config_host *host)
{
	return discovery_start(domains->discovery, host, hints_ok(domains->hints));
}

int domains_rediscover(struct domains *domains, const struct config_host *before,
                       const struct config_host *host)
{
	bool only_processes;

	if (!discovery_differs(before, host, &only_processes)) {
		discovery_look_again(domains->discovery);
		return 0;
	}
	discovery_stop(domains->discovery, only_processes);
	drop_of(domains, DOMAIN_SOURCE_PROCFS);
	if (!only_processes)
		drop_of(domains, DOMAIN_SOURCE_LIBVIRT);
	return domains_discover(domains, host);
}

/* ---- construction ---- */

static int construct(struct domains *domains, const struct domains_options *options)
{
	struct lifecycle_news lives = {
	        .died = on_died, .migrated = on_migrated, .userdata = domains};
	struct discovery_options finds = {
	        .event = options->event,
	        .libvirt_uri = options->libvirt_uri,
	        .cmdlines = reader_process_cmdlines(options->reader),
	        .confs = reader_process_confs(options->reader),
	        .news = {.seen = on_seen, .gone = on_gone, .userdata = domains},
	};
	struct carriers_options carriers = {
	        .event = options->event,
	        .reader = options->reader,
	        .inventory = &domains->inventory,
	        .ledger = options->ledger,
	        .changed = on_carriers_changed,
	        .userdata = domains,
	};
	struct agent_pages_options agent_pages = {
	        .event = options->event,
	        .reader = options->reader,
	        .inventory = &domains->inventory,
	        .news = {.proven = on_agent_proven,
	                 .lost = on_agent_lost,
	                 .changed = on_agent_changed,
	                 .plan = on_carriers_changed,
	                 .userdata = domains},
	};
	struct agents_options agents = {
	        .event = options->event,
	        .inventory = &domains->inventory,
	        .look = on_hints_lost,
	        .userdata = domains,
	};
	struct hints_news hints = {
	        .named = on_thread_named, .lost = on_hints_lost, .userdata = domains};
	int r;

	inventory_init(&domains->inventory, options->cgroup, on_forgotten, domains);
	r = overrides_new(&domains->overrides, options->event, options->override_ended,
	                  options->userdata);
	if (r == 0)
		r = lifecycle_new(&domains->lifecycle, options->event, &lives);
	if (r == 0)
		r = carriers_new(&domains->carriers, &carriers);
	if (r == 0)
		r = agent_pages_new(&domains->agent_pages, &agent_pages);
	agents.pages = domains->agent_pages;
	if (r == 0)
		r = agents_new(&domains->agents, &agents);
	if (r == 0)
		r = discovery_new(&domains->discovery, &finds);
	if (r == 0)
		r = hints_new(&domains->hints, options->event, &hints);
	return r;
}

int domains_new(struct domains **ret, const struct domains_options *options)
{
	struct domains *domains = calloc(1, sizeof(*domains));
	int r;

	if (!domains)
		return -ENOMEM;
	domains->pass = options->pass;
	r = construct(domains, options);
	if (r < 0) {
		domains_free(domains);
		return r;
	}
	*ret = domains;
	return 0;
}

struct domains *domains_free(struct domains *domains)
{
	if (!domains)
		return NULL;
	discovery_free(domains->discovery);
	hints_free(domains->hints);
	agents_free(domains->agents);
	agent_pages_free(domains->agent_pages);
	carriers_free(domains->carriers);
	overrides_free(domains->overrides);
	lifecycle_free(domains->lifecycle);
	free(domains);
	return NULL;
}
