/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "charge.h"

#include "core/run.h"

static void domain_charge(struct host *host, uint32_t slot, uint64_t now, uint64_t charge)
{
	if (host->mutation == MUTATION_NEVER_CHARGE || host->mutation == MUTATION_NO_DOMAIN)
		return;
	pvs_domain_charge(&host->domains[slot], now, charge);
}

void charge_cpu(struct host *host, uint32_t cpu, uint64_t now, uint64_t charge, uint64_t ran,
                bool foreign)
{
	if (host->mutation != MUTATION_NO_SHEET)
		pvs_sheet_charge(&host->cpus[cpu].sheet, now, ran);
	if (host->mutation == MUTATION_NEVER_CHARGE || host->mutation == MUTATION_NO_CPU)
		return;
	pvs_cpu_charge(&host->cpus[cpu], &host->cpu_rule, now, charge, foreign);
}

static void vcpu_charge(struct host *host, uint32_t slot, uint64_t now, uint64_t charge)
{
	if (host->mutation == MUTATION_NEVER_CHARGE || host->mutation == MUTATION_NO_VCPU)
		return;
	helping_charge(host, slot, now, charge);
}

void charge_boosted(struct host *host, uint32_t slot, uint32_t cpu, uint64_t until, uint64_t charge,
                    uint64_t ran)
{
	charge_cpu(host, cpu, until, pvs_cpu_price(&host->prices, charge, ran), ran, false);
	if (host->mutation == MUTATION_PULSE_UNPAID && host->vcpus[slot].payer)
		return;
	if (host->mutation != MUTATION_FOLLOW_FREE || !host->vcpus[slot].helper)
		domain_charge(host, host->vcpus[slot].domain, until, charge);
	helpers_charge(host, host->vcpus[slot].domain, cpu, until, charge);
	vcpu_charge(host, slot, until, charge);
}
