// SPDX-License-Identifier: GPL-2.0-or-later
/* A CPU whose bucket is empty, or whose sheet is used up: src/boost/debtor.c, src/boost/push.c,
 * src/boost/events.c. */
#include "host.h"

#include "boost/debtor.h"

void crowded_make_way(struct host *host, unsigned int running)
{
	int most;

	if (host->of_sheet[running]) {
		booster_add_work(host, running, POLICY_EVENT_SHEET_USED_UP);
		return;
	}
	boosted_slots_follow(&host->boosted, &host->accounts);
	cost_scan(host, &host->boosted.of_cpu, host->vcpus[running].cpu);
	most = debtor_on_cpu(&host->accounts, &host->boosted, running, host->world->now_ns);
	/* the last in is the first out */
	booster_add_work(host, running,
	                 most == (int)running ? POLICY_EVENT_SHED : POLICY_EVENT_CPU_EXHAUSTED);
	if (most >= 0 && most != (int)running)
		booster_add_work(host, (unsigned int)most, POLICY_EVENT_SHED);
}

/* It goes on elsewhere, if the policy says so. */
void crowded_shed(struct host *host, unsigned int running)
{
	if (boosted_slots_has(&host->boosted, running) && host->mutation != MUTATION_STAY)
		booster_add_work(host, running, POLICY_EVENT_MAY_PUSH);
	else
		crowded_make_way(host, running);
}

bool crowded_has_room(const struct host *host, unsigned int slot)
{
	const struct thread *t = &host->world->threads[slot];

	for (uint32_t cpu = 0; cpu < host->world->n_cpus; cpu++)
		if (cpu != t->cpu && t->only_cpu < 0 &&
		    account_has_room(&host->accounts, slot, cpu, host->world->now_ns))
			return true;
	return false;
}

void crowded_push(struct host *host, unsigned int slot)
{
	struct policy_facts f;

	host->pushed++;
	account_watch_again(&host->accounts, slot);
	account_facts(&host->accounts, slot, host->world->now_ns, &f);
	if (f.whereabouts == POLICY_RUNNING && f.tokens_ns <= f.prices.tokens_min_ns)
		world_push(host->world, slot);
}

void crowded_mates_make_room(struct host *host, unsigned int running)
{
	const struct pvs_vcpu_account *here = &host->vcpus[running];
	const struct boosted_lists *lists = &host->boosted.of_domain;

	cost_scan(host, lists, here->domain);
	for (int i = boosted_first(lists, here->domain); i >= 0;
	     i = boosted_next(lists, (unsigned int)i))
		if (host->vcpus[i].cpu == here->cpu && i != (int)running)
			booster_add_work(host, (unsigned int)i, POLICY_EVENT_HELPER);
}

void crowded_make_room(struct host *host, unsigned int running)
{
	crowded_mates_make_room(host, running);
	booster_add_work(host, running, POLICY_EVENT_HELPER);
}
