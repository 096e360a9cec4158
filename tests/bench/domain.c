// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-domain -smp N [ANY OTHER ARGUMENT OF QEMU]...: a process that looks like a QEMU to who
 * finds them by /proc: N threads named as vCPUs. They sleep. A line "RATE" on standard input has
 * each wake RATE times a second from then on, 0: never; the end of the input ends it, so that it
 * outlives nobody.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "duty.h"
#include "util/clock.h"

#define VCPUS_MAX   64
#define STACK_BYTES 65536
/* What a guest's timer interrupt takes, with its exits. */
#define WORK_NS (20 * NSEC_PER_USEC)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned int rate; /* guarded by the lock */

/* Waits until somebody wants it to wake; how often then. *asleep tells whether it had to wait. */
static unsigned int wait_for_rate(bool *asleep)
{
	unsigned int now;

	pthread_mutex_lock(&lock);
	*asleep = rate == 0;
	while (rate == 0)
		pthread_cond_wait(&changed, &lock);
	now = rate;
	pthread_mutex_unlock(&lock);
	return now;
}

static void *vcpu_main(void *userdata)
{
	unsigned int seed = (unsigned int)getpid() * VCPUS_MAX + (unsigned int)(intptr_t)userdata;

	for (;;) {
		bool asleep;
		uint64_t period_ns = NSEC_PER_SEC / wait_for_rate(&asleep);
		struct duty duty = {.run_ns = WORK_NS, .period_ns = period_ns};

		if (asleep) /* not all of them at the same moment */
			usleep((useconds_t)((uint64_t)rand_r(&seed) % period_ns / NSEC_PER_USEC));
		/* one burst: then it looks whether it shall go on */
		duty_live(&duty, period_ns + period_ns / 2, NULL);
	}
	return NULL;
}

static int vcpus_start(unsigned int n)
{
	pthread_attr_t attributes;
	int r = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	for (unsigned int i = 0; i < n && r == 0; i++) {
		pthread_t thread;
		char name[16];

		r = pthread_create(&thread, &attributes, vcpu_main, (void *)(intptr_t)i);
		snprintf(name, sizeof(name), "CPU %u/TCG", i);
		if (r == 0)
			r = pthread_setname_np(thread, name);
	}
	pthread_attr_destroy(&attributes);
	return r;
}

static void obey(void)
{
	unsigned int wanted;

	while (scanf("%u", &wanted) == 1) {
		pthread_mutex_lock(&lock);
		rate = MIN(wanted, 1000U);
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
}

int main(int argc, char **argv)
{
	int n = 0, r;

	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "-smp") == 0)
			n = atoi(argv[i + 1]);
	if (n < 1 || n > VCPUS_MAX) {
		fprintf(stderr, "usage: bench-domain -smp N (1 to %d) [ARGUMENT]...\n", VCPUS_MAX);
		return 2;
	}
	r = vcpus_start((unsigned int)n);
	if (r) {
		fprintf(stderr, "bench-domain: a thread cannot be made: %s\n", strerror(r));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	obey();
	return 0;
}
