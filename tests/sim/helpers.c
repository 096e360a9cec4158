/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bpf/helpers.h in C, on virtual time: see tracer.c. */
#include "host.h"

#include <stdlib.h>

#include "core/helper.h"

#include "follow.h"
#include "rng.h"

#define SLOT_NONE UINT32_MAX

static uint32_t hindered_by(const struct host *host, uint32_t number, uint32_t cpu)
{
	int slot = host->world->cpus[cpu].current;
	const struct pvs_vcpu_account *vcpu;

	if (slot < 0 || (unsigned int)slot >= host->n_vcpus)
		return SLOT_NONE;
	vcpu = &host->vcpus[slot];
	if (!vcpu->in_ns || !(vcpu->flags & PVS_FLAG_BOOSTED) || vcpu->cpu != cpu ||
	    vcpu->domain != number / PVS_HELPERS_OF_DOMAIN)
		return SLOT_NONE;
	return (uint32_t)slot;
}

/* Judged here, by the wait itself: one event for each. */
static void report_wait(struct host *host, uint32_t number, uint32_t slot)
{
	uint64_t since_ns = host->helpers[number].since_ns;

	if (host->reported_ns[number] == since_ns)
		host->broken = "one wait of a helper was reported twice";
	host->reported_ns[number] = since_ns;
	tracer_send(host, slot, PVS_EVENT_HELPER, number % PVS_HELPERS_OF_DOMAIN);
}

static void look_start(struct host *host, uint32_t number, uint64_t now, uint64_t delay)
{
	if (host->look_due_ns[number] > now && host->look_due_ns[number] <= now + delay)
		return;
	host->look_due_ns[number] = now + delay;
	world_plan(host->world, now + delay + rng_below(&host->random, HOST_TIMER_NS),
	           HAPPENS_HELPER, number, ++host->look_generation[number]);
}

static void helper_watch(struct host *host, uint32_t number, uint32_t slot, uint64_t now)
{
	struct pvs_helper_account *helper = &host->helpers[number];
	const struct pvs_vcpu_account *vcpu = &host->vcpus[slot];
	uint64_t delay;

	if (!helper->since_ns || helper->cpu != vcpu->cpu || vcpu->helper == number + 1 ||
	    host->mutation == MUTATION_NO_HELPER)
		return;
	if (pvs_helper_is_told(helper->told, helper->since_ns) &&
	    host->mutation != MUTATION_HELPER_AGAIN)
		return;
	delay = pvs_helper_patience(helper, vcpu, now);
	if (!delay) {
		if (pvs_helper_tell(helper, helper->since_ns) ||
		    host->mutation == MUTATION_HELPER_AGAIN)
			report_wait(host, number, slot);
		return;
	}
	look_start(host, number, now, delay);
}

static void follow_watch(struct host *host, uint32_t number, uint64_t now)
{
	uint64_t delay = follow_look(host, number, now);

	if (delay)
		look_start(host, number, now, delay);
}

void helpers_looked(struct host *host, const struct entry *entry)
{
	uint32_t number = entry->number, slot;

	if (entry->generation != host->look_generation[number])
		return;
	host->look_due_ns[number] = 0;
	if (!host->helpers[number].since_ns)
		return;
	follow_watch(host, number, host->world->now_ns);
	slot = hindered_by(host, number, host->helpers[number].cpu);
	if (slot != SLOT_NONE)
		helper_watch(host, number, slot, host->world->now_ns);
}

void helpers_watch(struct host *host, uint32_t slot, uint64_t now)
{
	uint32_t domain = host->vcpus[slot].domain;
	uint32_t waiting = host->domains[domain].helpers_waiting;

	for (uint32_t i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		if (waiting & (UINT32_C(1) << i))
			helper_watch(host, domain * PVS_HELPERS_OF_DOMAIN + i, slot, now);
}

void helpers_charge(struct host *host, uint32_t domain, uint32_t cpu, uint64_t until,
                    uint64_t charge)
{
	uint32_t waiting = host->domains[domain].helpers_waiting;

	for (uint32_t i = 0; i < PVS_HELPERS_OF_DOMAIN; i++) {
		if (waiting & (UINT32_C(1) << i))
			pvs_helper_charge(&host->helpers[domain * PVS_HELPERS_OF_DOMAIN + i], cpu,
			                  until, charge);
	}
}

static void helper_waits(struct host *host, uint32_t number, uint32_t cpu, uint64_t now)
{
	uint32_t slot;

	pvs_helper_wait_begin(&host->helpers[number], cpu, now);
	host->domains[number / PVS_HELPERS_OF_DOMAIN].helpers_waiting |=
	        UINT32_C(1) << (number % PVS_HELPERS_OF_DOMAIN);
	follow_watch(host, number, now);
	slot = hindered_by(host, number, cpu);
	if (slot != SLOT_NONE)
		helper_watch(host, number, slot, now);
}

static void helper_runs(struct host *host, uint32_t number, uint64_t now)
{
	struct pvs_helper_account *helper = &host->helpers[number];

	if (!helper->since_ns)
		return;
	pvs_helper_wait_end(helper, now);
	host->domains[number / PVS_HELPERS_OF_DOMAIN].helpers_waiting &=
	        ~(UINT32_C(1) << (number % PVS_HELPERS_OF_DOMAIN));
}

/* Which helper a thread is; -1: none. */
static int helper_number(const struct host *host, int thread)
{
	return thread < 0 ? -1 : host->helper_of[thread];
}

void helpers_switch(struct host *host, uint32_t cpu, int prev, bool prev_runnable, int next)
{
	int out = helper_number(host, prev), in = helper_number(host, next);
	uint64_t now = host->world->now_ns;

	if (in >= 0)
		helper_runs(host, (uint32_t)in, now);
	if (out >= 0 && prev_runnable)
		helper_waits(host, (uint32_t)out, cpu, now);
}

void helpers_waking(struct host *host, int thread)
{
	int number = helper_number(host, thread);

	if (number >= 0)
		helper_waits(host, (uint32_t)number, host->world->threads[thread].cpu,
		             host->world->now_ns);
}

void helpers_migrate(void *userdata, int thread, uint32_t cpu)
{
	struct host *host = userdata;
	int number = helper_number(host, thread);

	if (number >= 0 && host->helpers[number].since_ns)
		helper_waits(host, (uint32_t)number, cpu, host->world->now_ns);
}

/* Who works for a domain: the threads behind the vCPUs that have one. */
void helpers_number(struct host *host)
{
	const struct world *world = host->world;
	uint32_t *used = calloc(host->n_vcpus + 1, sizeof(*used)), domain;

	if (!used)
		abort();
	for (uint32_t i = 0; i < world->n_threads; i++) {
		host->helper_of[i] = -1;
		if (!follow_is_helper(host, i))
			continue;
		domain = (uint32_t)world->threads[i].domain;
		if (used[domain] < PVS_HELPERS_OF_DOMAIN)
			host->helper_of[i] = (int)(domain * PVS_HELPERS_OF_DOMAIN + used[domain]++);
	}
	free(used);
}
