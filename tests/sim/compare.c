// SPDX-License-Identifier: GPL-2.0-or-later
/* The main thread's comparisons, around the real src/policy/harm.c. It acts at once: what it does
 * takes no time of the simulated CPUs. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

/* How often the daemon looks whether there are late waits: at its watchdog's ticks. */
#define LOOK_NS NSEC_PER_SEC

static void read_counts(void *userdata, unsigned int slot, struct harm_counts *ret)
{
	const struct host *host = userdata;
	const struct pvs_vcpu_account *vcpu = &host->vcpus[slot];

	ret->boosted_ns = vcpu->used_ns;
	memcpy(ret->waits, vcpu->wait_counts, sizeof(ret->waits));
}

static void plan(struct host *host)
{
	uint64_t at_ns = MIN(harm_next_ns(host->harm), host->look_ns);

	world_plan(host->world, MAX(at_ns, host->world->now_ns), HAPPENS_LOOK, 0,
	           ++host->compare_generation);
}

/* A pinned vCPU's CPU is a set; those that are not pinned have all. */
static void add(struct host *host, unsigned int slot)
{
	const struct thread *t = &host->world->threads[slot];
	uint32_t set = t->only_cpu < 0 ? 0 : (uint32_t)t->only_cpu;
	uint32_t cpus = t->only_cpu < 0 ? host->world->n_cpus : 1;

	if (t->observed || t->own_priority)
		return;
	if (harm_put(host->harm, slot, (unsigned int)t->domain, set) < 0)
		abort();
	harm_set_capacity(host->harm, set, cpus * host->cpu_rule.share_permille);
}

void compare_start(struct host *host)
{
	host->harm = harm_new(host->n_vcpus, host->random, read_counts, host);
	if (!host->harm)
		abort();
	for (unsigned int i = 0; i < host->n_vcpus; i++)
		add(host, i);
	host->look_ns = host->world->now_ns + LOOK_NS;
	plan(host);
}

void compare_step(struct host *host, const struct entry *entry)
{
	uint64_t now = host->world->now_ns;
	uint32_t holds;
	int slot = -1;

	if (entry->generation != host->compare_generation || host->closed)
		return;
	if (now >= host->look_ns) {
		host->look_ns = now + LOOK_NS;
		harm_look(host->harm, now);
	}
	harm_step(host->harm, now);
	while ((slot = harm_change(host->harm, slot, &holds)) >= 0)
		host_set_holds(host, (unsigned int)slot, holds, HARM_HOLDS & ~holds);
	plan(host);
}
