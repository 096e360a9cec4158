// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/timers.h"

#include <stdlib.h>

#define NOWHERE UINT32_MAX

struct timers {
	unsigned int n;
	unsigned int capacity;
	uint32_t *heap;  /* ids, earliest first */
	uint32_t *place; /* by id: index in heap, or NOWHERE */
	uint64_t *at_ns; /* by id */
};

struct timers *timers_new(unsigned int capacity)
{
	struct timers *timers = calloc(1, sizeof(*timers));

	if (!timers)
		return NULL;
	timers->capacity = capacity;
	timers->heap = calloc(capacity, sizeof(*timers->heap));
	timers->place = calloc(capacity, sizeof(*timers->place));
	timers->at_ns = calloc(capacity, sizeof(*timers->at_ns));
	if (!timers->heap || !timers->place || !timers->at_ns)
		return timers_free(timers);
	for (unsigned int i = 0; i < capacity; i++) {
		timers->place[i] = NOWHERE;
		timers->at_ns[i] = NSEC_NEVER;
	}
	return timers;
}

struct timers *timers_free(struct timers *timers)
{
	if (!timers)
		return NULL;
	free(timers->heap);
	free(timers->place);
	free(timers->at_ns);
	free(timers);
	return NULL;
}

static void put(struct timers *timers, unsigned int index, uint32_t id)
{
	timers->heap[index] = id;
	timers->place[id] = index;
}

static void sift_up(struct timers *timers, unsigned int index)
{
	uint32_t id = timers->heap[index];

	while (index > 0) {
		unsigned int parent = (index - 1) / 2;

		if (timers->at_ns[timers->heap[parent]] <= timers->at_ns[id])
			break;
		put(timers, index, timers->heap[parent]);
		index = parent;
	}
	put(timers, index, id);
}

static void sift_down(struct timers *timers, unsigned int index)
{
	uint32_t id = timers->heap[index];

	for (;;) {
		unsigned int child = 2 * index + 1;

		if (child >= timers->n)
			break;
		if (child + 1 < timers->n &&
		    timers->at_ns[timers->heap[child + 1]] < timers->at_ns[timers->heap[child]])
			child++;
		if (timers->at_ns[id] <= timers->at_ns[timers->heap[child]])
			break;
		put(timers, index, timers->heap[child]);
		index = child;
	}
	put(timers, index, id);
}

static void take_out(struct timers *timers, unsigned int id)
{
	unsigned int index = timers->place[id];
	uint32_t last;

	if (index == NOWHERE)
		return;
	timers->place[id] = NOWHERE;
	timers->at_ns[id] = NSEC_NEVER;
	last = timers->heap[--timers->n];
	if (last == id)
		return;
	put(timers, index, last);
	sift_up(timers, index);
	sift_down(timers, timers->place[last]);
}

void timers_set(struct timers *timers, unsigned int id, uint64_t at_ns)
{
	if (at_ns == NSEC_NEVER) {
		take_out(timers, id);
		return;
	}
	timers->at_ns[id] = at_ns;
	if (timers->place[id] == NOWHERE)
		put(timers, timers->n++, id);
	sift_up(timers, timers->place[id]);
	sift_down(timers, timers->place[id]);
}

uint64_t timers_get(const struct timers *timers, unsigned int id)
{
	return timers->at_ns[id];
}

uint64_t timers_first(const struct timers *timers, unsigned int *id)
{
	if (timers->n == 0)
		return NSEC_NEVER;
	if (id)
		*id = timers->heap[0];
	return timers->at_ns[timers->heap[0]];
}
