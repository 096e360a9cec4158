/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the part under test begins and ends. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "policy/follow.h"

#include "guest.h"

static void add_page(struct host *host, unsigned int slot, bool polls)
{
	struct thread *t = &host->world->threads[slot];
	struct guest_page page = {
	        .address = (uint64_t)(uintptr_t)&t->guest->page,
	        .generation = GUEST_GENERATION,
	        .apic_id = PVSCHED_APIC_ID_NONE,
	};

	pages_set(host->pages, slot, &page, polls, host->world->now_ns);
}

static void add_vcpu(struct host *host, unsigned int slot, const struct host_options *options)
{
	struct thread *t = &host->world->threads[slot];
	struct account_terms terms = {
	        .tid = (pid_t)slot + 1000,
	        .domain = (uint32_t)t->domain,
	        .priority = HOST_PRIORITY,
	        .profile = options->profile,
	};

	if (t->follows) {
		terms.profile = follow_profile(&options->profile);
		terms.helper = (uint32_t)host->helper_of[slot] + 1;
	}
	if (t->observed || (t->follows && !options->follows))
		terms.profile.mode = PROFILE_OBSERVE;
	if (options->mutation == MUTATION_DEAF)
		terms.profile.requests = PROFILE_REQUESTS_IGNORE;
	account_reset(&host->accounts, slot);
	account_set_terms(&host->accounts, slot, &terms);
	/* what an imagined boost does is not simulated */
	host->vcpus[slot].flags &= ~PVS_FLAG_IMAGINED;
	host->domains[t->domain].rule =
	        (struct pvs_bucket_rule){.burst_ns = options->caps.domain_burst_ns,
	                                 .share_permille = options->caps.domain_share_permille};
	policy_add(host->policy, slot, &terms.profile,
	           t->own_priority ? POLICY_HOLD(POLICY_REASON_ALREADY_RT) : 0,
	           host->world->now_ns);
	booster_add_call(host, slot);
	if (terms.profile.mode == PROFILE_BOOST)
		attention_count(host->attention, terms.domain, 1, host->world->now_ns);
	if (t->guest)
		add_page(host, slot, options->polls);
}

/* Zeroed, and aligned as the maps are. */
static void *table(size_t n, size_t size)
{
	size_t bytes = (MAX(n, (size_t)1) * size + 63) / 64 * 64;
	void *memory = aligned_alloc(64, bytes);

	if (!memory)
		abort();
	return memset(memory, 0, bytes);
}

static void make_tables(struct host *host)
{
	size_t n = host->n_vcpus;
	size_t n_helpers = n * PVS_HELPERS_OF_DOMAIN;

	host->helpers = table(n_helpers, sizeof(*host->helpers));
	host->look_due_ns = table(n_helpers, sizeof(*host->look_due_ns));
	host->look_generation = table(n_helpers, sizeof(*host->look_generation));
	host->reported_ns = table(n_helpers, sizeof(*host->reported_ns));
	host->helper_of = table(host->world->n_threads, sizeof(*host->helper_of));
	helpers_number(host);

	host->vcpus = table(n, sizeof(*host->vcpus));
	host->domains = table(n, sizeof(*host->domains)); /* a domain has a vCPU at least */
	host->cpus = table(PVS_CPUS_MAX, sizeof(*host->cpus));
	host->deadlines = table(PVS_CPUS_MAX, sizeof(*host->deadlines));
	boosted_slots_init(&host->boosted);
	host->of_sheet = table(n, sizeof(*host->of_sheet));
	host->yielded = table(n, sizeof(*host->yielded));
	host->caused_ns = table(n, sizeof(*host->caused_ns));
	host->accounts = (struct accounts){
	        .vcpus = host->vcpus,
	        .domains = host->domains,
	        .cpus = host->cpus,
	        .cpu_rule = &host->cpu_rule,
	        .helpers = host->helpers,
	        .moved = &host->moved,
	        .prices = &host->prices,
	};
}

static unsigned int count_domains(const struct world *world, unsigned int n_vcpus)
{
	unsigned int n = 1;

	for (unsigned int i = 0; i < n_vcpus; i++)
		n = MAX(n, (unsigned int)world->threads[i].domain + 1);
	return n;
}

struct host *host_new(struct world *world, unsigned int n_vcpus, const struct host_options *options)
{
	struct host *host = table(1, sizeof(*host));

	host->world = world;
	host->mutation = options->mutation;
	host->machine = options->machine ? *options->machine : cost_usual;
	host->delay_ns = options->delay_ns;
	host->apply_ns = options->apply_ns;
	host->charges_cpus = options->charges_cpus;
	host->random = options->seed;
	host->start_late_ns = options->start_late_ns;
	host->refused_permille = options->refused_permille;
	host->prices = options->prices;
	host->n_vcpus = n_vcpus;
	host->cpu_rule =
	        (struct pvs_bucket_rule){.burst_ns = options->caps.cpu_burst_ns,
	                                 .share_permille = options->caps.cpu_share_permille};
	host->n_domains = count_domains(world, n_vcpus);
	make_tables(host);
	account_set_sheets(&host->accounts, HOST_SHEET_LIMIT_NS);
	host->policy = policy_new(MAX(n_vcpus, 1U), &options->caps);
	if (board_new(&host->board) < 0)
		abort();
	host->pages = pages_new(MAX(n_vcpus, 1U), &host->accounts, host->board);
	host->attention = attention_new(host->n_domains, options->caps.booster_permille);
	if (!host->policy || !host->pages || !host->attention)
		abort();
	host->deciding = -1;
	host->wake_ns = NSEC_NEVER;
	for (unsigned int i = 0; i < n_vcpus; i++)
		add_vcpu(host, i, options);
	tracer_attach(host);
	if (options->compares)
		compare_start(host);
	booster_wake_at(host, world->now_ns);
	return host;
}

struct host *host_free(struct host *host)
{
	if (!host)
		return NULL;
	policy_free(host->policy);
	attention_free(host->attention);
	harm_free(host->harm);
	pages_free(host->pages);
	board_free(host->board);
	free(host->vcpus);
	free(host->domains);
	free(host->cpus);
	free(host->helpers);
	free(host->look_due_ns);
	free(host->look_generation);
	free(host->reported_ns);
	free(host->helper_of);
	free(host->deadlines);
	free(host->of_sheet);
	free(host->yielded);
	free(host->caused_ns);
	free(host);
	return NULL;
}
