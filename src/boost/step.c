// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/step.h"

#include "boost/booster_private.h"
#include "util/clock.h"

/* What is longer was not the booster's own work. */
#define STEP_COST_MAX_NS (200 * NSEC_PER_USEC)

/* Steps of one domain in a row are charged together: a charge costs more than they may be off. */
#define STEP_OWED_MAX_NS (20 * NSEC_PER_USEC)

static void facts(struct booster *b, unsigned int slot, uint64_t now_ns, struct policy_facts *ret)
{
	account_facts(b->accounts, slot, now_ns, ret);
	pages_facts(b->pages, slot, now_ns, ret);
	ret->awaited =
	        b->accounts->vcpus[slot].helper &&
	        boosted_has_vcpu(actuator_boosted(b->actuator), b->accounts, b->slots[slot].domain);
	ret->unheard_until_ns =
	        attention_unheard_until_ns(b->attention, b->slots[slot].domain, now_ns);
}

struct step_cost step_begin(const struct booster *b, unsigned int slot)
{
	return (struct step_cost){.slot = slot,
	                          .was_boosted = actuator_is_boosted(b->actuator, slot),
	                          .begin_ns = clock_now_ns()};
}

/* Charges the steps of the domain that had the last ones. */
static void settle(struct booster *b, uint64_t now_ns)
{
	if (b->cost.owed_ns)
		attention_charge(b->attention, b->cost.debtor, b->cost.owed_ns, now_ns);
	b->cost.owed_ns = 0;
}

static void owe(struct booster *b, unsigned int domain, uint64_t used_ns, uint64_t now_ns)
{
	if (b->cost.debtor != domain)
		settle(b, now_ns);
	b->cost.debtor = domain;
	b->cost.owed_ns += used_ns;
	if (b->cost.owed_ns > STEP_OWED_MAX_NS)
		settle(b, now_ns);
}

/*
 * A boost has to be ended, too, which costs about as much and must not wait for tokens: it pays for
 * that when it begins.
 */
uint64_t step_end(struct booster *b, const struct step_cost *cost)
{
	bool is_boosted = actuator_is_boosted(b->actuator, cost->slot);
	uint64_t now_ns = clock_now_ns(), used_ns = now_ns - cost->begin_ns;

	/* a host that stands still meanwhile is not the domain's fault */
	used_ns = MIN(used_ns, STEP_COST_MAX_NS);
	b->cost.steps_ns += used_ns;
	if (is_boosted != cost->was_boosted)
		used_ns = is_boosted ? 2 * used_ns : 0;
	if (!b->cost.caused)
		b->cost.domain = b->slots[cost->slot].domain;
	b->cost.caused = true;
	owe(b, b->slots[cost->slot].domain, used_ns, now_ns);
	return now_ns;
}

uint64_t step_end_of_others(struct booster *b, const struct step_cost *cost)
{
	uint64_t now_ns = clock_now_ns();

	b->cost.steps_ns += now_ns - cost->begin_ns;
	return now_ns;
}

void step_turn_end(struct booster *b)
{
	uint64_t cpu_ns = clock_thread_ns(), used_ns = cpu_ns - b->cost.begin_ns;
	uint64_t now_ns = clock_now_ns();

	used_ns = used_ns > b->cost.steps_ns ? used_ns - b->cost.steps_ns : 0;
	if (b->cost.caused)
		owe(b, b->cost.domain, MIN(used_ns, STEP_COST_MAX_NS), now_ns);
	settle(b, now_ns);
	b->cost = (struct turn_cost){.begin_ns = cpu_ns};
}

/*
 * @forgets: another program changed the thread, as far as is known, and only what it left is given
 * back. Returns the time afterwards.
 */
static uint64_t unboost(struct booster *b, unsigned int slot, bool forgets, uint64_t now_ns)
{
	int r = actuator_unboost(b->actuator, slot, now_ns);

	now_ns = clock_now_ns();
	if (r < 0) {
		/* still boosted, still charged: the tracer will call the guardian */
		notes_add(&b->notes, BOOSTER_NOTE_FAILED, slot, r);
		return now_ns;
	}
	account_unboosted(b->accounts, slot, now_ns);
	if (r == ACTUATOR_GONE)
		notes_add(&b->notes, BOOSTER_NOTE_GONE, slot, 0);
	else if (forgets || r == ACTUATOR_FOREIGN)
		notes_add(&b->notes, BOOSTER_NOTE_FOREIGN, slot, r == 0);
	return now_ns;
}

void step_unboost(struct booster *b, unsigned int slot)
{
	unboost(b, slot, false, clock_now_ns());
}

/* Which hold says why a boost failed. */
static uint32_t failure(struct booster *b, unsigned int slot, int r)
{
	switch (r) {
	case ACTUATOR_ALREADY_RT:
		return POLICY_HOLD(POLICY_REASON_ALREADY_RT);
	case ACTUATOR_REFUSED:
		notes_add(&b->notes, BOOSTER_NOTE_REFUSED, slot, 0);
		return POLICY_HOLD(POLICY_REASON_RT_REFUSED);
	case ACTUATOR_GONE:
		notes_add(&b->notes, BOOSTER_NOTE_GONE, slot, 0);
		return POLICY_HOLD(POLICY_REASON_FAILED);
	}
	notes_add(&b->notes, BOOSTER_NOTE_FAILED, slot, r);
	return POLICY_HOLD(POLICY_REASON_FAILED);
}

/*
 * Charged from before the change, so that every boosted moment is charged. Returns 0, or the hold
 * that says why it failed.
 */
static uint32_t boost(struct booster *b, unsigned int slot, const struct policy_decision *decision,
                      uint64_t now_ns)
{
	int r;

	if (actuator_is_boosted(b->actuator, slot)) {
		/* it could not be unboosted before: that comes first */
		step_unboost(b, slot);
		if (actuator_is_boosted(b->actuator, slot))
			return POLICY_HOLD(POLICY_REASON_FAILED);
	}
	account_set_payer(b->accounts, slot, decision->payer, decision->pulse_ns);
	account_boosted(b->accounts, slot, now_ns);
	r = actuator_boost(b->actuator, slot, now_ns);
	if (r == 0)
		return 0;
	account_unboosted(b->accounts, slot, clock_now_ns());
	return failure(b, slot, r);
}

/* A decision was made at *now_ns, which becomes the time when it is carried out. */
static void carry_out(struct booster *b, unsigned int slot, const struct policy_decision *decision,
                      uint64_t *now_ns)
{
	struct policy_facts f;
	uint32_t hold;

	switch (decision->action) {
	case POLICY_NOTHING:
		return;
	case POLICY_BOOST:
		hold = boost(b, slot, decision, *now_ns);
		*now_ns = clock_now_ns();
		facts(b, slot, *now_ns, &f);
		policy_boosted(b->policy, slot, hold, &f, *now_ns);
		return;
	case POLICY_UNBOOST:
	case POLICY_FORGET:
		*now_ns = unboost(b, slot, decision->action == POLICY_FORGET, *now_ns);
		return;
	case POLICY_PUSH:
		push_vcpu(&b->push, slot, *now_ns);
		return;
	}
}

/* Carries a decision out, and tells tracer and guest what follows from it. */
static void apply(struct booster *b, unsigned int slot, const struct policy_decision *decision,
                  uint64_t now_ns)
{
	const struct policy_view *view = policy_view(b->policy, slot);

	account_report_halt(b->accounts, slot, decision->report_halt);
	/* a boosted vCPU may run at once, and the tracer looks then which events are wanted of it
	 */
	account_report(b->accounts, slot, view);
	carry_out(b, slot, decision, &now_ns);
	account_report(b->accounts, slot, view);
	if (decision->action != POLICY_NOTHING && pages_publish(b->pages, slot, view, now_ns))
		notes_add(&b->notes, BOOSTER_NOTE_TELL, slot, 1);
}

static void decide(struct booster *b, unsigned int slot, const struct policy_input *input,
                   struct policy_decision *ret)
{
	uint64_t denied = policy_view(b->policy, slot)->denied_sum;

	policy_step(b->policy, slot, input, ret);
	if (!b->notes_denied || policy_view(b->policy, slot)->denied_sum == denied)
		return;
	b->notes_denied = false;
	notes_add(&b->notes, BOOSTER_NOTE_DENIED, slot, 0);
}

enum policy_action step_vcpu_at(struct booster *b, unsigned int slot, enum policy_event event,
                                uint64_t now_ns)
{
	struct policy_facts f;
	struct policy_input input = {.event = event, .facts = &f, .now_ns = now_ns};
	struct policy_decision decision;
	enum policy_action first;

	facts(b, slot, now_ns, &f);
	if (event == POLICY_EVENT_MAY_PUSH)
		f.room_elsewhere = policy_may_push(b->policy, slot, now_ns) &&
		                   push_has_room(&b->push, slot, now_ns);
	decide(b, slot, &input, &decision);
	apply(b, slot, &decision, now_ns);
	first = decision.action;
	if (!decision.report_halt)
		return first;
	/* the vCPU may have halted before the tracer was asked to report that */
	input.event = POLICY_EVENT_HALTED;
	input.now_ns = clock_now_ns();
	facts(b, slot, input.now_ns, &f);
	if (f.whereabouts != POLICY_HALTED)
		return first;
	decide(b, slot, &input, &decision);
	apply(b, slot, &decision, input.now_ns);
	return first;
}

void step_awaited(struct booster *b, unsigned int slot, const struct policy_offer *offer,
                  uint64_t now_ns)
{
	struct policy_facts f;
	struct policy_input input = {POLICY_EVENT_AWAITED, &f, now_ns, offer};
	struct policy_decision decision;

	facts(b, slot, now_ns, &f);
	decide(b, slot, &input, &decision);
	apply(b, slot, &decision, now_ns);
}

enum policy_action step_vcpu(struct booster *b, unsigned int slot, enum policy_event event)
{
	return step_vcpu_at(b, slot, event, clock_now_ns());
}

void step_all(struct booster *b, enum policy_event event)
{
	for (unsigned int i = 0; i < PVS_VCPUS_MAX; i++)
		if (b->slots[i].used)
			step_vcpu(b, i, event);
}
