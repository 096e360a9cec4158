// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/push.h"

#include "boost/sched.h"

static bool is_foreign(struct push *push, unsigned int cpu, uint64_t now_ns)
{
	struct push_cpu *c = &push->cpus[cpu % PVS_CPUS_MAX];
	uint64_t foreign_ns = account_foreign_ns(push->accounts, cpu);
	uint64_t grown_ns = foreign_ns - c->foreign_ns, took_ns = now_ns - c->at_ns;

	/* a window of more than a second tells nothing about now: the next one does */
	if (took_ns >= PUSH_WINDOW_NS)
		*c = (struct push_cpu){
		        .at_ns = now_ns,
		        .foreign_ns = foreign_ns,
		        .is_foreign = took_ns > NSEC_PER_SEC ||
		                      grown_ns > took_ns / 1000 * PUSH_FOREIGN_PERMILLE,
		};
	return c->is_foreign;
}

bool push_has_room(struct push *push, unsigned int slot, uint64_t now_ns)
{
	const struct accounts *accounts = push->accounts;
	unsigned int here = accounts->vcpus[slot].cpu;
	struct cpu_set_bits cpus;

	if (!affinity_may_visit(push->affinity, here) || is_foreign(push, here, now_ns) ||
	    sched_get_cpus((pid_t)accounts->vcpus[slot].tid, &cpus) < 0)
		return false;
	CPU_SET_BITS_FOREACH(cpu, &cpus)
	{
		if (cpu != here && account_has_room(accounts, slot, cpu, now_ns))
			return true;
	}
	return false;
}

void push_vcpu(struct push *push, unsigned int slot, uint64_t now_ns)
{
	struct policy_facts facts;

	account_watch_again(push->accounts, slot);
	account_facts(push->accounts, slot, now_ns, &facts);
	/* a vCPU that stays is unboosted when the policy looks next, or when the tracer tells again
	 */
	if (facts.whereabouts == POLICY_RUNNING && facts.tokens_ns <= facts.prices.tokens_min_ns)
		affinity_visit(push->affinity, push->accounts->vcpus[slot].cpu);
}
