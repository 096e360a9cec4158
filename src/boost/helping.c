// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/helping.h"

#include "boost/booster_private.h"
#include "boost/step.h"
#include "util/clock.h"

/* Of a larger domain so many others are looked at, after the waiter in the domain's list. */
#define SIBLINGS_MAX 64

void helping_join(struct booster *b, unsigned int slot)
{
	boosted_list_append(&b->of_domain, b->slots[slot].domain, slot);
}

void helping_leave(struct booster *b, unsigned int slot)
{
	boosted_list_remove(&b->of_domain, slot);
}

/* The one that the waiter may know of comes first: the list may be too short for it. */
static int known(const struct booster *b, unsigned int waiter, uint32_t arg)
{
	const struct pvs_vcpu_account *w = &b->accounts->vcpus[waiter];
	uint32_t slot = pvs_waits_slot(arg);

	if (pvs_waits_how(arg) == PVS_WAITS_SPINS)
		slot = PVS_READ(w->awaits_ns) ? PVS_READ(w->awaits) : PVS_VCPUS_MAX;
	if (slot >= PVS_VCPUS_MAX || slot == waiter || !b->slots[slot].used ||
	    b->slots[slot].domain != b->slots[waiter].domain)
		return -1;
	return (int)slot;
}

static size_t gather(struct booster *b, unsigned int waiter, uint32_t arg, uint64_t now_ns,
                     struct help_sibling siblings[SIBLINGS_MAX])
{
	unsigned int domain = b->slots[waiter].domain;
	int i = (int)waiter, first = known(b, waiter, arg);
	size_t n = 0;

	if (first >= 0)
		siblings[n++] =
		        account_sibling(b->accounts, waiter, (unsigned int)first, arg, now_ns);
	if (pvs_waits_how(arg) == PVS_WAITS_SENT)
		return n;
	while (n < SIBLINGS_MAX) {
		i = boosted_next(&b->of_domain, (unsigned int)i);
		if (i < 0)
			i = boosted_first(&b->of_domain, domain);
		if (i < 0 || i == (int)waiter)
			break;
		if (i != first)
			siblings[n++] =
			        account_sibling(b->accounts, waiter, (unsigned int)i, arg, now_ns);
	}
	return n;
}

/* Returns whether it was boosted. */
static bool pulse(struct booster *b, unsigned int waiter, unsigned int awaited)
{
	uint64_t now_ns = clock_now_ns();
	struct policy_offer offer = account_offer(b->accounts, waiter, awaited, now_ns);

	step_awaited(b, awaited, &offer, now_ns);
	return actuator_is_boosted(b->actuator, awaited);
}

void helping_waits(struct booster *b, unsigned int waiter, uint32_t arg, uint64_t now_ns)
{
	uint64_t unheard_ns =
	        attention_unheard_until_ns(b->attention, b->slots[waiter].domain, now_ns);
	uint32_t help = policy_help_of(b->policy, waiter);
	struct help_sibling siblings[SIBLINGS_MAX];
	struct help_choice choice;
	struct policy_help told = {.spins = pvs_waits_how(arg) != PVS_WAITS_SENT};

	if (actuator_is_boosted(b->actuator, waiter) && told.spins)
		step_vcpu_at(b, waiter, POLICY_EVENT_SPIN, now_ns);
	if (unheard_ns > now_ns) {
		account_set_waits_from(b->accounts, waiter, unheard_ns);
		return;
	}
	if (!help || actuator_is_boosted(b->actuator, waiter))
		return;
	choice = help_choose(siblings, gather(b, waiter, arg, now_ns, siblings), help, told.spins);
	told.round = choice.round;
	if (choice.round != HELP_NONE) {
		told.awaited = siblings[choice.index].vcpu;
		told.pulsed = pulse(b, waiter, told.awaited);
	}
	told.entitled_permille = PVS_READ(b->accounts->vcpus[waiter].entitled_permille);
	told.now_ns = clock_now_ns();
	account_set_waits_from(b->accounts, waiter, policy_helped(b->policy, waiter, &told));
}
