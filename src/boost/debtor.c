// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/debtor.h"

static int find(const struct accounts *accounts, const struct boosted_slots *boosted,
                unsigned int running, bool of_domain, uint64_t now_ns)
{
	const struct pvs_vcpu_account *here = &accounts->vcpus[running];
	struct policy_debt debts[2]; /* the largest one so far, and the next one */
	size_t n = 0;

	for (unsigned int i = 0; i < boosted->n; i++) {
		unsigned int slot = boosted->slots[i];
		const struct pvs_vcpu_account *a = &accounts->vcpus[slot];

		if (a->cpu != here->cpu || (of_domain && a->domain != here->domain))
			continue;
		debts[n] = (struct policy_debt){
		        .vcpu = slot,
		        .owed_ns = account_owed_ns(accounts, slot, now_ns),
		};
		debts[0] = debts[policy_debtor(debts, n + 1)];
		n = 1;
	}
	return n ? (int)debts[0].vcpu : -1;
}

int debtor_on_cpu(const struct accounts *accounts, const struct boosted_slots *boosted,
                  unsigned int running, uint64_t now_ns)
{
	return find(accounts, boosted, running, false, now_ns);
}

int debtor_of_domain(const struct accounts *accounts, const struct boosted_slots *boosted,
                     unsigned int running, uint64_t now_ns)
{
	return find(accounts, boosted, running, true, now_ns);
}
