// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/booster_thread.h"

#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "boost/booster_private.h"
#include "boost/events.h"
#include "boost/step.h"
#include "util/clock.h"

static void touch_stack(void)
{
	volatile char page[BOOSTER_STACK_BYTES / 2];

	for (size_t i = 0; i < sizeof(page); i += 4096)
		page[i] = 0;
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
		step_unboost(b, boosted->slots[i]);
	mailbox_note(&b->mailbox, BOOSTER_NOTE_GUARDIAN, 0, 0);
}

/* Returns -EBUSY when the thread can't be lowered: the slot stays in use, its record in the ledger.
 */
static int slot_remove(struct booster *b, unsigned int slot)
{
	if (actuator_is_boosted(b->actuator, slot))
		step_unboost(b, slot);
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
	step_vcpu(b, c->slot, POLICY_EVENT_LOOK);
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
		step_vcpu(b, c->slot, POLICY_EVENT_LOOK);
		break;
	case COMMAND_HOLD:
		policy_hold(b->policy, c->slot, c->set, c->clear);
		step_vcpu(b, c->slot, POLICY_EVENT_LOOK);
		break;
	case COMMAND_HOLD_ALL:
		b->options.holds = c->set;
		policy_hold_all(b->policy, c->set);
		step_all(b, POLICY_EVENT_LOOK);
		break;
	case COMMAND_RESCAN:
		step_vcpu(b, c->slot, POLICY_EVENT_RESCAN);
		break;
	case COMMAND_PAGE:
		pages_set(b->pages, c->slot, c->page, c->poll, clock_now_ns());
		step_vcpu(b, c->slot, POLICY_EVENT_LOOK);
		break;
	case COMMAND_BOOST:
		policy_boost(b->policy, c->slot, c->until_ns);
		step_vcpu(b, c->slot, POLICY_EVENT_LOOK);
		break;
	case COMMAND_CPUS:
		r = affinity_set_home(&b->affinity, c->cpus, c->anywhere, c->missing);
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
	bool was_boosted = actuator_is_boosted(b->actuator, slot);
	struct pages_view page;

	if (!found)
		return;
	pages_read(b->pages, slot, now_ns, &page);
	if (found & PAGES_STATUS)
		mailbox_note(&b->mailbox, BOOSTER_NOTE_HELLO, slot, page.status);
	if (found & PAGES_LOST)
		mailbox_note(&b->mailbox, BOOSTER_NOTE_PAGE_LOST, slot, 0);
	step_vcpu(b, slot,
	          page.ask == PVSCHED_ASK_URGENT ? POLICY_EVENT_URGENT : POLICY_EVENT_ORDINARY);
	if (was_boosted != actuator_is_boosted(b->actuator, slot))
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
		step_vcpu(b, (unsigned int)vcpu, POLICY_EVENT_LOOK);
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
	step_vcpu(b, (unsigned int)slot, POLICY_EVENT_LOOK); /* from facts that are read anew */
	b->totals.deadlines_missed += !actuator_is_boosted(b->actuator, (unsigned int)slot);
}

void *booster_main(void *userdata)
{
	struct booster *b = userdata;
	bool commanded;

	prctl(PR_SET_NAME, "booster");
	prctl(PR_SET_TIMERSLACK, 1UL);
	touch_stack();
	b->tid = gettid();
	if (b->options.wait == BOOSTER_WAIT_IO_URING)
		b->totals.wait_error = wait_use_io_uring(b->wait);
	b->start_result = sched_make_self_fifo(b->options.boost.priority + 1);
	do {
		commanded = wait_for_work(b);
		check_guardian(b);
		if (b->options.source.drain)
			b->more_events =
			        b->options.source.drain(b->options.source.source, events_handle,
			                                b) == BOOSTER_MORE_EVENTS;
		run_due(b);
		check_deadlines(b);
		affinity_return(&b->affinity);
	} while (!commanded || serve(b));
	return NULL;
}
