/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

#include <stdlib.h>
#include <string.h>

#include "rng.h"

#define TICK_NS           (4 * NSEC_PER_MSEC)
#define LIAR_RENEWS_NS    (100 * NSEC_PER_MSEC)
#define TOGGLER_FLIPS_NS  (5 * NSEC_PER_USEC)
#define RANDOM_CHANGES_NS (50 * NSEC_PER_USEC)
#define AVOIDED_NS        NSEC_PER_USEC /* all that is done on a vCPU that the guest avoids ... */
#define TICK_EVERY_NS     (100 * NSEC_PER_MSEC) /* ... and how often */

/* Tasks, as pvsched_tuple() has them: SCHED_FIFO 50, SCHED_OTHER, SCHED_IDLE. */
#define URGENT_TASK   ((uint64_t)PVSCHED_POLICY_FIFO | UINT64_C(50) << 16)
#define ORDINARY_TASK ((uint64_t)PVSCHED_POLICY_NORMAL)
#define IDLE_TASK     ((uint64_t)PVSCHED_POLICY_IDLE)

static bool is_agent(enum request_mode mode)
{
	return mode == REQUESTS_AGENT || mode == REQUESTS_SILENT_AGENT;
}

bool guest_is_honest(const struct behaviour *behaviour)
{
	return behaviour->requests == REQUESTS_HONEST || is_agent(behaviour->requests);
}

struct guest *guest_new(const struct behaviour *behaviour, uint64_t seed)
{
	struct guest *guest;

	if (behaviour->requests == ASK_NONE)
		return NULL;
	guest = aligned_alloc(64, (sizeof(*guest) + 63) / 64 * 64);
	if (!guest)
		abort();
	memset(guest, 0, sizeof(*guest));
	guest->random = seed;
	guest->clock_behind_ns = rng_next(&guest->random);
	guest->page.abi_version = PVSCHED_ABI_VERSION;
	guest->page.policy_version = PVSCHED_POLICY_VERSION;
	memcpy(guest->page.policy_name, PVSCHED_POLICY_NAME, sizeof(PVSCHED_POLICY_NAME));
	guest->page.apic_id = PVSCHED_APIC_ID_NONE;
	guest->page.generation_echo = GUEST_GENERATION;
	guest->page.agent_generation =
	        is_agent(behaviour->requests) || behaviour->requests == REQUESTS_CRITICAL;
	return guest;
}

struct guest *guest_free(struct guest *guest)
{
	free(guest);
	return NULL;
}

static void say(struct guest *guest, enum pvsched_urgency urgency, uint64_t expect_us,
                uint64_t now_ns)
{
	uint64_t tuple = urgency == PVSCHED_URGENCY_URGENT ? URGENT_TASK : ORDINARY_TASK;

	guest->sequence++;
	guest->page.written_ns = now_ns - guest->clock_behind_ns;
	guest->page.expect = pvsched_expect((uint32_t)expect_us, guest->sequence);
	guest->page.request = pvsched_request(tuple, guest->sequence);
}

static void say_ordinary(struct guest *guest, uint64_t now_ns)
{
	say(guest, PVSCHED_URGENCY_ORDINARY,
	    guest->next_ns > now_ns ? (guest->next_ns - now_ns) / NSEC_PER_USEC : 0, now_ns);
}

/* The scheduler's words: the current task, and the time for which its next timer is set. */
static void schedule(struct guest *guest, enum request_mode mode, uint64_t tuple, uint64_t now_ns)
{
	bool idle = tuple == IDLE_TASK;

	guest->page.pulse++;
	guest->page.task_intent = tuple | (idle ? (uint64_t)PVSCHED_INTENT_IDLE << 48 : 0);
	if (mode == REQUESTS_AGENT && tuple != URGENT_TASK)
		say_ordinary(guest, now_ns);
	else if (mode == REQUESTS_AGENT)
		say(guest, PVSCHED_URGENCY_URGENT, 0, now_ns);
}

/* It turns to other work, or to none. */
static void turn_to(struct thread *t, uint64_t tuple, uint64_t now_ns)
{
	enum request_mode mode = t->behaviour->requests;

	if (is_agent(mode))
		schedule(t->guest, mode, tuple, now_ns);
	else if (tuple == URGENT_TASK)
		say(t->guest, PVSCHED_URGENCY_URGENT, 0, now_ns);
	else if (tuple == ORDINARY_TASK)
		say_ordinary(t->guest, now_ns);
}

static void say_anything(struct guest *guest, uint64_t now_ns)
{
	uint64_t expect_us = rng_below(&guest->random, 1000);

	switch (rng_below(&guest->random, 8)) {
	case 0:
		guest->page.request = 0;
		return;
	case 1:
		guest->page.request = rng_next(&guest->random);
		return;
	case 2:
		guest->page.expect = rng_next(&guest->random);
		return;
	case 3:
		say(guest, PVSCHED_URGENCY_ORDINARY, rng_below(&guest->random, UINT32_MAX), now_ns);
		return;
	case 4:
		say(guest, PVSCHED_URGENCY_ORDINARY, 0, now_ns);
		return;
	case 5:
		say(guest, PVSCHED_URGENCY_ORDINARY, expect_us, now_ns);
		return;
	default:
		say(guest, PVSCHED_URGENCY_URGENT, expect_us, rng_next(&guest->random));
		return;
	}
}

void guest_speak(struct guest *guest, enum request_mode mode, uint64_t now_ns)
{
	if (now_ns < guest->changes_ns)
		return;
	switch (mode) {
	case ASK_NONE:
	case REQUESTS_HONEST:
		return;
	case REQUESTS_AGENT:
	case REQUESTS_SILENT_AGENT:
	case REQUESTS_CRITICAL:
		guest->page.pulse++;
		guest->changes_ns = now_ns + TICK_NS;
		return;
	case REQUESTS_SHIRKER:
		say(guest, PVSCHED_URGENCY_ORDINARY, 0, now_ns);
		guest->changes_ns = now_ns + LIAR_RENEWS_NS;
		return;
	case REQUESTS_LIAR:
		say(guest, PVSCHED_URGENCY_URGENT, 0, now_ns);
		guest->changes_ns = now_ns + LIAR_RENEWS_NS;
		return;
	case REQUESTS_TOGGLER:
		say(guest,
		    rng_below(&guest->random, 2) ? PVSCHED_URGENCY_URGENT
		                                 : PVSCHED_URGENCY_ORDINARY,
		    0, now_ns);
		guest->changes_ns = now_ns + 1 + rng_below(&guest->random, TOGGLER_FLIPS_NS);
		return;
	case REQUESTS_RANDOM:
		say_anything(guest, now_ns);
		guest->changes_ns = now_ns + 1 + rng_below(&guest->random, RANDOM_CHANGES_NS);
		return;
	}
}

static uint64_t vary(struct world *world, uint64_t ns, uint32_t permille)
{
	uint64_t span = ns * permille / 1000;

	return ns - span + rng_below(&world->random, 2 * span + 1);
}

static const struct phase *phase_now(struct world *world, struct thread *t)
{
	const struct phase *phase = &t->behaviour->phases[t->phase];

	while (phase->lasts_ns && world->now_ns >= t->phase_ends_ns) {
		t->phase = (t->phase + 1) % WORLD_PHASES_MAX;
		if (!t->behaviour->phases[t->phase].run_ns)
			t->phase = 0;
		phase = &t->behaviour->phases[t->phase];
		t->phase_ends_ns = world->now_ns + phase->lasts_ns;
	}
	return phase;
}

/* What comes to this vCPU of the work of its guest. */
static uint64_t borne(const struct thread *t, uint64_t ns)
{
	return t->avoided ? MIN(ns, AVOIDED_NS) : ns + ns * t->borne_permille / 1000;
}

static uint64_t work_of_phase(struct world *world, struct thread *t)
{
	const struct phase *phase = phase_now(world, t);

	if (phase->run_ns != NSEC_NEVER)
		return MAX(borne(t, vary(world, phase->run_ns, phase->vary_permille)), UINT64_C(1));
	return phase->lasts_ns ? t->phase_ends_ns - world->now_ns : NSEC_NEVER;
}

void guest_work_begin(struct world *world, struct thread *t)
{
	t->left_ns = work_of_phase(world, t);
}

void guest_work_add(struct world *world, struct thread *t)
{
	uint64_t work_ns = work_of_phase(world, t);

	*(t->guest && t->guest->urgent ? &t->guest->set_aside_ns : &t->left_ns) += work_ns;
}

/* An application knows that its work is done, and not whether there is other work. */
static uint64_t idle_task(const struct thread *t)
{
	return is_agent(t->behaviour->requests) ? IDLE_TASK : ORDINARY_TASK;
}

static void urgent_begin(struct world *world, struct thread *t)
{
	struct guest *guest = t->guest;
	uint64_t waited_ns = world->now_ns - guest->due_ns;

	guest->urgent_jobs++;
	guest->urgent_wait_ns += waited_ns;
	guest->urgent_late += waited_ns > GUEST_LATE_NS;
	guest->urgent_worst_ns = MAX(guest->urgent_worst_ns, waited_ns);
	guest->due_ns = 0;
	guest->urgent = true;
	guest->set_aside_ns = t->left_ns;
	t->left_ns = MAX(vary(world, t->behaviour->urgent_run_ns, 200), UINT64_C(1));
	delays_add(&guest->urgent_waits, waited_ns);
	turn_to(t, URGENT_TASK, world->now_ns);
}

void guest_runs(struct world *world, struct thread *t)
{
	if (!guest_is_honest(t->behaviour) || t->guest->urgent)
		return;
	if (t->guest->due_ns)
		urgent_begin(world, t);
	else if (t->woken)
		turn_to(t, ORDINARY_TASK, world->now_ns);
}

static void plan_ordinary(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];
	const struct phase *phase = phase_now(world, t);
	uint64_t wake_ns = world->now_ns + vary(world, phase->sleep_ns, phase->vary_permille);

	if (phase->periodic) {
		while (t->period_ns <= world->now_ns)
			t->period_ns += phase->sleep_ns;
		wake_ns = t->period_ns;
	}
	if (t->avoided)
		wake_ns = world->now_ns + (t->behaviour->tick_every_ns ?: TICK_EVERY_NS);
	t->wake_planned = true;
	world_plan(world, MAX(wake_ns, world->now_ns + 1), HAPPENS_WAKE, number, 0);
}

bool guest_work_end(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];

	if (guest_is_honest(t->behaviour) && t->guest->urgent) {
		t->guest->urgent = false;
		t->left_ns = t->guest->set_aside_ns;
		if (t->guest->due_ns)
			urgent_begin(world, t);
		else
			turn_to(t, t->left_ns ? ORDINARY_TASK : idle_task(t), world->now_ns);
		t->halted = true;
		return t->left_ns > 0;
	}
	if (guest_is_honest(t->behaviour))
		turn_to(t, IDLE_TASK, world->now_ns);
	if (!t->wake_planned)
		plan_ordinary(world, number);
	t->halted = rng_below(&world->random, 1000) >= t->behaviour->lock_permille;
	return false;
}

void guest_urgent_due(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];

	/* what is due while more of it waits is served with it */
	if (!t->guest->due_ns)
		t->guest->due_ns = world->now_ns;
	t->guest->next_ns = world->now_ns + t->behaviour->urgent_every_ns;
	world_plan(world, t->guest->next_ns, HAPPENS_URGENT, number, 0);
}
