/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Threads that do nothing but sleep, and wake up for a moment when they are told to.
 */

#include <pthread.h>
#include <sys/types.h>

#include "util/base.h"

struct sleepers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	uint64_t calls; /* how often they were woken */
	bool stop;
	size_t n, started;
	pthread_t *threads;
	pid_t *tids;
};

/** Starts @n of them; returns when all sleep for the first time or are about to. 0, or -errno. */
int sleepers_start(struct sleepers *sleepers, size_t n);

/** All of them wake, and go back to sleep. */
void sleepers_poke(struct sleepers *sleepers);

void sleepers_stop(struct sleepers *sleepers);
