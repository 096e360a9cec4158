// SPDX-License-Identifier: GPL-2.0-or-later
#include "sleepers.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES 65536

static void *sleeper_main(void *userdata)
{
	struct sleepers *s = userdata;
	uint64_t seen;

	pthread_mutex_lock(&s->lock);
	s->tids[s->started++] = (pid_t)syscall(SYS_gettid);
	seen = s->calls;
	while (!s->stop) {
		while (seen == s->calls && !s->stop)
			pthread_cond_wait(&s->wake, &s->lock);
		seen = s->calls;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static bool all_started(struct sleepers *s)
{
	bool all;

	pthread_mutex_lock(&s->lock);
	all = s->started == s->n;
	pthread_mutex_unlock(&s->lock);
	return all;
}

int sleepers_start(struct sleepers *s, size_t n)
{
	pthread_attr_t attributes;

	*s = (struct sleepers){.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
	s->threads = calloc(n, sizeof(*s->threads));
	s->tids = calloc(n, sizeof(*s->tids));
	if (!s->threads || !s->tids)
		return -ENOMEM;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	for (; s->n < n; s->n++) {
		int r = pthread_create(&s->threads[s->n], &attributes, sleeper_main, s);

		if (r)
			return -r;
	}
	pthread_attr_destroy(&attributes);
	while (!all_started(s))
		usleep(1000);
	return 0;
}

void sleepers_poke(struct sleepers *s)
{
	pthread_mutex_lock(&s->lock);
	s->calls++;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void sleepers_stop(struct sleepers *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->n; i++)
		pthread_join(s->threads[i], NULL);
	free(s->threads);
	free(s->tids);
}
