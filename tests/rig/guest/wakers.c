/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Message threads that wake workers, as in servers: a worker asks its message thread for work and
 * sleeps; the message thread wakes all that ask, by futex, and sleeps until another one asks. A
 * worker computes for a while, then waits for something else, and asks again.
 *
 *   wakers MESSENGERS WORKERS WORK_US PAUSE_US SECONDS
 *                                       # start, # end, as cyclictest, and "requests":N,"us":N,
 *                                       "turns_per_ms":N
 *
 * WORKERS are those of each message thread. The latencies are from a worker's wake-up to its run.
 * Work is a number of turns of a loop, not a time: one that waits for a CPU does nothing. How many
 * turns WORK_US are is measured once, since the guest runs.
 */

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "commands.h"

#define MESSENGERS_MAX 16
#define WORKERS_MAX    64
#define TRIES          50
#define TRY_TURNS      100000

struct messenger;

struct worker {
	pthread_t thread;
	struct messenger *messenger;
	struct worker *next; /* messenger::asking */
	atomic_uint woken;
	int64_t woken_ns;
	bool is_last; /* there is no more work */
	uint64_t requests;
	struct summary latencies;
};

struct messenger {
	pthread_t thread;
	atomic_uint asked;
	_Atomic(struct worker *) asking;
	struct wakers *all;
};

struct wakers {
	unsigned long turns; /* of one request */
	int64_t pause_ns;
	atomic_bool ends;
	long n_workers; /* of each messenger */
	long n_messengers;
	struct messenger messengers[MESSENGERS_MAX];
	struct worker *workers;
};

static void futex_post(atomic_uint *word)
{
	if (atomic_exchange(word, 1) == 0)
		syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void futex_await(atomic_uint *word)
{
	while (atomic_exchange(word, 0) == 0)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

/* Each turn needs the result of the one before. */
static void compute(unsigned long turns)
{
	unsigned long x = turns;

	while (turns--)
		x = x * 6364136223846793005UL + 1442695040888963407UL;
	__asm__ volatile("" : : "r"(x));
}

/* The fastest of many tries: in the others the vCPU did not run all the time. */
static unsigned long measure_turns_per_ms(void)
{
	int64_t least_ns = INT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		int64_t begin = now_ns(), took_ns;

		compute(TRY_TURNS);
		took_ns = now_ns() - begin;
		if (took_ns > 0 && took_ns < least_ns)
			least_ns = took_ns;
	}
	return (unsigned long)(TRY_TURNS * 1000000LL / least_ns);
}

static void ask(struct worker *worker)
{
	struct messenger *messenger = worker->messenger;

	worker->next = atomic_load(&messenger->asking);
	while (!atomic_compare_exchange_weak(&messenger->asking, &worker->next, worker))
		;
	futex_post(&messenger->asked);
}

static void *worker_run(void *data)
{
	struct worker *worker = data;
	const struct wakers *all = worker->messenger->all;

	for (;;) {
		ask(worker);
		futex_await(&worker->woken);
		if (worker->is_last)
			return NULL;
		summary_count(&worker->latencies, now_ns() - worker->woken_ns);
		compute(all->turns);
		worker->requests++;
		if (all->pause_ns)
			sleep_until(now_ns() + all->pause_ns);
	}
}

/* After the end it goes on until each worker has been told. */
static void *messenger_run(void *data)
{
	struct messenger *messenger = data;
	long told = 0;

	while (told < messenger->all->n_workers) {
		bool ends;
		struct worker *worker, *next;

		futex_await(&messenger->asked);
		ends = atomic_load(&messenger->all->ends);
		worker = atomic_exchange(&messenger->asking, NULL);
		for (; worker; worker = next) {
			next = worker->next; /* it may ask again as soon as it is woken */
			worker->is_last = ends;
			worker->woken_ns = now_ns();
			futex_post(&worker->woken);
			told += ends;
		}
	}
	return NULL;
}

static void thread_begin(pthread_t *thread, void *(*work)(void *), void *data)
{
	if (pthread_create(thread, NULL, work, data))
		abort();
}

static void wakers_run(struct wakers *all, long seconds)
{
	for (long m = 0; m < all->n_messengers; m++) {
		all->messengers[m].all = all;
		thread_begin(&all->messengers[m].thread, messenger_run, &all->messengers[m]);
	}
	for (long i = 0; i < all->n_messengers * all->n_workers; i++) {
		all->workers[i].messenger = &all->messengers[i / all->n_workers];
		thread_begin(&all->workers[i].thread, worker_run, &all->workers[i]);
	}
	sleep_until(now_ns() + seconds * 1000000000LL);
	atomic_store(&all->ends, true);
	for (long i = 0; i < all->n_messengers * all->n_workers; i++)
		pthread_join(all->workers[i].thread, NULL);
	for (long m = 0; m < all->n_messengers; m++)
		pthread_join(all->messengers[m].thread, NULL);
}

static void sum_up(const struct wakers *all, struct summary *summary, uint64_t *requests)
{
	*requests = 0;
	for (long i = 0; i < all->n_messengers * all->n_workers; i++) {
		summary_merge(summary, &all->workers[i].latencies);
		*requests += all->workers[i].requests;
	}
	if (summary->cycles)
		summary->avg_us /= summary->cycles;
}

static bool arguments(char **words, int n, struct wakers *ret, long *work_us, long *seconds)
{
	long pause_us;

	if (n != 6 || !number(words[1], 1, MESSENGERS_MAX, &ret->n_messengers) ||
	    !number(words[2], 1, WORKERS_MAX, &ret->n_workers) ||
	    !number(words[3], 1, 1000000, work_us) || !number(words[4], 0, 1000000, &pause_us) ||
	    !number(words[5], 1, 3600, seconds))
		return false;
	ret->pause_ns = pause_us * 1000;
	return true;
}

void do_wakers(char **words, int n)
{
	static unsigned long turns_per_ms;
	struct wakers all = {0};
	struct summary *summary;
	long work_us, seconds;
	uint64_t requests;
	int64_t begin, took_us;

	if (!arguments(words, n, &all, &work_us, &seconds)) {
		fail("wakers MESSENGERS WORKERS WORK_US PAUSE_US SECONDS", EINVAL);
		return;
	}
	all.workers = calloc((size_t)(all.n_messengers * all.n_workers), sizeof(*all.workers));
	summary = calloc(1, sizeof(*summary));
	if (!all.workers || !summary) {
		fail("wakers", ENOMEM);
		goto out;
	}
	if (!turns_per_ms)
		turns_per_ms = measure_turns_per_ms();
	all.turns = (unsigned long)work_us * turns_per_ms / 1000;
	answer("# start");
	begin = now_ns();
	wakers_run(&all, seconds);
	took_us = (now_ns() - begin) / 1000;
	answer("# end");
	sum_up(&all, summary, &requests);
	summary_print(summary);
	answer(",\"requests\":%lu,\"us\":%ld,\"turns_per_ms\":%lu}", (unsigned long)requests,
	       (long)took_us, turns_per_ms);
out:
	free(all.workers);
	free(summary);
}
