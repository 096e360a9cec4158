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

#define PRIORITY      1
#define STEPS_AT_ONCE 10000 /* so many steps without time going on is a loop without end */

static void wake_at(struct host *host, uint64_t at_ns)
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
		wake_at(host, host->world->now_ns + delay(host));
}

void booster_add_work(struct host *host, unsigned int slot, enum policy_event event)
{
	if (host->n_work < ARRAY_SIZE(host->work))
		host->work[host->n_work++] = (struct host_work){slot, event};
	else
		host->broken = "work without end";
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
	};

	if (type >= ARRAY_SIZE(events) || events[type] == POLICY_EVENT_LOOK) {
		fprintf(stderr, "sim: the tracer's event %u means nothing to the booster\n", type);
		abort();
	}
	return events[type];
}

static void bucket_empty(struct host *host, unsigned int slot, uint32_t bucket)
{
	if (bucket == PVS_BUCKET_CPU)
		crowded_shed(host, slot);
	else if (bucket == PVS_BUCKET_NONE)
		booster_add_work(host, slot, POLICY_EVENT_NO_DEADLINE);
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
		account_boosted(&host->accounts, slot, now);
		if (host->mutation == MUTATION_LAST_STRETCH)
			host->vcpus[slot].earlier_in_ns = 0;
		world_set_priority(host->world, slot, PRIORITY);
		boosted_slots_put(&host->boosted, &host->accounts, slot);
		facts(host, slot, &f);
		policy_boosted(host->policy, slot, 0, &f, now);
		break;
	case POLICY_UNBOOST:
	case POLICY_FORGET:
		if (host->mutation == MUTATION_NO_UNBOOST)
			break;
		host->calls++;
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
	struct policy_facts f;
	uint64_t now = host->world->now_ns;
	struct policy_input input = {.event = work->event, .facts = &f, .now_ns = now};

	if (host->steps_at_ns != now)
		host->steps_now = 0;
	host->steps_at_ns = now;
	if (++host->steps_now > STEPS_AT_ONCE)
		host->broken = "steps without end";
	host->steps++;
	facts(host, work->slot, &f);
	f.room_elsewhere =
	        work->event == POLICY_EVENT_MAY_PUSH && crowded_has_room(host, work->slot);
	policy_step(host->policy, work->slot, &input, &host->decision);
	if (host->decision.action == POLICY_NOTHING && !host->decision.report_halt) {
		account_report_halt(&host->accounts, work->slot, false);
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

/* A page is due: is there a hello in it, or, where the tracer does not read it, another urgency? */
static bool look_at_page(struct host *host, unsigned int slot, struct host_work *ret)
{
	uint64_t now = host->world->now_ns;
	struct pages_view page;

	let_speak(host, slot);
	if (!pages_look(host->pages, slot, policy_view(host->policy, slot), now))
		return false;
	pages_read(host->pages, slot, now, &page);
	*ret = (struct host_work){slot, page.urgency == PVSCHED_URGENCY_URGENT
	                                        ? POLICY_EVENT_URGENT
	                                        : POLICY_EVENT_ORDINARY};
	return true;
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
	due = policy_due(host->policy, host->world->now_ns);
	*ret = (struct host_work){(unsigned int)due, POLICY_EVENT_LOOK};
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
	if (host->wake_cost_ns)
		tracer_foreign(host, (uint32_t)rng_below(&host->random, host->world->n_cpus),
		               host->wake_cost_ns);
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
			wake_at(host, host->world->now_ns + host->apply_ns);
			return;
		}
	}
	next_ns = MIN(policy_next_ns(host->policy), pages_next_ns(host->pages));
	if (next_ns != NSEC_NEVER)
		wake_at(host, next_ns + delay(host));
}

void host_handle(struct host *host, const struct entry *entry)
{
	if (entry->what == HAPPENS_START)
		tracer_start(host, entry);
	else if (entry->what == HAPPENS_DEADLINE)
		tracer_deadline(host, entry);
	else if (entry->what == HAPPENS_HELPER)
		helpers_looked(host, entry);
	else
		booster_run(host, entry->generation);
}

void host_hold(struct host *host, unsigned int vcpu, bool hold)
{
	uint32_t bit = POLICY_HOLD(POLICY_REASON_PAUSED);

	policy_hold(host->policy, vcpu, hold ? bit : 0, hold ? 0 : bit);
	booster_add_work(host, vcpu, POLICY_EVENT_LOOK);
	if (host->deciding < 0)
		wake_at(host, host->world->now_ns + delay(host));
}

void host_close(struct host *host)
{
	host->closed = true;
	policy_hold_all(host->policy, POLICY_HOLD(POLICY_REASON_DISABLED));
	for (unsigned int i = 0; i < host->n_vcpus; i++)
		booster_add_work(host, i, POLICY_EVENT_LOOK);
	if (host->deciding < 0)
		wake_at(host, host->world->now_ns + delay(host));
}

static void add_page(struct host *host, unsigned int slot, bool polls)
{
	struct thread *t = &host->world->threads[slot];
	struct guest_page page = {
	        .memory = &t->guest->page,
	        .address = (uint64_t)(uintptr_t)&t->guest->page,
	        .generation = GUEST_GENERATION,
	        .apic_id = PVSCHED_APIC_ID_NONE,
	};

	pages_set(host->pages, slot, &page, polls, host->world->now_ns);
}

static void add_vcpu(struct host *host, unsigned int slot, const struct host_options *options)
{
	struct thread *t = &host->world->threads[slot];
	struct account_terms terms = {
	        .tid = (pid_t)slot + 1000,
	        .domain = (uint32_t)t->domain,
	        .priority = PRIORITY,
	        .profile = options->profile,
	};

	if (t->observed)
		terms.profile.mode = PROFILE_OBSERVE;
	if (options->mutation == MUTATION_DEAF)
		terms.profile.requests = PROFILE_REQUESTS_IGNORE;
	account_reset(&host->accounts, slot);
	account_set_terms(&host->accounts, slot, &terms);
	/* what an imagined boost does is not simulated */
	host->vcpus[slot].flags &= ~PVS_FLAG_IMAGINED;
	host->domains[t->domain].rule =
	        (struct pvs_bucket_rule){.burst_ns = options->caps.domain_burst_ns,
	                                 .share_permille = options->caps.domain_share_permille};
	policy_add(host->policy, slot, &terms.profile,
	           t->own_priority ? POLICY_HOLD(POLICY_REASON_ALREADY_RT) : 0,
	           host->world->now_ns);
	booster_add_work(host, slot, POLICY_EVENT_LOOK);
	if (t->guest)
		add_page(host, slot, options->polls);
}

/* Zeroed, and aligned as the maps are. */
static void *table(size_t n, size_t size)
{
	size_t bytes = (MAX(n, (size_t)1) * size + 63) / 64 * 64;
	void *memory = aligned_alloc(64, bytes);

	if (!memory)
		abort();
	return memset(memory, 0, bytes);
}

static void make_tables(struct host *host)
{
	size_t n = host->n_vcpus;
	size_t n_helpers = n * PVS_HELPERS_OF_DOMAIN;

	host->helpers = table(n_helpers, sizeof(*host->helpers));
	host->look_due_ns = table(n_helpers, sizeof(*host->look_due_ns));
	host->look_generation = table(n_helpers, sizeof(*host->look_generation));
	host->reported_ns = table(n_helpers, sizeof(*host->reported_ns));
	host->helper_of = table(host->world->n_threads, sizeof(*host->helper_of));
	helpers_number(host);

	host->vcpus = table(n, sizeof(*host->vcpus));
	host->domains = table(n, sizeof(*host->domains)); /* a domain has a vCPU at least */
	host->cpus = table(PVS_CPUS_MAX, sizeof(*host->cpus));
	host->due_ns = table(n, sizeof(*host->due_ns));
	host->due_cpu = table(n, sizeof(*host->due_cpu));
	host->deadline_generation = table(n, sizeof(*host->deadline_generation));
	host->acts_ns = table(n, sizeof(*host->acts_ns));
	boosted_slots_init(&host->boosted);
	host->yielded = table(n, sizeof(*host->yielded));
	host->accounts = (struct accounts){
	        .vcpus = host->vcpus,
	        .domains = host->domains,
	        .cpus = host->cpus,
	        .cpu_rule = &host->cpu_rule,
	        .helpers = host->helpers,
	        .moved = &host->moved,
	};
}

struct host *host_new(struct world *world, unsigned int n_vcpus, const struct host_options *options)
{
	struct host *host = table(1, sizeof(*host));

	host->world = world;
	host->mutation = options->mutation;
	host->delay_ns = options->delay_ns;
	host->apply_ns = options->apply_ns;
	host->wake_cost_ns = options->wake_cost_ns;
	host->random = options->seed;
	host->start_late_ns = options->start_late_ns;
	host->refused_permille = options->refused_permille;
	host->n_vcpus = n_vcpus;
	host->cpu_rule =
	        (struct pvs_bucket_rule){.burst_ns = options->caps.cpu_burst_ns,
	                                 .share_permille = options->caps.cpu_share_permille};
	make_tables(host);
	host->policy = policy_new(MAX(n_vcpus, 1U), &options->caps);
	host->pages = pages_new(MAX(n_vcpus, 1U), &host->accounts, NULL);
	if (!host->policy || !host->pages)
		abort();
	host->deciding = -1;
	host->wake_ns = NSEC_NEVER;
	for (unsigned int i = 0; i < n_vcpus; i++)
		add_vcpu(host, i, options);
	tracer_attach(host);
	wake_at(host, world->now_ns);
	return host;
}

struct host *host_free(struct host *host)
{
	if (!host)
		return NULL;
	policy_free(host->policy);
	pages_free(host->pages);
	free(host->vcpus);
	free(host->domains);
	free(host->cpus);
	free(host->helpers);
	free(host->look_due_ns);
	free(host->look_generation);
	free(host->reported_ns);
	free(host->helper_of);
	free(host->due_ns);
	free(host->due_cpu);
	free(host->deadline_generation);
	free(host->acts_ns);
	free(host->yielded);
	free(host);
	return NULL;
}
