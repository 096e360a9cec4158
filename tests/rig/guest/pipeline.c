/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A pipeline as in programs that store each piece of data once: a reader, threads that cut blocks
 * into chunks and look which came before, threads that pack the new ones, and a writer that keeps
 * the order. Each of the two middle stages has as many threads as there are CPUs. Bounded queues
 * join the stages; a thread that finds one empty, or full, sleeps on a condition variable. So a
 * stage that stands still, since its vCPU does not run, soon stops all others.
 *
 *   pipeline SECONDS                    # start, # end, {"ok":true,"blocks":N,"us":N,"packed":N}
 *
 * blocks were written in that time, of BLOCK_BYTES each; packed: bytes that were left of them.
 */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chunks.h"
#include "commands.h"

#define BLOCK_BYTES 16384
#define BLOCKS      64 /* of all stages together */
#define QUEUE_MAX   8
#define WORKERS_MAX 64 /* of one stage */
#define KNOWN_BITS  14
#define STRIPES     64

struct block {
	uint64_t number;
	size_t n_fresh, packed;
	struct {
		size_t from, length;
	} fresh[BLOCK_BYTES / CHUNK_BYTES_MIN];
	uint8_t bytes[BLOCK_BYTES];
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	struct block *blocks[BLOCKS];
	size_t first, n, capacity;
	long writers; /* threads that may still put something */
};

struct pipeline {
	struct queue unused, raw, cut, packed;
	int64_t ends_ns;
	uint64_t n_written, bytes_written;
	struct block blocks[BLOCKS];
	uint64_t known[1 << KNOWN_BITS]; /* hashes of chunks; the last of those that meet */
	pthread_mutex_t stripes[STRIPES];
};

static void queue_init(struct queue *queue, size_t capacity, long writers)
{
	*queue = (struct queue){.capacity = capacity, .writers = writers};
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->filled, NULL);
	pthread_cond_init(&queue->emptied, NULL);
}

static void queue_put(struct queue *queue, struct block *block)
{
	pthread_mutex_lock(&queue->lock);
	while (queue->n == queue->capacity)
		pthread_cond_wait(&queue->emptied, &queue->lock);
	queue->blocks[(queue->first + queue->n++) % BLOCKS] = block;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

/* NULL: no more will come. */
static struct block *queue_take(struct queue *queue)
{
	struct block *block = NULL;

	pthread_mutex_lock(&queue->lock);
	while (!queue->n && queue->writers)
		pthread_cond_wait(&queue->filled, &queue->lock);
	if (queue->n) {
		block = queue->blocks[queue->first];
		queue->first = (queue->first + 1) % BLOCKS;
		queue->n--;
		pthread_cond_signal(&queue->emptied);
	}
	pthread_mutex_unlock(&queue->lock);
	return block;
}

/* One of those that put something has ended. */
static void queue_leave(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	if (--queue->writers == 0)
		pthread_cond_broadcast(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* The first half comes again every 16 blocks; the other one is new, and has letters only. */
static void fill(struct block *block)
{
	uint32_t old = (uint32_t)(block->number % 16 + 1) * 2654435761U;
	uint32_t new = (uint32_t)block->number * 2654435761U + 1;

	for (size_t i = 0; i < BLOCK_BYTES / 2; i++)
		block->bytes[i] = (uint8_t)next_random(&old);
	for (size_t i = BLOCK_BYTES / 2; i < BLOCK_BYTES; i++)
		block->bytes[i] = (uint8_t)('a' + next_random(&new) % 4);
}

static void *read_blocks(void *data)
{
	struct pipeline *pipeline = data;
	uint64_t number = 0;

	while (now_ns() < pipeline->ends_ns) {
		struct block *block = queue_take(&pipeline->unused);

		block->number = number++;
		fill(block);
		queue_put(&pipeline->raw, block);
	}
	queue_leave(&pipeline->raw);
	return NULL;
}

/* And knows it from now on. */
static bool came_before(struct pipeline *pipeline, uint64_t hash)
{
	size_t slot = hash & ((1 << KNOWN_BITS) - 1);
	pthread_mutex_t *lock = &pipeline->stripes[slot % STRIPES];
	bool known;

	pthread_mutex_lock(lock);
	known = pipeline->known[slot] == hash;
	pipeline->known[slot] = hash;
	pthread_mutex_unlock(lock);
	return known;
}

static void *cut_blocks(void *data)
{
	struct pipeline *pipeline = data;
	struct block *block;

	while ((block = queue_take(&pipeline->raw))) {
		block->n_fresh = block->packed = 0;
		for (size_t from = 0, length; from < BLOCK_BYTES; from += length) {
			length = chunk_length(block->bytes + from, BLOCK_BYTES - from);
			if (came_before(pipeline, chunk_hash(block->bytes + from, length)))
				continue;
			block->fresh[block->n_fresh].from = from;
			block->fresh[block->n_fresh++].length = length;
		}
		queue_put(&pipeline->cut, block);
	}
	queue_leave(&pipeline->cut);
	return NULL;
}

static void *pack_blocks(void *data)
{
	struct pipeline *pipeline = data;
	struct block *block;

	while ((block = queue_take(&pipeline->cut))) {
		for (size_t i = 0; i < block->n_fresh; i++)
			block->packed += chunk_packed(block->bytes + block->fresh[i].from,
			                              block->fresh[i].length);
		queue_put(&pipeline->packed, block);
	}
	queue_leave(&pipeline->packed);
	return NULL;
}

/* In the order in which they were read: of BLOCKS that are on their way no two meet here. */
static void *write_blocks(void *data)
{
	struct pipeline *pipeline = data;
	struct block *early[BLOCKS] = {NULL}, *block;

	while ((block = queue_take(&pipeline->packed))) {
		early[block->number % BLOCKS] = block;
		while ((block = early[pipeline->n_written % BLOCKS])) {
			early[pipeline->n_written % BLOCKS] = NULL;
			pipeline->n_written++;
			pipeline->bytes_written += block->packed;
			queue_put(&pipeline->unused, block);
		}
	}
	return NULL;
}

static void pipeline_init(struct pipeline *pipeline, long seconds, long n_workers)
{
	queue_init(&pipeline->unused, BLOCKS, 1);
	queue_init(&pipeline->raw, QUEUE_MAX, 1);
	queue_init(&pipeline->cut, QUEUE_MAX, n_workers);
	queue_init(&pipeline->packed, QUEUE_MAX, n_workers);
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_init(&pipeline->stripes[i], NULL);
	for (size_t i = 0; i < BLOCKS; i++)
		queue_put(&pipeline->unused, &pipeline->blocks[i]);
	pipeline->ends_ns = now_ns() + seconds * 1000000000LL;
}

/* A stage of which a thread is missing would wait for ever. */
static void thread_begin(pthread_t *thread, void *(*work)(void *), struct pipeline *pipeline)
{
	if (pthread_create(thread, NULL, work, pipeline))
		abort();
}

static void pipeline_run(struct pipeline *pipeline, long n_workers)
{
	pthread_t threads[2 + 2 * WORKERS_MAX];
	size_t n = 0;

	thread_begin(&threads[n++], write_blocks, pipeline);
	for (long i = 0; i < n_workers; i++) {
		thread_begin(&threads[n++], cut_blocks, pipeline);
		thread_begin(&threads[n++], pack_blocks, pipeline);
	}
	thread_begin(&threads[n++], read_blocks, pipeline);
	while (n)
		pthread_join(threads[--n], NULL);
}

void do_pipeline(char **words, int n)
{
	long seconds, n_workers = sysconf(_SC_NPROCESSORS_ONLN);
	struct pipeline *pipeline;
	int64_t begin;

	if (n != 2 || !number(words[1], 1, 3600, &seconds)) {
		fail("pipeline SECONDS", EINVAL);
		return;
	}
	pipeline = calloc(1, sizeof(*pipeline));
	if (!pipeline) {
		fail("pipeline", ENOMEM);
		return;
	}
	n_workers = n_workers < WORKERS_MAX ? n_workers : WORKERS_MAX;
	answer("# start");
	begin = now_ns();
	pipeline_init(pipeline, seconds, n_workers);
	pipeline_run(pipeline, n_workers);
	answer("# end");
	answer("{\"ok\":true,\"blocks\":%lu,\"us\":%ld,\"packed\":%lu}",
	       (unsigned long)pipeline->n_written, (long)((now_ns() - begin) / 1000),
	       (unsigned long)pipeline->bytes_written);
	free(pipeline);
}
