// SPDX-License-Identifier: GPL-2.0-or-later
#include "victims.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boost/sched.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define RTTIME_US 400000 /* on one CPU without a sleep: then the kernel ends the victims */

static const struct victims_options *options;
static struct victims_results *results;
static pthread_barrier_t ready, go, done; /* of the victims' process */

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(error));
	return -error;
}

/* How often all of them went to another CPU; 0 where the kernel does not tell. */
static uint64_t migrations(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < options->n; i++) {
		char path[64], line[128];
		unsigned long n;

		snprintf(path, sizeof(path), "/proc/self/task/%d/sched", results->tids[i]);
		CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
		while (file && fgets(line, sizeof(line), file))
			if (sscanf(line, "se.nr_migrations : %lu", &n) == 1)
				sum += n;
	}
	return sum;
}

static void stay(unsigned int cpu)
{
	struct cpu_set_bits here = CPU_SET_BITS_NULL, missing;

	cpu_set_bits_add(&here, cpu);
	if (sched_set_cpus(0, &here, &missing) != 0)
		_exit(1);
}

static void *victim_main(void *userdata)
{
	size_t i = (size_t)(uintptr_t)userdata;
	struct duty duty = options->duty;
	struct duty_record record = {
	        .latency_ns = results->latency_ns[i],
	        .max = VICTIMS_SAMPLES_MAX,
	};

	if (options->cpus)
		stay(options->cpus[i]);
	prctl(PR_SET_TIMERSLACK, 1UL);
	memset(record.latency_ns, 0, sizeof(results->latency_ns[i])); /* no fault later */
	results->tids[i] = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&go);
	/* one schedule for all of its life: who is late once would have another one after that */
	if (options->spread)
		duty.origin_ns = results->go_ns + duty.period_ns * i / options->n;
	duty_live(&duty, options->warm_ns, NULL);
	/* one of them for all: whoever else did it would have to be scheduled first */
	if (i == 0) {
		results->migrations = migrations();
		stamp_take(&options->spinners, &results->begin);
	}
	duty_live(&duty, options->for_ns, &record);
	if (i == 0) {
		stamp_take(&options->spinners, &results->end);
		results->migrations = migrations() - results->migrations;
	}
	results->n[i] = record.n;
	pthread_barrier_wait(&done);
	return NULL;
}

/* The victims' process: says when they are ready, waits for the word, says when they are done. */
static void victims_main(int go_fd, int done_fd)
{
	struct rlimit limit = {RTTIME_US, RTTIME_US};
	pthread_t thread;
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_RTTIME, &limit);
	pthread_barrier_init(&ready, NULL, options->n + 1);
	pthread_barrier_init(&go, NULL, options->n + 1);
	pthread_barrier_init(&done, NULL, options->n + 1);
	for (size_t i = 0; i < options->n; i++)
		if (pthread_create(&thread, NULL, victim_main, (void *)(uintptr_t)i))
			_exit(1);
	pthread_barrier_wait(&ready);
	mlockall(MCL_CURRENT);
	if (write(done_fd, &byte, 1) != 1 || read(go_fd, &byte, 1) != 1)
		_exit(1);
	pthread_barrier_wait(&go);
	pthread_barrier_wait(&done);
	if (write(done_fd, &byte, 1) != 1 || read(go_fd, &byte, 1) != 1)
		_exit(1);
	_exit(0);
}

static int group_enter(pid_t pid)
{
	CLEANUP(cleanup_file) FILE *file = fopen(options->group, "we");

	if (!file || fprintf(file, "%d", pid) < 0 || fflush(file) != 0)
		return fail(options->group, errno);
	return 0;
}

int victims_start(struct victims *victims, const struct victims_options *given)
{
	int go_fds[2], done_fds[2], r;
	char byte;

	options = given;
	results = mmap(NULL, sizeof(*results), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	if (results == MAP_FAILED || pipe(go_fds) < 0 || pipe(done_fds) < 0)
		return fail("memory and pipes for the victims", errno);
	*victims = (struct victims){fork(), go_fds[1], done_fds[0], results};
	if (victims->pid < 0)
		return fail("fork", errno);
	if (victims->pid == 0) {
		close(go_fds[1]);
		close(done_fds[0]);
		victims_main(go_fds[0], done_fds[1]);
	}
	close(done_fds[1]);
	r = group_enter(victims->pid);
	if (r == 0 && read(victims->done_fd, &byte, 1) != 1)
		r = fail("the victims do not start", ESRCH);
	return r;
}

int victims_run(struct victims *victims)
{
	char byte = 0;

	victims->results->go_ns = clock_now_ns();
	if (write(victims->go_fd, &byte, 1) != 1 || read(victims->done_fd, &byte, 1) != 1)
		return fail("the victims died: the real-time limit of 400 ms, or a signal", ESRCH);
	return 0;
}

void victims_end(struct victims *victims)
{
	if (victims->pid <= 0)
		return;
	kill(victims->pid, SIGKILL);
	waitpid(victims->pid, NULL, 0);
}
