/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* An actuator, and a process of its own to boost. */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boost/actuator.h"
#include "util/procfs.h"

#include "test.h"

static char path[64]; /* of the ledger: each program has its own */
#define SLOTS 4

static struct pvs_vcpu_account vcpus[SLOTS];
static struct pvs_domain_account domains[1];
static const struct accounts accounts = {.vcpus = vcpus, .domains = domains};

struct scene {
	struct ledger *ledger;
	struct actuator *actuator;
	pid_t pid;
};

/* A process that sleeps, with the timer slack @slack_ns. */
static inline pid_t sleeper(unsigned long slack_ns)
{
	int fds[2];
	char byte;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_TIMERSLACK, slack_ns);
		if (write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CHECK(pid > 0 && read(fds[0], &byte, 1) == 1);
	close(fds[0]);
	close(fds[1]);
	return pid;
}

/* Boosts are to @priority. False: no real-time priority here. */
static inline bool begin_with(struct scene *scene, uint32_t priority)
{
	struct sched_boost boost = {SCHED_FIFO, priority};
	struct sched_param param = {.sched_priority = 1}, none = {0};

	if (sched_setscheduler(0, SCHED_FIFO, &param) < 0)
		return false;
	sched_setscheduler(0, SCHED_OTHER, &none);
	snprintf(path, sizeof(path), "/tmp/pvsched-actuator-ledger-%d", getpid());
	unlink(path);
	CHECK_INT(ledger_open(path, &scene->ledger), 0);
	scene->actuator = actuator_new(scene->ledger, &accounts, SLOTS, &boost);
	CHECK(scene->actuator);
	scene->pid = sleeper(1234);
	return true;
}

static inline bool begin(struct scene *scene)
{
	return begin_with(scene, 1);
}

static inline void take_on(struct scene *scene)
{
	struct thread_id id = {.tid = scene->pid};

	CHECK_INT(procfs_start_ticks(0, id.tid, &id.start_ticks), 0);
	CHECK_INT(actuator_open(scene->actuator, 2, &id), 0);
}

static inline void end(struct scene *scene)
{
	CHECK_INT(ledger_count(scene->ledger), 0);
	kill(scene->pid, SIGKILL);
	waitpid(scene->pid, NULL, 0);
	actuator_free(scene->actuator);
	ledger_close(scene->ledger);
	unlink(path);
}

static inline struct sched_state state_of(pid_t pid)
{
	CLEANUP(sched_close) struct sched_thread thread = SCHED_THREAD_NULL;
	struct sched_state state;

	CHECK_INT(sched_open(pid, &thread), 0);
	CHECK_INT(sched_get(&thread, &state), 0);
	return state;
}

static inline void set_policy(pid_t pid, int policy, int priority)
{
	struct sched_param param = {.sched_priority = priority};

	CHECK(sched_setscheduler(pid, policy, &param) == 0);
}

static inline void slack_write(pid_t pid, const char *slack_ns)
{
	char file[64];
	int fd;

	snprintf(file, sizeof(file), "/proc/%d/timerslack_ns", pid);
	fd = open(file, O_WRONLY);
	CHECK(fd >= 0 && write(fd, slack_ns, strlen(slack_ns)) > 0);
	close(fd);
}

static inline void boost_and_unboost(struct scene *scene)
{
	CHECK_INT(actuator_boost(scene->actuator, 2, 0), 0);
	CHECK_INT(actuator_unboost(scene->actuator, 2, 0), 0);
}
