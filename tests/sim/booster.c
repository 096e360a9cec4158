/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop of src/boost/booster.c on virtual time. It is woken @delay_ns after an event, does one
 * thing after the other, and each change takes its time to have its effect, in which the
 * machine goes on. Facts come from the real src/boost/accounts.c and src/boost/pages.c, decisions
 * from the real policy.
 */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "rng.h"

#define STEPS_AT_ONCE 10000 /* so many steps without time going on is a loop without end */

void booster_wake_at(struct host *host, uint64_t at_ns)
{
	if (host->wake_ns <= at_ns)
		return;
	host->wake_ns = at_ns;
	world_plan(host->world, at_ns, HAPPENS_BOOSTER, 0, ++host->wake_generation);
}

static uint64_t delay(struct host *host)
{
	uint64_t longest = host->mutation == MUTATION_LATE ? 20 * NSEC_PER_MSEC : host->delay_ns;

	return longest / 2 + rng_below(&host->random, longest / 2 + 1);
}

void booster_notify(struct host *host, const struct pvs_event *event)
{
	if (host->n_events == HOST_EVENTS_MAX) {
		host->events_lost++;
		return;
	}
	host->events[(host->first + host->n_events++) % HOST_EVENTS_MAX] = *event;
	if (host->deciding < 0)
		booster_wake_at(host, host->world->now_ns + delay(host));
}

static void add_work(struct host *host, const struct host_work *work)
{
	if (host->n_work < ARRAY_SIZE(host->work))
		host->work[host->n_work++] = *work;
	else
		host->broken = "work without end";
}

void booster_add_work(struct host *host, unsigned int slot, enum policy_event event)
{
	add_work(host, &(struct host_work){.slot = slot, .event = event});
}

void booster_add_help(struct host *host, unsigned int awaited, unsigned int waiter)
{
	add_work(host, &(struct host_work){
	                       .slot = awaited, .event = POLICY_EVENT_AWAITED, .waiter = waiter});
}

/* The main thread has changed something about the vCPU. */
void booster_add_call(struct host *host, unsigned int slot)
{
	add_work(host,
	         &(struct host_work){.slot = slot, .event = POLICY_EVENT_LOOK, .is_call = true});
}

/* For the types that mean the same to the policy, whatever their argument. */
static enum policy_event event_of(unsigned int type)
{
	static const enum policy_event events[] = {
	        [PVS_EVENT_HALTED] = POLICY_EVENT_HALTED,
	        [PVS_EVENT_URGENT] = POLICY_EVENT_URGENT,
	        [PVS_EVENT_ORDINARY] = POLICY_EVENT_ORDINARY,
	        [PVS_EVENT_INTERRUPT] = POLICY_EVENT_INTERRUPT,
	        [PVS_EVENT_SPIN] = POLICY_EVENT_SPIN,
	        [PVS_EVENT_SHORT] = POLICY_EVENT_SHORT,
	        [PVS_EVENT_HELPER_WAITS] = POLICY_EVENT_HELPER_WAITS,
	};

	if (type >= ARRAY_SIZE(events) || events[type] == POLICY_EVENT_LOOK) {
		fprintf(stderr, "sim: the tracer's event %u means nothing to the booster\n", type);
		abort();
	}
	return events[type];
}

static void bucket_empty(struct host *host, unsigned int slot, uint32_t bucket)
{
	host->of_sheet[slot] = bucket == PVS_BUCKET_SHEET;
	if (bucket == PVS_BUCKET_CPU || bucket == PVS_BUCKET_SHEET)
		crowded_shed(host, slot);
	else if (bucket == PVS_BUCKET_NONE)
		booster_add_work(host, slot, POLICY_EVENT_NO_DEADLINE);
	else if (bucket == PVS_BUCKET_PULSE)
		booster_add_work(host, slot, POLICY_EVENT_PULSE_OVER);
	else
		booster_add_work(host, slot,
		                 bucket == PVS_BUCKET_DOMAIN ? POLICY_EVENT_DOMAIN_EXHAUSTED
		                                             : POLICY_EVENT_EXHAUSTED);
}

static void take_event(struct host *host)
{
	struct pvs_event event = host->events[host->first];

	host->first = (host->first + 1) % HOST_EVENTS_MAX;
	host->n_events--;
	switch (event.type) {
	case PVS_EVENT_RUN:
		pages_switched_in(host->pages, event.slot, host->world->now_ns);
		cost_event(host, event.slot);
		break;
	case PVS_EVENT_WAITS:
		helping_waits(host, event.slot, event.arg);
		break;
	case PVS_EVENT_HELPER:
		crowded_make_room(host, event.slot);
		break;
	case PVS_EVENT_EXHAUSTED:
		bucket_empty(host, event.slot, event.arg);
		break;
	default:
		booster_add_work(host, event.slot, event_of(event.type));
		break;
	}
}

/* The guest's words as they are at this moment. */
static void let_speak(struct host *host, unsigned int slot)
{
	struct thread *t = &host->world->threads[slot];

	if (t->guest)
		guest_speak(t->guest, t->behaviour->requests, host->world->now_ns);
}

static void facts(struct host *host, unsigned int slot, struct policy_facts *ret)
{
	account_facts(&host->accounts, slot, host->world->now_ns, ret);
	let_speak(host, slot);
	pages_facts(host->pages, slot, host->world->now_ns, ret);
	ret->awaited = host->vcpus[slot].helper &&
	               boosted_has_vcpu(&host->boosted, &host->accounts, host->vcpus[slot].domain);
	ret->unheard_until_ns = cost_unheard_until_ns(host, slot);
	if (host->mutation == MUTATION_YIELD_BLIND && host->yielded[slot]) {
		ret->tokens_ns = (int64_t)host->vcpus[slot].rule.burst_ns;
		ret->full_at_ns = ret->domain_at_ns = ret->cpu_at_ns = 0;
	}
}

static void unboosted(struct host *host, unsigned int slot)
{
	bool yields = host->decision.reason == POLICY_REASON_ORDINARY;

	if (yields && host->mutation == MUTATION_YIELD_FILLS)
		host->vcpus[slot].repaid_at_ns = 0;
	host->yielded[slot] = yields;
	boosted_slots_drop(&host->boosted, slot);
}

static void carry_out(struct host *host, unsigned int slot)
{
	struct policy_facts f;
	uint64_t now = host->world->now_ns;

	switch (host->decision.action) {
	case POLICY_NOTHING:
		break;
	case POLICY_BOOST:
		host->calls++;
		cost_call(host);
		account_set_payer(&host->accounts, slot, host->decision.payer,
		                  host->decision.pulse_ns);
		account_boosted(&host->accounts, slot, now);
		if (host->mutation == MUTATION_LAST_STRETCH)
			host->vcpus[slot].earlier_in_ns = 0;
		world_set_priority(host->world, slot, HOST_PRIORITY);
		boosted_slots_put(&host->boosted, &host->accounts, slot);
		facts(host, slot, &f);
		policy_boosted(host->policy, slot, 0, &f, now);
		break;
	case POLICY_UNBOOST:
	case POLICY_FORGET:
		if (host->mutation == MUTATION_NO_UNBOOST)
			break;
		host->calls++;
		cost_call(host);
		/* the effect first: what follows it may be a switch, charged to the old class */
		account_unboosted(&host->accounts, slot, now);
		world_set_priority(host->world, slot, 0);
		unboosted(host, slot);
		break;
	case POLICY_PUSH:
		crowded_push(host, slot);
		break;
	}
}

static void tell_tracer(struct host *host, unsigned int slot)
{
	const struct policy_view *view = policy_view(host->policy, slot);

	account_report(&host->accounts, slot, view);
}

/* What a decision tells tracer and guest. */
static void tell(struct host *host, unsigned int slot)
{
	const struct policy_view *view = policy_view(host->policy, slot);

	tell_tracer(host, slot);
	if (host->decision.action != POLICY_NOTHING)
		pages_publish(host->pages, slot, view, host->world->now_ns);
}

/* The decision that was on its way has its effect. */
static void apply(struct host *host)
{
	unsigned int slot = (unsigned int)host->deciding;
	struct policy_facts f;

	host->deciding = -1;
	account_report_halt(&host->accounts, slot, host->decision.report_halt);
	tell_tracer(host, slot);
	carry_out(host, slot);
	cost_end(host);
	tell(host, slot);
	if (!host->decision.report_halt)
		return;
	facts(host, slot, &f);
	if (f.whereabouts == POLICY_HALTED)
		booster_add_work(host, slot, POLICY_EVENT_HALTED);
}

/* One step; true when its decision takes time. */
static bool step(struct host *host, const struct host_work *work)
{
	struct policy_offer offer;
	struct policy_facts f;
	uint64_t now = host->world->now_ns;
	struct policy_input input = {.event = work->event, .facts = &f, .now_ns = now};

	if (host->steps_at_ns != now)
		host->steps_now = 0;
	host->steps_at_ns = now;
	if (++host->steps_now > STEPS_AT_ONCE)
		host->broken = "steps without end";
	host->steps++;
	cost_begin(host, work);
	facts(host, work->slot, &f);
	if (helping_offer(host, work, &offer))
		input.offer = &offer;
	f.room_elsewhere =
	        work->event == POLICY_EVENT_MAY_PUSH && crowded_has_room(host, work->slot);
	policy_step(host->policy, work->slot, &input, &host->decision);
	/* a push that is refused has others make way at once, also if a halt is to be told */
	if (host->decision.action == POLICY_NOTHING &&
	    (!host->decision.report_halt || work->event == POLICY_EVENT_MAY_PUSH)) {
		account_report_halt(&host->accounts, work->slot, host->decision.report_halt);
		cost_end(host);
		tell(host, work->slot);
		if (work->event == POLICY_EVENT_MAY_PUSH)
			crowded_make_way(host, work->slot);
		if (work->event == POLICY_EVENT_LOOK &&
		    policy_view(host->policy, work->slot)->reason == POLICY_REASON_HELPER)
			crowded_mates_make_room(host, work->slot);
		return false;
	}
	host->deciding = (int)work->slot;
	return true;
}

/* The reader's turn: it copies what is asked for in no time. What it writes no guest here reads. */
static void copy_pages(struct host *host)
{
	unsigned int from = 0, slot;
	struct board_ask ask;

	while (board_next_ask(host->board, 0, &from, &slot, &ask)) {
		struct board_copy copy = {.generation = ask.generation,
		                          .index = ask.index,
		                          .writes = ask.writes,
		                          .read_ns = host->world->now_ns};

		guest_words_of(&host->world->threads[slot].guest->page, &copy.words);
		board_put(host->board, slot, &copy);
	}
}

static bool page_work(struct host *host, unsigned int slot, int found, struct host_work *ret)
{
	struct pages_view page;

	if (!found) {
		cost_event(host, slot);
		return false;
	}
	pages_read(host->pages, slot, host->world->now_ns, &page);
	*ret = (struct host_work){.slot = slot,
	                          .event = page.urgency == PVSCHED_URGENCY_URGENT
	                                           ? POLICY_EVENT_URGENT
	                                           : POLICY_EVENT_ORDINARY};
	return true;
}

/* A page is due: is there a hello in it, or, where the tracer does not read it, another urgency? */
static bool look_at_page(struct host *host, unsigned int slot, struct host_work *ret)
{
	const struct policy_view *view = policy_view(host->policy, slot);
	int found;

	if (cost_unheard_until_ns(host, slot)) {
		pages_put_off(host->pages, slot, cost_unheard_until_ns(host, slot));
		cost_event(host, slot);
		return false;
	}
	let_speak(host, slot);
	found = pages_look(host->pages, slot, view, host->world->now_ns);
	copy_pages(host);
	found |= pages_news(host->pages, slot, view, host->world->now_ns);
	return page_work(host, slot, found, ret);
}

/* News of pages that were asked for beside a decision. */
static bool take_page_news(struct host *host, struct host_work *ret)
{
	unsigned int from = 0;
	int slot;

	copy_pages(host);
	while ((slot = board_next_news(host->board, &from)) >= 0) {
		unsigned int s = (unsigned int)slot;
		int found = 0;

		/* those of a domain that is unheard stay where they are */
		if (!cost_unheard_until_ns(host, s))
			found = pages_news(host->pages, s, policy_view(host->policy, s),
			                   host->world->now_ns);
		if (page_work(host, s, found, ret))
			return true;
	}
	return false;
}

/* Something to do now; false when there is nothing. */
static bool next_work(struct host *host, struct host_work *ret)
{
	int due;

	while (host->n_work == 0 && host->n_events > 0)
		take_event(host);
	if (host->n_work > 0) {
		*ret = host->work[--host->n_work];
		return true;
	}
	if (take_page_news(host, ret))
		return true;
	due = policy_due(host->policy, host->world->now_ns);
	*ret = (struct host_work){.slot = (unsigned int)due, .event = POLICY_EVENT_LOOK};
	if (due >= 0)
		return true;
	while ((due = pages_due(host->pages, host->world->now_ns)) >= 0)
		if (look_at_page(host, (unsigned int)due, ret))
			return true;
	return false;
}

static void count_wakeup(struct host *host)
{
	host->wakeups++;
	cost_wake(host);
}

static void booster_run(struct host *host, uint64_t generation)
{
	struct host_work work;
	uint64_t next_ns;

	if (generation != host->wake_generation)
		return;
	host->wake_ns = NSEC_NEVER;
	if (host->deciding >= 0)
		apply(host);
	else
		count_wakeup(host);
	while (!host->broken && next_work(host, &work)) {
		if (step(host, &work)) {
			booster_wake_at(host, host->world->now_ns + host->apply_ns);
			return;
		}
	}
	next_ns = MIN(policy_next_ns(host->policy), pages_next_ns(host->pages));
	if (next_ns != NSEC_NEVER)
		booster_wake_at(host, next_ns + delay(host));
}

void host_handle(struct host *host, const struct entry *entry)
{
	if (entry->what == HAPPENS_START)
		tracer_start(host, entry);
	else if (entry->what == HAPPENS_DEADLINE)
		tracer_deadline(host, entry);
	else if (entry->what == HAPPENS_LOOK)
		compare_step(host, entry);
	else if (entry->what == HAPPENS_HELPER)
		helpers_looked(host, entry);
	else
		booster_run(host, entry->generation);
}

void host_hold(struct host *host, unsigned int vcpu, bool hold)
{
	uint32_t bit = POLICY_HOLD(POLICY_REASON_PAUSED);

	host_set_holds(host, vcpu, hold ? bit : 0, hold ? 0 : bit);
}

void host_set_holds(struct host *host, unsigned int vcpu, uint32_t set, uint32_t clear)
{
	policy_hold(host->policy, vcpu, set, clear);
	booster_add_call(host, vcpu);
	if (host->deciding < 0)
		booster_wake_at(host, host->world->now_ns + delay(host));
}

void host_close(struct host *host)
{
	host->closed = true;
	policy_hold_all(host->policy, POLICY_HOLD(POLICY_REASON_DISABLED));
	for (unsigned int i = 0; i < host->n_vcpus; i++)
		booster_add_call(host, i);
	if (host->deciding < 0)
		booster_wake_at(host, host->world->now_ns + delay(host));
}
