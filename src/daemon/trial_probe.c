// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/trial_probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "boost/sched.h"
#include "util/clock.h"
#include "util/cpulist.h"

/* The daemon's memory is locked: a stack of the usual size would take 8 MiB of it. */
#define STACK_BYTES (64 * 1024)

struct probe_thread {
	struct trial_probe *probe;
	unsigned int cpu;
	uint64_t n, late_ns; /* its own to write */
} __attribute__((aligned(64)));

struct trial_probe {
	bool ends;
	unsigned int users; /* threads that run, and its owner: the last one frees it */
	unsigned int n;
	struct probe_thread threads[TRIAL_PROBE_CPUS_MAX];
};

static void release(struct trial_probe *probe)
{
	if (__atomic_sub_fetch(&probe->users, 1, __ATOMIC_ACQ_REL) == 0)
		free(probe);
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec at = {.tv_sec = (time_t)(at_ns / NSEC_PER_SEC),
	                      .tv_nsec = (long)(at_ns % NSEC_PER_SEC)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

static void probe(struct probe_thread *self)
{
	struct cpu_set_bits cpus = CPU_SET_BITS_NULL;

	cpu_set_bits_add(&cpus, self->cpu);
	if (sched_go_home(&cpus) < 0)
		return; /* the CPU went away: it notes nothing */
	prctl(PR_SET_NAME, "trial-probe");
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	while (!__atomic_load_n(&self->probe->ends, __ATOMIC_RELAXED)) {
		uint64_t at_ns = clock_now_ns() + TRIAL_PROBE_NS, now_ns;

		sleep_until(at_ns);
		now_ns = clock_now_ns();
		__atomic_store_n(&self->late_ns,
		                 self->late_ns + (now_ns > at_ns ? now_ns - at_ns : 0),
		                 __ATOMIC_RELAXED);
		__atomic_store_n(&self->n, self->n + 1, __ATOMIC_RELAXED);
	}
}

static void *run(void *userdata)
{
	struct probe_thread *self = userdata;

	probe(self);
	release(self->probe);
	return NULL;
}

static int begin_thread(struct trial_probe *probe, unsigned int cpu)
{
	struct probe_thread *thread = &probe->threads[probe->n];
	pthread_attr_t attributes;
	pthread_t id;
	int r;

	*thread = (struct probe_thread){.probe = probe, .cpu = cpu};
	r = pthread_attr_init(&attributes);
	if (r)
		return -r;
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	__atomic_add_fetch(&probe->users, 1, __ATOMIC_RELAXED);
	r = pthread_create(&id, &attributes, run, thread);
	pthread_attr_destroy(&attributes);
	if (r) {
		__atomic_sub_fetch(&probe->users, 1, __ATOMIC_RELAXED);
		return -r;
	}
	probe->n++;
	return 0;
}

int trial_probe_new(struct trial_probe **ret)
{
	struct trial_probe *probe = aligned_alloc(64, sizeof(*probe));
	struct cpu_set_bits cpus;
	int r;

	if (!probe)
		return -ENOMEM;
	*probe = (struct trial_probe){.users = 1};
	r = sched_get_cpus(0, &cpus);
	if (r == 0)
		r = -ENOENT;
	CPU_SET_BITS_FOREACH(cpu, &cpus)
	{
		if (probe->n == TRIAL_PROBE_CPUS_MAX)
			break;
		r = begin_thread(probe, cpu);
		if (r < 0)
			break;
	}
	if (probe->n == 0) {
		free(probe);
		return r;
	}
	*ret = probe;
	return 0;
}

struct trial_probe *trial_probe_free(struct trial_probe *probe)
{
	if (!probe)
		return NULL;
	__atomic_store_n(&probe->ends, true, __ATOMIC_RELAXED);
	release(probe);
	return NULL;
}

struct trial_probe_sums trial_probe_read(const struct trial_probe *probe)
{
	struct trial_probe_sums sums = {0};

	for (unsigned int i = 0; probe && i < probe->n; i++) {
		sums.n += __atomic_load_n(&probe->threads[i].n, __ATOMIC_RELAXED);
		sums.late_ns += __atomic_load_n(&probe->threads[i].late_ns, __ATOMIC_RELAXED);
	}
	return sums;
}

unsigned int trial_probe_count(const struct trial_probe *probe)
{
	return probe ? probe->n : 0;
}
