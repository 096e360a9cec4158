// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/booster_thread.h"

#include <sys/prctl.h>

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

/*
 * A guardian that took the daemon for dead has given everything back. All vCPUs are held then,
 * until the main thread has started another guardian.
 */
static void check_guardian(struct booster *b)
{
	const struct boosted_slots *boosted = actuator_boosted(b->actuator);
	uint32_t acts = ledger_guardian_acts(b->ledger);

	if (acts == b->guardian_acts)
		return;
	b->guardian_acts = acts;
	b->holds |= POLICY_HOLD(POLICY_REASON_GUARDIAN);
	policy_hold_all(b->policy, b->holds);
	step_all(b, POLICY_EVENT_LOOK);
	/* also those that could not be unboosted before */
	for (unsigned int i = boosted->n; i-- > 0;)
		step_unboost(b, boosted->slots[i]);
	notes_add(&b->notes, BOOSTER_NOTE_GUARDIAN, 0, 0);
}

/* Before it, all that the turn changed can be seen. */
static void turn_end(struct booster *b)
{
	atomic_store_explicit(&b->turn, b->turn + 1, memory_order_release);
}

/* After it, no change can be seen before the turn has begun. */
static void turn_begin(struct booster *b)
{
	atomic_store_explicit(&b->turn, b->turn + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

/* Returns bits, 1 << BOOSTER_WAITS_FOR_*, of what may have come. */
static uint32_t wait_for_work(struct booster *b)
{
	uint64_t at_ns = MIN(policy_next_ns(b->policy), pages_next_ns(b->pages));
	uint32_t ready;

	step_turn_end(b);
	turn_end(b);
	ready = wait_until(b->wait, b->more_events ? 0 : at_ns);
	turn_begin(b);
	b->totals.wakeups++;
	return ready;
}

static void drain(struct booster *b)
{
	const struct booster_source *source = &b->source;

	if (source->drain)
		b->more_events =
		        source->drain(source->source, events_handle, b) == BOOSTER_MORE_EVENTS;
}

/* What a look at a page, or news of it, have found: PAGES_* bits. */
static void follow_page(struct booster *b, unsigned int slot, int found, uint64_t now_ns)
{
	bool was_boosted = actuator_is_boosted(b->actuator, slot);
	struct pages_view page;

	if (found & PAGES_TELL)
		notes_add(&b->notes, BOOSTER_NOTE_TELL, slot, 0);
	if (!(found & ~PAGES_TELL))
		return;
	pages_read(b->pages, slot, now_ns, &page);
	if (found & PAGES_STATUS)
		notes_add(&b->notes, BOOSTER_NOTE_HELLO, slot, page.status);
	if (found & PAGES_LOST)
		notes_add(&b->notes, BOOSTER_NOTE_PAGE_LOST, slot, (int)page.loss);
	step_vcpu(b, slot,
	          page.urgency == PVSCHED_URGENCY_URGENT ? POLICY_EVENT_URGENT
	                                                 : POLICY_EVENT_ORDINARY);
	if (was_boosted != actuator_is_boosted(b->actuator, slot))
		booster_delay(b, slot, clock_now_ns() - now_ns);
}

/* When the domain of a slot is heard again; 0: now. */
static uint64_t unheard_until_ns(const struct booster *b, unsigned int slot, uint64_t now_ns)
{
	return attention_unheard_until_ns(b->attention, b->slots[slot].domain, now_ns);
}

/* The page of a domain that is unheard is looked at when it is heard again. */
static void run_due_page(struct booster *b, unsigned int slot)
{
	struct step_cost cost = step_begin(b, slot);
	uint64_t until_ns = unheard_until_ns(b, slot, cost.begin_ns);

	if (until_ns)
		pages_put_off(b->pages, slot, until_ns);
	else
		follow_page(b, slot,
		            pages_look(b->pages, slot, policy_view(b->policy, slot), cost.begin_ns),
		            cost.begin_ns);
	step_end(b, &cost);
}

static void look_at(struct booster *b, unsigned int slot)
{
	struct step_cost cost = step_begin(b, slot);

	step_vcpu_at(b, slot, POLICY_EVENT_LOOK, cost.begin_ns);
	if (policy_view(b->policy, slot)->reason == POLICY_REASON_HELPER)
		events_make_room(b, slot);
	step_end(b, &cost);
}

/* News of a domain that is unheard stay where they are: the look that follows takes them. */
static void take_page_news(struct booster *b)
{
	unsigned int from = 0;
	int slot;

	board_news_begin(b->board);
	while ((slot = board_next_news(b->board, &from)) >= 0) {
		unsigned int s = (unsigned int)slot;
		struct step_cost cost = step_begin(b, s);

		if (!unheard_until_ns(b, s, cost.begin_ns))
			follow_page(
			        b, s,
			        pages_news(b->pages, s, policy_view(b->policy, s), cost.begin_ns),
			        cost.begin_ns);
		step_end(b, &cost);
	}
}

static void run_due(struct booster *b)
{
	/* bounded: a vCPU that wants to be looked at again at once must not delay calls for ever */
	for (unsigned int i = 0; i < PVS_VCPUS_MAX; i++) {
		int vcpu = policy_due(b->policy, clock_now_ns());

		if (vcpu < 0)
			break;
		look_at(b, (unsigned int)vcpu);
	}
	for (unsigned int i = 0; i < PVS_VCPUS_MAX; i++) {
		int slot = pages_due(b->pages, clock_now_ns());

		if (slot < 0)
			break;
		run_due_page(b, (unsigned int)slot);
	}
}

/* Looks for boosts whose end no event told. */
static void check_deadlines(struct booster *b)
{
	int slot = backstop_look(&b->backstop, b->accounts, actuator_boosted(b->actuator),
	                         clock_now_ns());

	if (slot < 0)
		return;
	step_vcpu(b, (unsigned int)slot, POLICY_EVENT_LOOK);
	b->totals.deadlines_missed += !actuator_is_boosted(b->actuator, (unsigned int)slot);
}

/*
 * What was lost may have told that a thread is gone. Missed deadlines are found without that, and
 * the next halt is told. A ring that is full all the time is noted once a second.
 */
static void check_losses(struct booster *b)
{
	uint64_t lost, now_ns;

	if (!b->accounts->events_lost)
		return;
	lost = __atomic_load_n(b->accounts->events_lost, __ATOMIC_RELAXED);
	if (lost == b->events_lost)
		return;
	now_ns = clock_now_ns();
	if (b->lost_noted_ns && now_ns - b->lost_noted_ns < NSEC_PER_SEC)
		return;
	b->events_lost = lost;
	b->lost_noted_ns = now_ns;
	notes_add(&b->notes, BOOSTER_NOTE_LOST, 0, 0);
}

/* No domain is charged with what the main thread asks for. */
static void serve_calls(struct booster *b)
{
	uint64_t begin_ns = clock_now_ns();

	calls_serve(&b->calls, b);
	b->cost.steps_ns += clock_now_ns() - begin_ns;
}

void *booster_main(void *userdata)
{
	struct booster *b = userdata;
	uint32_t ready;

	prctl(PR_SET_NAME, "booster");
	prctl(PR_SET_TIMERSLACK, 1UL);
	touch_stack();
	if (b->wait_wanted == BOOSTER_WAIT_IO_URING)
		b->totals.wait_error = wait_use_io_uring(b->wait);
	b->start_result = sched_make_self_fifo(b->priority);
	turn_begin(b);
	while (!b->ends) {
		ready = wait_for_work(b);
		check_guardian(b);
		drain(b);
		if (ready & UINT32_C(1) << BOOSTER_WAITS_FOR_PAGES)
			take_page_news(b);
		run_due(b);
		check_deadlines(b);
		check_losses(b);
		affinity_return(&b->affinity);
		if (ready & UINT32_C(1) << BOOSTER_WAITS_FOR_CALL)
			serve_calls(b);
	}
	turn_end(b);
	return NULL;
}
