/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is counted of a thread: its fair share of a CPU, and the interrupts that it served. */
#include "guest.h"
#include "world.h"

const struct thread *world_running(const struct world *world, const struct cpu *c)
{
	const struct thread *t = c->current >= 0 ? &world->threads[c->current] : NULL;

	return t && t->state == THREAD_RUNNING ? t : NULL;
}

struct census {
	uint64_t groups, mates;
};

static void count(struct world *world, const struct thread *t, const struct thread *other,
                  struct census *ret)
{
	if (other == t || other->priority > 0)
		return;
	ret->mates += other->group == t->group;
	ret->groups += world->group_seen[other->group] != world->seen_stamp;
	world->group_seen[other->group] = world->seen_stamp;
}

uint32_t world_entitled_permille(struct world *world, uint32_t number)
{
	const struct thread *t = &world->threads[number];
	const struct cpu *c = &world->cpus[t->cpu];
	struct census there = {1, 1};

	world->group_seen[t->group] = ++world->seen_stamp;
	for (size_t i = 0; i < c->n_queued; i++)
		count(world, t, &world->threads[c->queue[i]], &there);
	if (world_running(world, c))
		count(world, t, world_running(world, c), &there);
	return (uint32_t)MAX(1000 / there.groups / there.mates, UINT64_C(1));
}

/* What interrupted it is served first. */
void world_serve_interrupt(struct world *world, struct thread *t)
{
	uint64_t waited_ns = world->now_ns - t->interrupt_due_ns;

	if (!t->interrupt_due_ns)
		return;
	t->interrupts++;
	t->interrupt_wait_ns += waited_ns;
	t->interrupts_late += waited_ns > GUEST_LATE_NS;
	t->interrupt_worst_ns = MAX(t->interrupt_worst_ns, waited_ns);
	t->interrupt_due_ns = 0;
}
