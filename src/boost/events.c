// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/events.h"

#include "boost/booster_private.h"
#include "boost/children.h"
#include "boost/debtor.h"
#include "boost/helping.h"
#include "boost/step.h"
#include "util/clock.h"

/* Events of the tracer that are one step of their vCPU, and nothing else. */
static const enum policy_event steps[] = {
        [PVS_EVENT_HALTED] = POLICY_EVENT_HALTED,
        [PVS_EVENT_SOFTIRQD] = POLICY_EVENT_SOFTIRQD,
        [PVS_EVENT_URGENT] = POLICY_EVENT_URGENT,
        [PVS_EVENT_ORDINARY] = POLICY_EVENT_ORDINARY,
        [PVS_EVENT_INTERRUPT] = POLICY_EVENT_INTERRUPT,
        [PVS_EVENT_SHORT] = POLICY_EVENT_SHORT,
        [PVS_EVENT_HELPER_WAITS] = POLICY_EVENT_HELPER_WAITS,
};

_Static_assert(POLICY_EVENT_LOOK == 0, "the event of those that are not in the table");

/*
 * The bucket of a CPU is empty. The vCPU that runs there is pushed to another CPU, or it is
 * unboosted, also if others owe more, since the cap holds now. Then the largest debtor of that CPU
 * waits longer, so that the others get its tokens first.
 */
static void cpu_exhausted(struct booster *b, unsigned int running)
{
	int debtor;

	if (actuator_is_boosted(b->actuator, running) &&
	    step_vcpu(b, running, POLICY_EVENT_MAY_PUSH) == POLICY_PUSH)
		return;
	debtor = debtor_on_cpu(b->accounts, actuator_boosted_now(b->actuator), running,
	                       clock_now_ns());
	if (debtor >= 0 && (unsigned int)debtor != running)
		step_vcpu(b, (unsigned int)debtor, POLICY_EVENT_SHED);
	step_vcpu(b, running,
	          debtor == (int)running ? POLICY_EVENT_SHED : POLICY_EVENT_CPU_EXHAUSTED);
}

/*
 * The sheet of a CPU is used up, and the vCPU runs there: it is pushed away or unboosted. What
 * others owe does not matter: each that is switched in there is told in turn.
 */
static void sheet_used_up(struct booster *b, unsigned int running)
{
	if (actuator_is_boosted(b->actuator, running) &&
	    step_vcpu(b, running, POLICY_EVENT_MAY_PUSH) == POLICY_PUSH)
		return;
	step_vcpu(b, running, POLICY_EVENT_SHEET_USED_UP);
}

void events_make_room(struct booster *b, unsigned int slot)
{
	const struct boosted_lists *lists = &actuator_boosted(b->actuator)->of_domain;
	const struct pvs_vcpu_account *here = &b->accounts->vcpus[slot], *mate;
	/* one that is boosted again at once comes after this one, and is not looked at again */
	int last = boosted_last(lists, here->domain), next, i;

	for (i = boosted_first(lists, here->domain); i >= 0; i = i == last ? -1 : next) {
		next = boosted_next(lists, (unsigned int)i);
		mate = &b->accounts->vcpus[i];
		if (PVS_READ(mate->cpu) == PVS_READ(here->cpu) && (unsigned int)i != slot)
			step_vcpu(b, (unsigned int)i, POLICY_EVENT_HELPER);
	}
}

/*
 * A helper waits: the vCPU that runs there makes room, and with it those of its domain that would
 * be in the way next.
 */
static void make_room(struct booster *b, unsigned int running, unsigned int helper)
{
	bool was_boosted = actuator_is_boosted(b->actuator, running);

	step_vcpu(b, running, POLICY_EVENT_HELPER);
	if (was_boosted && !actuator_is_boosted(b->actuator, running) &&
	    !b->slots[running].made_room) {
		b->slots[running].made_room = true;
		notes_add(&b->notes, BOOSTER_NOTE_HELPER, running, (int)helper);
	}
	events_make_room(b, running);
}

static void exhausted(struct booster *b, unsigned int slot, uint32_t which, uint64_t now_ns)
{
	static const enum policy_event events[] = {
	        [PVS_BUCKET_NONE] = POLICY_EVENT_NO_DEADLINE,
	        [PVS_BUCKET_VCPU] = POLICY_EVENT_EXHAUSTED,
	        [PVS_BUCKET_DOMAIN] = POLICY_EVENT_DOMAIN_EXHAUSTED,
	        [PVS_BUCKET_UNSEEN] = POLICY_EVENT_UNSEEN,
	        [PVS_BUCKET_PULSE] = POLICY_EVENT_PULSE_OVER,
	};

	if (which == PVS_BUCKET_NONE && policy_refusals_add(&b->refusals, now_ns))
		notes_add(&b->notes, BOOSTER_NOTE_DEADLINE, slot, 0);
	if (which == PVS_BUCKET_CPU)
		cpu_exhausted(b, slot);
	else if (which == PVS_BUCKET_SHEET)
		sheet_used_up(b, slot);
	else if (which < ARRAY_SIZE(events) && events[which])
		step_vcpu_at(b, slot, events[which], now_ns);
}

static void handle(struct booster *b, const struct pvs_event *event, uint64_t now_ns)
{
	unsigned int slot = event->slot;

	if (event->type < ARRAY_SIZE(steps) && steps[event->type]) {
		step_vcpu_at(b, slot, steps[event->type], now_ns);
		return;
	}
	switch (event->type) {
	case PVS_EVENT_EXHAUSTED:
		exhausted(b, slot, event->arg, now_ns);
		break;
	case PVS_EVENT_SPIN:
		helping_waits(b, slot, pvs_waits_arg(PVS_WAITS_SPINS, 0), now_ns);
		break;
	case PVS_EVENT_WAITS:
		helping_waits(b, slot, event->arg, now_ns);
		break;
	case PVS_EVENT_HELPER:
		make_room(b, slot, event->arg);
		break;
	case PVS_EVENT_FOREIGN:
		/* the tracer may have seen the class from before the boost */
		if (!actuator_has_boost(b->actuator, slot))
			step_vcpu(b, slot, POLICY_EVENT_FOREIGN);
		break;
	case PVS_EVENT_QUOTA:
		step_vcpu(b, slot, POLICY_EVENT_LOOK);
		notes_add(&b->notes, BOOSTER_NOTE_QUOTA, slot, (int)event->arg);
		break;
	case PVS_EVENT_FORK:
		notes_add(&b->notes, BOOSTER_NOTE_FORK, slot, (int)event->arg);
		attention_charge(b->attention, b->slots[slot].domain, CHILDREN_MEND_NS, now_ns);
		step_vcpu_at(b, slot, POLICY_EVENT_LOOK, now_ns);
		break;
	case PVS_EVENT_EXEC:
		if (actuator_is_boosted(b->actuator, slot))
			step_unboost(b, slot);
		notes_add(&b->notes, BOOSTER_NOTE_GONE, slot, 0);
		break;
	case PVS_EVENT_EXIT:
		notes_add(&b->notes, BOOSTER_NOTE_GONE, slot, 0);
		break;
	case PVS_EVENT_RUN:
		pages_switched_in(b->pages, slot, now_ns);
		break;
	}
}

/* Caused by what other threads did: the vCPU's domain is not charged with it. */
static bool is_of_others(const struct pvs_event *event)
{
	return event->type == PVS_EVENT_SOFTIRQD || event->type == PVS_EVENT_QUOTA ||
	       (event->type == PVS_EVENT_EXHAUSTED &&
	        (event->arg == PVS_BUCKET_CPU || event->arg == PVS_BUCKET_SHEET));
}

void events_handle(void *userdata, const struct pvs_event *event)
{
	struct booster *b = userdata;
	struct step_cost cost;
	uint64_t now_ns;

	if (event->slot >= PVS_VCPUS_MAX || !b->slots[event->slot].used ||
	    b->accounts->vcpus[event->slot].tid != event->tid)
		return;
	b->totals.events++;
	cost = step_begin(b, event->slot);
	handle(b, event, cost.begin_ns);
	now_ns = is_of_others(event) ? step_end_of_others(b, &cost) : step_end(b, &cost);
	if (cost.was_boosted != actuator_is_boosted(b->actuator, event->slot) &&
	    now_ns > event->at_ns)
		booster_delay(b, event->slot, now_ns - event->at_ns);
}
