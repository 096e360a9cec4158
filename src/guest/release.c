/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "guest/release.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

/** Small, since the daemon's memory is locked, stacks too. */
#define STACK_SIZE (64 * 1024)

static atomic_uint pending;

static void *close_it(void *userdata)
{
	close((int)(intptr_t)userdata);
	atomic_fetch_sub(&pending, 1);
	return NULL;
}

/** Signals are for the main thread. Without a thread the descriptor stays counted and open. */
static void start(pthread_attr_t *attributes, int fd)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, attributes, close_it, (void *)(intptr_t)fd) == 0)
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int release_fd(int fd)
{
	pthread_attr_t attributes;

	if (fd < 0)
		return -1;
	atomic_fetch_add(&pending, 1);
	if (pthread_attr_init(&attributes) != 0)
		return -1;
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	start(&attributes, fd);
	pthread_attr_destroy(&attributes);
	return -1;
}

unsigned int release_pending(void)
{
	return atomic_load(&pending);
}
