/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"
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
	world->hash = (world->hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	world->hash ^= world->hash >> 29;
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

static void ran_unseen(void *userdata, const struct run_interval *run)
{
	(void)userdata, (void)run;
}

static void boosted_unseen(void *userdata, uint64_t at_ns, uint32_t cpu,
                           const struct thread *thread, bool begins)
{
	(void)userdata, (void)at_ns, (void)cpu, (void)thread, (void)begins;
}

void world_init(struct world *world, uint32_t n_cpus, uint64_t seed)
{
	*world = (struct world){
	        /* not 0: a time of 0 means never to the tracer */
	        .now_ns = NSEC_PER_SEC,
	        .random = seed,
	        .hash = UINT64_C(0xcbf29ce484222325),
	        .n_cpus = n_cpus,
	        .movable = {{-1, -1}, {-1, -1}},
	        .recorder = {ran_unseen, boosted_unseen, NULL},
	};
	world->cpus = calloc(n_cpus, sizeof(*world->cpus));
	if (!world->cpus)
		abort();
	for (uint32_t i = 0; i < n_cpus; i++)
		world->cpus[i].current = -1;
}

void world_add(struct world *world, const struct thread *thread)
{
	struct thread *t;

	if (world->n_threads == world->threads_capacity) {
		world->threads_capacity =
		        world->threads_capacity ? 2 * world->threads_capacity : 64;
		world->threads =
		        realloc(world->threads, world->threads_capacity * sizeof(*world->threads));
		if (!world->threads)
			abort();
	}
	t = &world->threads[world->n_threads++];
	*t = *thread;
	t->guest = guest_new(t->behaviour, world->random ^ world->n_threads);
	world->n_groups = MAX(world->n_groups, t->group + 1);
}

void world_fini(struct world *world)
{
	for (uint32_t i = 0; i < world->n_threads; i++)
		guest_free(world->threads[i].guest);
	for (uint32_t i = 0; i < world->n_cpus; i++) {
		free(world->cpus[i].group_vruntime);
		free(world->cpus[i].queue);
	}
	free(world->group_seen);
	free(world->threads);
	free(world->cpus);
	free(world->agenda.heap);
	*world = (struct world){0};
}
