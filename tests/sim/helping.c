/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bpf/relate.h and src/boost/helping.c on virtual time, as tracer.c and booster.c have the rest. */
#include "host.h"

#include "core/relate.h"
#include "core/run.h"

#define VECTOR       0xfb /* of all interrupts that vCPUs send here */
#define SIBLINGS_MAX 64

/* ---- the tracer ---- */

void helping_sends(void *userdata, int from, int to)
{
	struct host *host = userdata;
	uint64_t now = host->world->now_ns;
	struct pvs_vcpu_account *sender = &host->vcpus[from], *receiver = &host->vcpus[to];

	if (!(sender->flags & PVS_FLAG_RELATES) || host->mutation == MUTATION_HELPS_NOBODY)
		return;
	pvs_relate_sends(sender, VECTOR);
	if (pvs_relate_received(sender, receiver, (uint32_t)to, VECTOR, now) &&
	    !(sender->flags & PVS_FLAG_BOOSTED) && pvs_waits_for_is_told(sender, receiver, now))
		tracer_send(host, (uint32_t)from, PVS_EVENT_WAITS,
		            pvs_waits_arg(PVS_WAITS_SENT, (uint32_t)to));
}

void helping_spun(struct host *host, uint32_t slot)
{
	if (host->mutation != MUTATION_HELPS_NOBODY &&
	    pvs_waits_is_told(&host->vcpus[slot], host->world->now_ns))
		tracer_send(host, slot, PVS_EVENT_WAITS, pvs_waits_arg(PVS_WAITS_SPINS, 0));
}

struct pvs_vcpu_account *helping_payer(const struct host *host, const struct pvs_vcpu_account *vcpu)
{
	if (!vcpu->payer || vcpu->payer == PVS_PAYER_DOMAIN)
		return NULL;
	return &host->vcpus[vcpu->payer - 1];
}

void helping_charge(struct host *host, uint32_t slot, uint64_t until, uint64_t charge)
{
	struct pvs_vcpu_account *vcpu = &host->vcpus[slot];
	struct pvs_vcpu_account *payer = vcpu->payer ? helping_payer(host, vcpu) : vcpu;

	if (payer && payer->domain == vcpu->domain)
		pvs_vcpu_charge(payer, until, charge);
}

/* ---- the booster ---- */

/* A domain's vCPUs have numbers in a row. */
static size_t gather(const struct host *host, unsigned int waiter, uint32_t arg,
                     struct help_sibling siblings[SIBLINGS_MAX])
{
	uint32_t domain = host->vcpus[waiter].domain;
	unsigned int i = waiter;
	size_t n = 0;

	while (i > 0 && host->vcpus[i - 1].domain == domain)
		i--;
	for (; i < host->n_vcpus && host->vcpus[i].domain == domain && n < SIBLINGS_MAX; i++)
		if (i != waiter)
			siblings[n++] = account_sibling(&host->accounts, waiter, i, arg,
			                                host->world->now_ns);
	return n;
}

/* One that spins boosted is unboosted first: what is added last is done first. */
void helping_waits(struct host *host, unsigned int waiter, uint32_t arg)
{
	uint64_t unheard_ns = cost_unheard_until_ns(host, waiter);
	struct help_sibling siblings[SIBLINGS_MAX];
	struct policy_help told = {.spins = pvs_waits_how(arg) != PVS_WAITS_SENT,
	                           .entitled_permille = host->vcpus[waiter].entitled_permille,
	                           .now_ns = host->world->now_ns};
	struct help_choice choice;

	cost_event(host, waiter);
	if (unheard_ns) {
		account_set_waits_from(&host->accounts, waiter, unheard_ns);
		return;
	}
	choice = help_choose(siblings, gather(host, waiter, arg, siblings),
	                     policy_help_of(host->policy, waiter), told.spins);
	told.round = choice.round;
	if (choice.round != HELP_NONE) {
		told.awaited = siblings[choice.index].vcpu;
		told.pulsed = true;
		booster_add_help(host, told.awaited, waiter);
	}
	account_set_waits_from(&host->accounts, waiter, policy_helped(host->policy, waiter, &told));
	if (told.spins && boosted_slots_has(&host->boosted, waiter))
		booster_add_work(host, waiter, POLICY_EVENT_SPIN);
}

bool helping_offer(const struct host *host, const struct host_work *work, struct policy_offer *ret)
{
	if (work->event != POLICY_EVENT_AWAITED)
		return false;
	*ret = account_offer(&host->accounts, work->waiter, work->slot, host->world->now_ns);
	/* two are never boosted for one wait */
	if (boosted_slots_has(&host->boosted, work->waiter))
		ret->tokens_ns = 0;
	return true;
}
