/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPUs that wait for each other: *waits for*, by an interrupt that the other one must serve, and
 * *critical section*, for one that was preempted with a lock. The waiter spins.
 */
#include "waits.h"

#include "guest.h"
#include "rng.h"

/* So long the other one must run. */
#define SERVES_NS (20 * NSEC_PER_USEC)

/* Help comes after the booster has reacted: a wait that is not much longer than that is not late.
 */
#define LATE_NS NSEC_PER_MSEC

/* How often a vCPU that spins looks, which is also the rate of its signs. */
#define LOOKS_NS (10 * NSEC_PER_USEC)

static uint64_t ran_ns(const struct world *world, const struct thread *t)
{
	if (t->state != THREAD_RUNNING)
		return t->ran_ns;
	return t->ran_ns + world->now_ns - world->cpus[t->cpu].accounted_ns;
}

static bool is_in_section(const struct thread *t)
{
	return t->guest && t->guest->page.cs_state && t->state == THREAD_QUEUED;
}

/* Another vCPU of its domain, from a random one on; -1: there is none to wait for. */
static int choose(struct world *world, const struct thread *t, uint32_t number)
{
	uint32_t first = number, n = 0, from;

	while (first > 0 && world->threads[first - 1].domain == t->domain)
		first--;
	while (first + n < world->n_threads && world->threads[first + n].vcpu >= 0 &&
	       world->threads[first + n].domain == t->domain)
		n++;
	from = (uint32_t)rng_below(&world->random, n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t other = first + (from + i) % n;
		const struct thread *o = &world->threads[other];

		if (other != number && o->state != THREAD_ASLEEP &&
		    (!t->behaviour->critical_permille || is_in_section(o)))
			return (int)other;
	}
	return -1;
}

static void begin(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];
	int other = t->state == THREAD_RUNNING ? choose(world, t, number) : -1;

	if (other < 0)
		return;
	t->awaits = other;
	t->awaits_since_ns = world->now_ns;
	t->awaits_ran_ns = ran_ns(world, &world->threads[other]) + SERVES_NS;
	if (!t->behaviour->critical_permille)
		world->hooks.sends(world->hooks.userdata, (int)number, other);
}

/* It counts as an interrupt that was served, which is what its guest waited for. */
static void end(struct world *world, struct thread *t)
{
	uint64_t waited_ns = world->now_ns - t->awaits_since_ns;

	t->awaits_since_ns = 0;
	t->interrupts++;
	t->interrupt_wait_ns += waited_ns;
	t->interrupts_late += waited_ns > LATE_NS;
	t->interrupt_worst_ns = MAX(t->interrupt_worst_ns, waited_ns);
}

void waits_due(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];
	uint64_t every_ns = t->behaviour->waits_every_ns;

	if (!t->awaits_since_ns)
		begin(world, number);
	else if (ran_ns(world, &world->threads[t->awaits]) >= t->awaits_ran_ns)
		end(world, t);
	else if (t->state == THREAD_RUNNING)
		world->hooks.spun(world->hooks.userdata, (int)number);
	world_plan(world,
	           world->now_ns +
	                   (t->awaits_since_ns
	                            ? LOOKS_NS
	                            : every_ns / 2 + 1 + rng_below(&world->random, every_ns)),
	           HAPPENS_WAIT, number, 0);
}

void waits_preempted(struct world *world, uint32_t number)
{
	const struct thread *t = &world->threads[number];

	if (t->guest && t->behaviour->critical_permille)
		t->guest->page.cs_state =
		        rng_below(&world->random, 1000) < t->behaviour->critical_permille
		                ? PVSCHED_CS_PREEMPT
		                : 0;
}
