// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/crowd.h"

#include "core/account.h"
#include "util/clock.h"

int crowd_debtor(struct booster *b, unsigned int running, bool mates)
{
	const struct boosted_slots *boosted = actuator_boosted(b->actuator);
	const struct accounts *accounts = b->options.accounts;
	const struct pvs_vcpu_account *here = &accounts->vcpus[running];
	uint64_t now_ns = clock_now_ns();
	size_t n = 0;
	int most;

	for (unsigned int i = 0; i < boosted->n; i++) {
		unsigned int slot = boosted->slots[i];

		if (accounts->vcpus[slot].cpu != here->cpu ||
		    (mates && accounts->vcpus[slot].domain != here->domain))
			continue;
		b->claims[n++] = (struct policy_claim){
		        .vcpu = slot,
		        .owed_ns = account_owed_ns(accounts, slot, now_ns),
		};
	}
	most = policy_debtor(b->claims, n);
	return most >= 0 ? (int)b->claims[most].vcpu : -1;
}

/*
 * Have others' real-time threads had much of that CPU? We would wait there for one that is more
 * urgent than we are, and serve nobody.
 */
static bool is_foreign(struct booster *b, unsigned int cpu, uint64_t now_ns)
{
	struct crowd_cpu *c = &b->crowded[cpu % PVS_CPUS_MAX];
	uint64_t foreign_ns = account_foreign_ns(b->options.accounts, cpu);
	uint64_t grown_ns = foreign_ns - c->foreign_ns, took_ns = now_ns - c->at_ns;

	/* what was long ago says nothing of now: not this time */
	if (took_ns >= CROWD_WINDOW_NS)
		*c = (struct crowd_cpu){
		        .at_ns = now_ns,
		        .foreign_ns = foreign_ns,
		        .is_foreign = took_ns > NSEC_PER_SEC ||
		                      grown_ns > took_ns / 1000 * CROWD_FOREIGN_PERMILLE,
		};
	return c->is_foreign;
}

/* Its affinity may be changed by others, and CPUs come and go. */
static void find_home(struct booster *b)
{
	struct cpu_set_bits cpus;

	if (b->home_asked || b->is_away || sched_get_cpus(0, &cpus) < 0 ||
	    cpu_set_bits_equal(&cpus, &b->cpus))
		return;
	b->cpus = cpus;
	sched_get_home(&cpus, &b->home);
}

bool crowd_has_room(struct booster *b, unsigned int slot, uint64_t now_ns)
{
	const struct accounts *accounts = b->options.accounts;
	unsigned int here = accounts->vcpus[slot].cpu;
	struct cpu_set_bits cpus;

	find_home(b);
	/* where we may not run we can take nobody's place */
	if (!cpu_set_bits_has(&b->home, here) || is_foreign(b, here, now_ns) ||
	    sched_get_cpus((pid_t)accounts->vcpus[slot].tid, &cpus) < 0)
		return false;
	CPU_SET_BITS_FOREACH(cpu, &cpus)
	{
		if (cpu != here && account_has_room(accounts, slot, cpu, now_ns))
			return true;
	}
	return false;
}

int crowd_set_home(struct booster *b, const struct cpu_set_bits *cpus, bool anywhere,
                   struct cpu_set_bits *missing)
{
	int r = anywhere ? sched_go_home(cpus) : sched_set_cpus(0, cpus, missing);

	if (r != 0)
		return r;
	b->home = *cpus;
	b->home_asked = !anywhere;
	b->is_away = false;
	return 0;
}

void crowd_come_home(struct booster *b)
{
	if (b->is_away)
		b->is_away = sched_go_home(&b->home) < 0;
}

void crowd_displace(struct booster *b, unsigned int slot)
{
	const struct accounts *accounts = b->options.accounts;
	struct policy_facts facts;

	account_watch_again(accounts, slot);
	account_facts(accounts, slot, clock_now_ns(), &facts);
	/* who does not go by that is lowered when the policy looks, or when the tracer tells again
	 */
	if (facts.whereabouts == POLICY_RUNNING && facts.tokens_ns <= PVS_TOKENS_MIN_NS)
		b->is_away |= sched_visit_cpu(accounts->vcpus[slot].cpu, &b->home) == SCHED_AWAY;
}
