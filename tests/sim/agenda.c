/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static bool sooner(const struct entry *a, const struct entry *b)
{
	return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

void world_plan(struct world *world, uint64_t at_ns, enum happening what, uint32_t number,
                uint64_t generation)
{
	struct agenda *agenda = &world->agenda;
	size_t i;
	struct entry entry = {MAX(at_ns, world->now_ns), agenda->order++, what, number, generation};

	if (agenda->n == agenda->capacity) {
		agenda->capacity = agenda->capacity ? 2 * agenda->capacity : 1024;
		agenda->heap = realloc(agenda->heap, agenda->capacity * sizeof(entry));
		if (!agenda->heap)
			abort();
	}
	for (i = agenda->n++; i > 0 && sooner(&entry, &agenda->heap[(i - 1) / 2]); i = (i - 1) / 2)
		agenda->heap[i] = agenda->heap[(i - 1) / 2];
	agenda->heap[i] = entry;
}

bool world_next(struct world *world, uint64_t until_ns, struct entry *ret)
{
	struct agenda *agenda = &world->agenda;
	struct entry last;
	size_t i = 0, child;

	if (agenda->n == 0 || agenda->heap[0].at_ns >= until_ns)
		return false;
	*ret = agenda->heap[0];
	last = agenda->heap[--agenda->n];
	while ((child = 2 * i + 1) < agenda->n) {
		if (child + 1 < agenda->n && sooner(&agenda->heap[child + 1], &agenda->heap[child]))
			child++;
		if (sooner(&last, &agenda->heap[child]))
			break;
		agenda->heap[i] = agenda->heap[child];
		i = child;
	}
	agenda->heap[i] = last;
	world->now_ns = ret->at_ns;
	return true;
}

static void mix(struct world *world, uint64_t value)
{
	for (int i = 0; i < 8; i++) {
		world->hash ^= (value >> (8 * i)) & 255;
		world->hash *= UINT64_C(0x100000001b3); /* FNV-1a */
	}
}

void world_note(struct world *world, const char *what, uint64_t a, uint64_t b)
{
	mix(world, world->now_ns);
	mix(world, (uint64_t)what[0] << 8 | (uint64_t)what[1]);
	mix(world, a << 32 ^ b);
	if (world->print)
		printf("%12" PRIu64 ".%03" PRIu64 " %s %" PRId64 " %" PRId64 "\n",
		       world->now_ns / 1000, world->now_ns % 1000, what, (int64_t)a, (int64_t)b);
}

void world_init(struct world *world, uint32_t n_cpus, uint64_t seed)
{
	memset(world, 0, sizeof(*world));
	/* not 0: a time of 0 means never to the tracer */
	world->now_ns = NSEC_PER_SEC;
	world->random = seed;
	world->hash = UINT64_C(0xcbf29ce484222325);
	world->n_cpus = n_cpus;
	for (uint32_t i = 0; i < WORLD_CPUS_MAX; i++)
		world->cpus[i].current = -1;
	for (uint32_t i = 0; i < WORLD_GROUPS_MAX; i++)
		world->group_weight[i] = 1024;
}

void world_fini(struct world *world)
{
	free(world->agenda.heap);
	free(world->runs);
	memset(world, 0, sizeof(*world));
}
