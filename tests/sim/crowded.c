// SPDX-License-Identifier: GPL-2.0-or-later
/* A CPU whose bucket is empty: src/boost/debtor.c, src/boost/push.c, src/boost/events.c. */
#include "host.h"

static int find_debtor(struct host *host, unsigned int running, bool mates)
{
	const struct pvs_vcpu_account *here = &host->vcpus[running];
	size_t n = 0;
	int most;

	for (unsigned int i = 0; i < host->n_vcpus; i++) {
		if (!host->boosted[i] || host->vcpus[i].cpu != here->cpu ||
		    (mates && host->vcpus[i].domain != here->domain))
			continue;
		host->claims[n++] = (struct policy_debt){
		        .vcpu = i,
		        .owed_ns = account_owed_ns(&host->accounts, i, host->world->now_ns),
		};
	}
	most = policy_debtor(host->claims, n);
	return most >= 0 ? (int)host->claims[most].vcpu : -1;
}

void crowded_make_way(struct host *host, unsigned int running)
{
	int most = find_debtor(host, running, false);

	/* the last in is the first out */
	booster_add_work(host, running,
	                 most == (int)running ? POLICY_EVENT_SHED : POLICY_EVENT_CPU_EXHAUSTED);
	if (most >= 0 && most != (int)running)
		booster_add_work(host, (unsigned int)most, POLICY_EVENT_SHED);
}

/* It goes on elsewhere, if the policy says so. */
void crowded_shed(struct host *host, unsigned int running)
{
	if (host->boosted[running] && host->mutation != MUTATION_STAY)
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
	if (f.whereabouts == POLICY_RUNNING && f.tokens_ns <= PVS_TOKENS_MIN_NS)
		world_push(host->world, slot);
}

void crowded_make_room(struct host *host, unsigned int running)
{
	int most = find_debtor(host, running, true);

	if (most >= 0 && most != (int)running)
		booster_add_work(host, (unsigned int)most, POLICY_EVENT_HELPER);
	booster_add_work(host, running, POLICY_EVENT_HELPER);
}
