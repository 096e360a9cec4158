// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/debtor.h"

int debtor_on_cpu(const struct accounts *accounts, const struct boosted_slots *boosted,
                  unsigned int running, uint64_t now_ns)
{
	uint32_t cpu = accounts->vcpus[running].cpu;
	struct policy_debt debts[2]; /* the largest one so far, and the next one */
	size_t n = 0;
	int slot;

	for (slot = boosted_first(&boosted->of_cpu, cpu % PVS_CPUS_MAX); slot >= 0;
	     slot = boosted_next(&boosted->of_cpu, (unsigned int)slot)) {
		/* it has moved since the list followed the tracer */
		if (accounts->vcpus[slot].cpu != cpu)
			continue;
		debts[n] = (struct policy_debt){
		        .vcpu = (unsigned int)slot,
		        .owed_ns = account_owed_ns(accounts, (unsigned int)slot, now_ns),
		};
		debts[0] = debts[policy_debtor(debts, n + 1)];
		n = 1;
	}
	return n ? (int)debts[0].vcpu : -1;
}
