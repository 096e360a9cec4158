// SPDX-License-Identifier: GPL-2.0-or-later
/* The booster thread: no allocation, no lock, no log. */
#include "boost/booster_thread.h"

#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "boost/crowd.h"
#include "util/clock.h"

static void note(struct booster *b, enum booster_note_type type, unsigned int slot, int error)
{
	mailbox_note(&b->mailbox, &(struct booster_note){type, slot, error});
}

static void facts(struct booster *b, unsigned int slot, uint64_t now_ns, struct policy_facts *ret)
{
	account_facts(b->options.accounts, slot, now_ns, ret);
	pages_facts(b->pages, slot, now_ns, ret);
}

static void lower(struct booster *b, unsigned int slot)
{
	int r = actuator_lower(b->actuator, slot, clock_now_ns());

	if (r < 0) {
		/* still elevated, still charged: the tracer will call the guardian */
		note(b, BOOSTER_NOTE_FAILED, slot, r);
		return;
	}
	account_lowered(b->options.accounts, slot, clock_now_ns());
	if (r == ACTUATOR_FOREIGN)
		note(b, BOOSTER_NOTE_FOREIGN, slot, 0);
	else if (r == ACTUATOR_GONE)
		note(b, BOOSTER_NOTE_GONE, slot, 0);
}

/* Which hold says why a raise did not come off; 0 when it did. */
static uint32_t elevate(struct booster *b, unsigned int slot)
{
	uint64_t now_ns;
	int r;

	if (actuator_is_boosted(b->actuator, slot)) {
		/* it could not be lowered before: not without that first */
		lower(b, slot);
		if (actuator_is_boosted(b->actuator, slot))
			return POLICY_HOLD(POLICY_REASON_FAILED);
	}
	/* charged from before the change: nobody is ever elevated for nothing */
	now_ns = clock_now_ns();
	account_raised(b->options.accounts, slot, now_ns);
	r = actuator_raise(b->actuator, slot, now_ns);
	if (r == 0)
		return 0;
	account_lowered(b->options.accounts, slot, clock_now_ns());
	if (r == ACTUATOR_ALREADY_RT)
		return POLICY_HOLD(POLICY_REASON_ALREADY_RT);
	if (r == ACTUATOR_REFUSED) {
		note(b, BOOSTER_NOTE_REFUSED, slot, 0);
		return POLICY_HOLD(POLICY_REASON_RT_REFUSED);
	}
	note(b, r == ACTUATOR_GONE ? BOOSTER_NOTE_GONE : BOOSTER_NOTE_FAILED, slot, r);
	return POLICY_HOLD(POLICY_REASON_FAILED);
}

static void forget(struct booster *b, unsigned int slot)
{
	int r = actuator_forget(b->actuator, slot);

	if (r < 0) {
		note(b, BOOSTER_NOTE_FAILED, slot, r);
		return;
	}
	account_lowered(b->options.accounts, slot, clock_now_ns());
	note(b, BOOSTER_NOTE_FOREIGN, slot, 0);
}

static void carry_out(struct booster *b, unsigned int slot, const struct policy_decision *decision)
{
	struct policy_facts f;
	uint64_t now_ns;
	uint32_t hold;

	switch (decision->action) {
	case POLICY_NOTHING:
		return;
	case POLICY_RAISE:
		hold = elevate(b, slot);
		now_ns = clock_now_ns();
		facts(b, slot, now_ns, &f);
		policy_raised(b->policy, slot, hold, &f, now_ns);
		return;
	case POLICY_LOWER:
		lower(b, slot);
		return;
	case POLICY_FORGET:
		forget(b, slot);
		return;
	case POLICY_DISPLACE:
		crowd_displace(b, slot);
		return;
	}
}

/* Carries a decision out, and tells tracer and guest what follows from it. */
static void apply(struct booster *b, unsigned int slot, const struct policy_decision *decision)
{
	const struct policy_view *view = policy_view(b->policy, slot);

	account_report_halt(b->options.accounts, slot, decision->report_halt);
	/* before a raise: it may run at once, and the tracer looks then what is wanted of it */
	account_report(b->options.accounts, slot, view);
	carry_out(b, slot, decision);
	account_report(b->options.accounts, slot, view);
	if (decision->action != POLICY_NOTHING)
		pages_publish(b->pages, slot, view, clock_now_ns());
}

/* Returns what was done first. */
static enum policy_action step(struct booster *b, unsigned int slot, enum policy_event event)
{
	struct policy_facts f;
	struct policy_input input = {.event = event, .facts = &f, .now_ns = clock_now_ns()};
	struct policy_decision decision;
	enum policy_action first;

	facts(b, slot, input.now_ns, &f);
	if (event == POLICY_EVENT_CROWDED)
		f.room_elsewhere = policy_may_displace(b->policy, slot, input.now_ns) &&
		                   crowd_has_room(b, slot, input.now_ns);
	policy_step(b->policy, slot, &input, &decision);
	apply(b, slot, &decision);
	first = decision.action;
	if (!decision.report_halt)
		return first;
	/* It may have gone to sleep between the look and the request to be told. */
	input.event = POLICY_EVENT_HALTED;
	input.now_ns = clock_now_ns();
	facts(b, slot, input.now_ns, &f);
	if (f.whereabouts != POLICY_HALTED)
		return first;
	policy_step(b->policy, slot, &input, &decision);
	apply(b, slot, &decision);
	return first;
}

/*
 * A CPU's bucket is empty. The vCPU that runs there goes on elsewhere, or stops being elevated
 * whoever owes most: the cap holds now. Then the largest debtor of that CPU waits longer, so that
 * the others have its tokens first.
 */
static void shed(struct booster *b, unsigned int running)
{
	int most;

	if (actuator_is_boosted(b->actuator, running) &&
	    step(b, running, POLICY_EVENT_CROWDED) == POLICY_DISPLACE)
		return;
	most = crowd_debtor(b, running, false);
	if (most >= 0 && (unsigned int)most != running)
		step(b, (unsigned int)most, POLICY_EVENT_SHED);
	step(b, running, most == (int)running ? POLICY_EVENT_SHED : POLICY_EVENT_CPU_EXHAUSTED);
}

/* A helper waits: the vCPU that runs there makes room, and who owes most of its domain there. */
static void make_room(struct booster *b, unsigned int running, unsigned int helper)
{
	int most = crowd_debtor(b, running, true);
	bool raised = actuator_is_boosted(b->actuator, running);

	step(b, running, POLICY_EVENT_HELPER);
	if (raised && !actuator_is_boosted(b->actuator, running) && !b->slots[running].made_room) {
		b->slots[running].made_room = true;
		note(b, BOOSTER_NOTE_HELPER, running, (int)helper);
	}
	if (most >= 0 && (unsigned int)most != running)
		step(b, (unsigned int)most, POLICY_EVENT_HELPER);
}

static void exhausted(struct booster *b, unsigned int slot, uint32_t which)
{
	static const enum policy_event events[] = {
	        [PVS_BUCKET_NONE] = POLICY_EVENT_NO_DEADLINE,
	        [PVS_BUCKET_VCPU] = POLICY_EVENT_EXHAUSTED,
	        [PVS_BUCKET_DOMAIN] = POLICY_EVENT_DOMAIN_EXHAUSTED,
	        [PVS_BUCKET_UNSEEN] = POLICY_EVENT_UNSEEN,
	};

	if (which == PVS_BUCKET_NONE && policy_refusals_add(&b->refusals, clock_now_ns()))
		note(b, BOOSTER_NOTE_DEADLINE, slot, 0);
	if (which == PVS_BUCKET_CPU)
		shed(b, slot);
	else if (which < ARRAY_SIZE(events))
		step(b, slot, events[which]);
}

/* Elevated time was consumed on a CPU, by the vCPU in @slot last. */
static void check_canary(struct booster *b, unsigned int slot, uint32_t cpu)
{
	const struct boosted_slots *boosted = actuator_boosted(b->actuator);
	const struct accounts *accounts = b->options.accounts;

	if (!canary_check(b->canary, cpu, account_elevated_ns(accounts, cpu), clock_now_ns()))
		return;
	note(b, BOOSTER_NOTE_CANARY, slot, (int)cpu);
	for (unsigned int i = boosted->n; i-- > 0;)
		if (accounts->vcpus[boosted->slots[i]].cpu == cpu)
			step(b, boosted->slots[i], POLICY_EVENT_CANARY);
}

static void on_event(void *userdata, const struct pvs_event *event)
{
	struct booster *b = userdata;
	bool raised;
	uint64_t now_ns;

	/* what comes from another slot's past life is not about this thread */
	if (event->slot >= PVS_VCPUS_MAX || !b->slots[event->slot].used ||
	    b->options.accounts->vcpus[event->slot].tid != event->tid)
		return;
	b->totals.events++;
	raised = actuator_is_boosted(b->actuator, event->slot);
	switch (event->type) {
	case PVS_EVENT_BLOCKED:
		step(b, event->slot, POLICY_EVENT_HALTED);
		break;
	case PVS_EVENT_EXHAUSTED:
		exhausted(b, event->slot, event->arg);
		break;
	case PVS_EVENT_SOFTIRQD:
		step(b, event->slot, POLICY_EVENT_SOFTIRQD);
		break;
	case PVS_EVENT_HELPER:
		make_room(b, event->slot, event->arg);
		break;
	case PVS_EVENT_CANARY:
		check_canary(b, event->slot, event->arg);
		break;
	case PVS_EVENT_FOREIGN:
		/* may be of a moment before the raise took effect: forget nothing unverified */
		if (!actuator_has_boost(b->actuator, event->slot))
			step(b, event->slot, POLICY_EVENT_FOREIGN);
		break;
	case PVS_EVENT_QUOTA:
		step(b, event->slot, POLICY_EVENT_LOOK);
		note(b, BOOSTER_NOTE_QUOTA, event->slot, (int)event->arg);
		break;
	case PVS_EVENT_FORK:
		if (actuator_mend_child(b->actuator, event->slot, (pid_t)event->arg) == 0)
			b->slots[event->slot].children_mended++;
		break;
	case PVS_EVENT_EXEC:
		if (actuator_is_boosted(b->actuator, event->slot))
			lower(b, event->slot);
		__attribute__((fallthrough));
	case PVS_EVENT_EXIT:
		note(b, BOOSTER_NOTE_GONE, event->slot, 0);
		break;
	case PVS_EVENT_URGENT:
		step(b, event->slot, POLICY_EVENT_URGENT);
		break;
	case PVS_EVENT_ORDINARY:
		step(b, event->slot, POLICY_EVENT_ORDINARY);
		break;
	case PVS_EVENT_INTERRUPT:
		step(b, event->slot, POLICY_EVENT_INTERRUPT);
		break;
	case PVS_EVENT_SPIN:
		step(b, event->slot, POLICY_EVENT_SPIN);
		break;
	case PVS_EVENT_RUN:
		pages_switched_in(b->pages, event->slot, clock_now_ns());
		break;
	}
	now_ns = clock_now_ns();
	if (raised != actuator_is_boosted(b->actuator, event->slot) && now_ns > event->at_ns)
		booster_delay(&b->slots[event->slot].request_to_applied, now_ns - event->at_ns);
}

static void step_all(struct booster *b, enum policy_event event)
{
	for (unsigned int i = 0; i < PVS_VCPUS_MAX; i++)
		if (b->slots[i].used)
			step(b, i, event);
}

/* Were we taken for dead? Then everything was given back; start over with what the daemon decides.
 */
static void check_guardian(struct booster *b)
{
	const struct boosted_slots *boosted = actuator_boosted(b->actuator);
	uint32_t acts = ledger_guardian_acts(b->options.ledger);

	if (acts == b->guardian_acts)
		return;
	b->guardian_acts = acts;
	b->options.holds |= POLICY_HOLD(POLICY_REASON_GUARDIAN);
	policy_hold_all(b->policy, b->options.holds);
	step_all(b, POLICY_EVENT_LOOK);
	/* also what could not be lowered before */
	for (unsigned int i = boosted->n; i-- > 0;)
		lower(b, boosted->slots[i]);
	note(b, BOOSTER_NOTE_GUARDIAN, 0, 0);
}

/* Returns -EBUSY when the thread can't be lowered: the slot stays in use, its record in the ledger.
 */
static int slot_remove(struct booster *b, unsigned int slot)
{
	if (actuator_is_boosted(b->actuator, slot))
		lower(b, slot);
	account_report_halt(b->options.accounts, slot, false);
	account_report(b->options.accounts, slot, &(struct policy_view){0});
	pages_set(b->pages, slot, &GUEST_PAGE_NULL, false, clock_now_ns());
	policy_remove(b->policy, slot);
	if (actuator_is_boosted(b->actuator, slot))
		return -EBUSY;
	b->slots[slot] = (struct booster_slot){0};
	return 0;
}

static void slot_read(struct booster *b, unsigned int slot, struct booster_vcpu *ret)
{
	ret->view = *policy_view(b->policy, slot);
	ret->holds = policy_holds(b->policy, slot);
	ret->request_to_applied = b->slots[slot].request_to_applied;
	ret->children_mended = b->slots[slot].children_mended;
	pages_read(b->pages, slot, clock_now_ns(), &ret->page);
}

static void slot_add(struct booster *b, const struct command *c)
{
	account_reset(b->options.accounts, c->slot);
	account_set_terms(b->options.accounts, c->slot, c->terms);
	b->slots[c->slot] = (struct booster_slot){.used = true};
	policy_add(b->policy, c->slot, &c->terms->profile, c->set, clock_now_ns());
	step(b, c->slot, POLICY_EVENT_LOOK);
}

static void totals_read(struct booster *b, struct booster_totals *ret)
{
	b->totals.notes_lost = b->mailbox.notes_lost;
	b->totals.wait = wait_uses_io_uring(b->wait) ? BOOSTER_WAIT_IO_URING : BOOSTER_WAIT_EPOLL;
	b->totals.elevated = actuator_boosted(b->actuator)->n;
	canary_read(b->canary, &b->totals.canary);
	*ret = b->totals;
}

/* Returns false when the thread is to end. */
static bool serve(struct booster *b)
{
	struct command *c = mailbox_take(&b->mailbox);
	bool stop;
	int r = 0;

	if (!c)
		return true;
	stop = c->type == COMMAND_STOP;
	switch (c->type) {
	case COMMAND_PING:
		break;
	case COMMAND_ADD:
		slot_add(b, c);
		break;
	case COMMAND_REMOVE:
		r = slot_remove(b, c->slot);
		break;
	case COMMAND_TERMS:
		account_set_terms(b->options.accounts, c->slot, c->terms);
		policy_set_profile(b->policy, c->slot, &c->terms->profile);
		step(b, c->slot, POLICY_EVENT_LOOK);
		break;
	case COMMAND_HOLD:
		policy_hold(b->policy, c->slot, c->set, c->clear);
		step(b, c->slot, POLICY_EVENT_LOOK);
		break;
	case COMMAND_HOLD_ALL:
		b->options.holds = c->set;
		policy_hold_all(b->policy, c->set);
		step_all(b, POLICY_EVENT_LOOK);
		break;
	case COMMAND_RESCAN:
		step(b, c->slot, POLICY_EVENT_RESCAN);
		break;
	case COMMAND_PAGE:
		pages_set(b->pages, c->slot, c->page, c->poll, clock_now_ns());
		step(b, c->slot, POLICY_EVENT_LOOK);
		break;
	case COMMAND_BOOST:
		policy_boost(b->policy, c->slot, c->until_ns);
		step(b, c->slot, POLICY_EVENT_LOOK);
		break;
	case COMMAND_CPUS:
		r = crowd_set_home(b, c->cpus, c->anywhere, c->missing);
		break;
	case COMMAND_CAPS:
		policy_set_caps(b->policy, c->caps);
		break;
	case COMMAND_READ:
		slot_read(b, c->slot, c->vcpu);
		break;
	case COMMAND_TOTALS:
		totals_read(b, c->totals);
		break;
	case COMMAND_STOP:
		for (unsigned int i = 0; i < PVS_VCPUS_MAX; i++)
			if (b->slots[i].used)
				slot_remove(b, i);
		break;
	}
	mailbox_answer(&b->mailbox, c, r);
	return !stop;
}

/* Returns whether there may be a command. */
static bool wait_for_work(struct booster *b)
{
	uint64_t at_ns = MIN(policy_next_ns(b->policy), pages_next_ns(b->pages));
	uint32_t ready = wait_until(b->wait, b->more_events ? 0 : at_ns);

	b->totals.wakeups++;
	return ready & UINT32_C(1) << BOOSTER_WAITS_FOR_COMMAND;
}

static void look_at_page(struct booster *b, unsigned int slot)
{
	uint64_t now_ns = clock_now_ns();
	int found = pages_look(b->pages, slot, policy_view(b->policy, slot), now_ns);
	bool raised = actuator_is_boosted(b->actuator, slot);
	struct pages_view page;

	if (!found)
		return;
	pages_read(b->pages, slot, now_ns, &page);
	if (found & PAGES_STATUS)
		note(b, BOOSTER_NOTE_HELLO, slot, page.status);
	if (found & PAGES_LOST)
		note(b, BOOSTER_NOTE_PAGE_LOST, slot, 0);
	step(b, slot, page.ask == PVSCHED_ASK_URGENT ? POLICY_EVENT_URGENT : POLICY_EVENT_ORDINARY);
	if (raised != actuator_is_boosted(b->actuator, slot))
		booster_delay(&b->slots[slot].request_to_applied, clock_now_ns() - now_ns);
}

static void run_due(struct booster *b)
{
	/* Bounded: a step that asks to be looked at again at once must not keep the commands out.
	 */
	for (unsigned int i = 0; i < PVS_VCPUS_MAX; i++) {
		int vcpu = policy_due(b->policy, clock_now_ns());

		if (vcpu < 0)
			break;
		step(b, (unsigned int)vcpu, POLICY_EVENT_LOOK);
	}
	for (unsigned int i = 0; i < PVS_VCPUS_MAX; i++) {
		int slot = pages_due(b->pages, clock_now_ns());

		if (slot < 0)
			break;
		look_at_page(b, (unsigned int)slot);
	}
}

/* No event came for it. */
static void check_deadlines(struct booster *b)
{
	int slot = backstop_look(&b->backstop, b->options.accounts, actuator_boosted(b->actuator),
	                         clock_now_ns());

	if (slot < 0)
		return;
	step(b, (unsigned int)slot, POLICY_EVENT_LOOK); /* from facts that are read anew */
	b->totals.deadlines_missed += !actuator_is_boosted(b->actuator, (unsigned int)slot);
}

void *booster_main(void *userdata)
{
	struct booster *b = userdata;
	bool commanded;

	prctl(PR_SET_NAME, "booster");
	prctl(PR_SET_TIMERSLACK, 1UL);
	booster_touch_stack();
	b->tid = gettid();
	if (b->options.wait == BOOSTER_WAIT_IO_URING)
		b->totals.wait_error = wait_use_io_uring(b->wait);
	b->start_result = sched_make_self_fifo(b->options.boost.priority + 1);
	do {
		commanded = wait_for_work(b);
		check_guardian(b);
		if (b->options.source.drain)
			b->more_events = b->options.source.drain(b->options.source.source, on_event,
			                                         b) == BOOSTER_MORE_EVENTS;
		run_due(b);
		check_deadlines(b);
		crowd_come_home(b);
	} while (!commanded || serve(b));
	return NULL;
}
