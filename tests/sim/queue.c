/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

static struct movable *movable_of(struct world *world, const struct thread *t)
{
	return &world->movable[t->priority > 0];
}

/* Is @a to be moved rather than @b, of the same class? */
static bool moves_before(const struct world *world, int a, int b)
{
	const struct thread *x = &world->threads[a], *y = &world->threads[b];

	if (x->priority != y->priority)
		return x->priority > y->priority;
	if (x->ready_ns != y->ready_ns)
		return x->ready_ns < y->ready_ns;
	return a < b;
}

/* Most come last: they wait since now. */
static void movable_add(struct world *world, int number)
{
	struct thread *t = &world->threads[number];
	struct movable *list = movable_of(world, t);
	int before = list->last, after;

	while (before >= 0 && moves_before(world, number, before))
		before = world->threads[before].before;
	after = before >= 0 ? world->threads[before].after : list->first;
	t->before = before;
	t->after = after;
	*(before >= 0 ? &world->threads[before].after : &list->first) = number;
	*(after >= 0 ? &world->threads[after].before : &list->last) = number;
}

static void movable_remove(struct world *world, int number)
{
	struct thread *t = &world->threads[number];
	struct movable *list = movable_of(world, t);

	*(t->before >= 0 ? &world->threads[t->before].after : &list->first) = t->after;
	*(t->after >= 0 ? &world->threads[t->after].before : &list->last) = t->before;
}

void queue_add(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];
	struct cpu *c = &world->cpus[t->cpu];
	size_t i = c->n_queued;

	if (c->n_queued == c->queue_capacity) {
		c->queue_capacity = c->queue_capacity ? 2 * c->queue_capacity : 16;
		c->queue = realloc(c->queue, c->queue_capacity * sizeof(*c->queue));
		if (!c->queue)
			abort();
	}
	for (; i > 0 && c->queue[i - 1] > number; i--)
		c->queue[i] = c->queue[i - 1];
	c->queue[i] = number;
	c->n_queued++;
	if (t->only_cpu < 0)
		movable_add(world, (int)number);
}

void queue_remove(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];
	struct cpu *c = &world->cpus[t->cpu];
	size_t i = 0;

	while (c->queue[i] != number)
		i++;
	c->n_queued--;
	memmove(&c->queue[i], &c->queue[i + 1], (c->n_queued - i) * sizeof(*c->queue));
	if (t->only_cpu < 0)
		movable_remove(world, (int)number);
}

int queue_pull(const struct world *world, uint32_t cpu, bool fair)
{
	for (int class = 1; class >= !fair; class --) {
		int number = world->movable[class].first;

		while (number >= 0 && world->threads[number].cpu == cpu)
			number = world->threads[number].after;
		if (number >= 0)
			return number;
	}
	return -1;
}

void queue_mark(struct world *world, uint32_t cpu)
{
	uint64_t bit = UINT64_C(1) << (cpu % 64);
	int current = world->cpus[cpu].current;

	world->idle[cpu / 64] &= ~bit;
	world->fair[cpu / 64] &= ~bit;
	if (current < 0)
		world->idle[cpu / 64] |= bit;
	else if (world->threads[current].priority == 0)
		world->fair[cpu / 64] |= bit;
}

/* The first CPU of a set from @cpu on, round and round; -1: it is empty. */
static int first_from(const struct world *world, const uint64_t *set, uint32_t cpu)
{
	uint32_t words = (world->n_cpus + 63) / 64, at = cpu / 64;
	uint64_t upper = ~UINT64_C(0) << (cpu % 64);

	for (uint32_t k = 0; k <= words; k++, at = (at + 1) % words) {
		uint64_t bits = set[at];

		if (k == 0)
			bits &= upper;
		else if (k == words)
			bits &= ~upper;
		if (bits)
			return (int)(64 * at) + __builtin_ctzll(bits);
	}
	return -1;
}

static uint32_t weakest_from(const struct world *world, uint32_t from)
{
	int best = -1, best_priority = 0;

	for (uint32_t k = 0; k < world->n_cpus; k++) {
		uint32_t cpu = (from + k) % world->n_cpus;
		int priority = world->threads[world->cpus[cpu].current].priority;

		if (best < 0 || priority < best_priority) {
			best = (int)cpu;
			best_priority = priority;
		}
	}
	return (uint32_t)best;
}

int queue_weaker_cpu(const struct world *world, const struct thread *t)
{
	int found;

	if (t->only_cpu >= 0 || t->priority == 0)
		return -1;
	/* its own is in neither set: it runs there */
	found = first_from(world, world->idle, t->cpu);
	return found >= 0 ? found : first_from(world, world->fair, t->cpu);
}

uint32_t queue_choose_cpu(const struct world *world, const struct thread *t)
{
	int last = world->cpus[t->cpu].current, found;

	if (t->only_cpu >= 0 || last < 0)
		return t->cpu;
	/* a cache that is warm is worth more than an idle CPU */
	if (t->priority > 0 && world->threads[last].priority == 0)
		return t->cpu;
	found = first_from(world, world->idle, t->cpu);
	if (found < 0)
		found = first_from(world, world->fair, t->cpu);
	return found >= 0 ? (uint32_t)found : weakest_from(world, t->cpu);
}
