/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the booster's work takes, and which domain pays: src/boost/step.c and events.c, with figures
 * instead of a clock. The account of each domain is the real src/policy/attention.c.
 *
 * The usual figures are of the slow machine of docs/measurements/overhead.md. They are charged to
 * domains always, and to the CPUs of large hosts.
 */
#include "host.h"

#include "rng.h"

const struct machine cost_usual = {
        /* to wake up and to wait again: 10 to 15 us; a cycle of bench-cycles has two of these */
        .wake_ns = 12 * NSEC_PER_USEC,
        .step_ns = 1500, /* an event: between warm and cold, bench-scans "step" */
        .call_ns = 5000, /* the rest of half a cycle of 37 us at 1,000 a second */
        .entry_ns = 25,  /* of a list that is walked: bench-scans, "debtor" */
};

static void spend(struct host *host, uint64_t ns)
{
	host->busy_ns += ns;
	if (host->machine.takes_cpus)
		world_take(host->world, host->booster_cpu, ns);
	if (host->charges_cpus)
		tracer_foreign(host, host->booster_cpu, ns);
}

void cost_wake(struct host *host)
{
	host->woke = true;
	if (host->charges_cpus)
		host->booster_cpu = (uint32_t)rng_below(&host->random, host->world->n_cpus);
	spend(host, host->machine.wake_ns);
}

void cost_begin(struct host *host, const struct host_work *work)
{
	host->spends_for = *work;
	host->was_boosted = boosted_slots_has(&host->boosted, work->slot);
	host->step_ns = host->machine.step_ns + host->scan_ns;
	host->scan_ns = 0;
	spend(host, host->machine.step_ns);
}

void cost_call(struct host *host)
{
	host->step_ns += host->machine.call_ns;
	spend(host, host->machine.call_ns);
}

void cost_scan(struct host *host, const struct boosted_lists *lists, uint32_t list)
{
	uint64_t ns = 0;

	for (int i = boosted_first(lists, list); i >= 0; i = boosted_next(lists, (unsigned int)i))
		ns += host->machine.entry_ns;
	host->scan_ns += ns;
	spend(host, ns);
}

static void charge(struct host *host, unsigned int slot, uint64_t used_ns)
{
	unsigned int domain = host->vcpus[slot].domain;

	if (host->woke)
		used_ns += host->machine.wake_ns;
	host->woke = false;
	host->caused_ns[domain] += used_ns;
	if (host->mutation == MUTATION_UNCHARGED)
		return;
	if (host->mutation == MUTATION_MISCHARGED)
		domain = (domain + 1) % host->n_domains;
	attention_charge(host->attention, domain, used_ns, host->world->now_ns);
}

/* What a CPU whose bucket is empty causes is charged to no domain. */
static bool is_of_others(enum policy_event event)
{
	return event == POLICY_EVENT_MAY_PUSH || event == POLICY_EVENT_SHED ||
	       event == POLICY_EVENT_CPU_EXHAUSTED;
}

/* To end a boost is paid for when it begins. */
void cost_end(struct host *host)
{
	const struct host_work *work = &host->spends_for;
	bool is_boosted = boosted_slots_has(&host->boosted, work->slot);
	uint64_t used_ns = host->step_ns;

	if (work->is_call || is_of_others(work->event))
		return;
	if (is_boosted != host->was_boosted)
		used_ns = is_boosted ? 2 * used_ns : 0;
	charge(host, work->slot, used_ns);
}

/* One that needs no decision. */
void cost_event(struct host *host, unsigned int slot)
{
	spend(host, host->machine.step_ns);
	charge(host, slot, host->machine.step_ns);
}

uint64_t cost_unheard_until_ns(const struct host *host, unsigned int slot)
{
	return attention_unheard_until_ns(host->attention, host->vcpus[slot].domain,
	                                  host->world->now_ns);
}
