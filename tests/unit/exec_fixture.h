/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A process with a thread that calls exec when it is told to. */

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "util/procfs.h"

#include "test.h"

static int told[2], go[2];

static inline void *executes(void *userdata)
{
	pid_t tid = gettid();
	char byte;

	(void)userdata;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it is each thread's own */
	if (write(told[1], &tid, sizeof(tid)) != sizeof(tid) || read(go[0], &byte, 1) != 1)
		_exit(1);
	if (byte == 'q')
		return NULL;
	execl("/bin/sleep", "sleep", "20", NULL);
	_exit(1);
}

/** Starts it, with the timer slack 1234. Returns its thread that waits; *pid is the process. */
static inline pid_t executing_process(pid_t *pid)
{
	pthread_t thread;
	pid_t tid;

	CHECK(pipe(told) == 0 && pipe(go) == 0);
	*pid = fork();
	if (*pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_TIMERSLACK, 1234UL);
		pthread_create(&thread, NULL, executes, NULL);
		for (;;)
			pause();
	}
	CHECK(read(told[0], &tid, sizeof(tid)) == sizeof(tid));
	return tid;
}

/** Returns when it is done. */
static inline void exec_now(pid_t pid)
{
	struct procfs_stat stat = {0};

	CHECK(write(go[1], "x", 1) == 1);
	while (strcmp(stat.comm, "sleep") != 0) {
		CHECK_INT(procfs_stat(0, pid, &stat), 0);
		usleep(1000);
	}
}

/** The thread ends, and its process does not. Returns when it has. */
static inline void exit_now(pid_t pid, pid_t tid)
{
	struct procfs_stat stat;

	CHECK(write(go[1], "q", 1) == 1);
	while (procfs_stat(pid, tid, &stat) == 0)
		usleep(1000);
}

static inline void close_pipes(void)
{
	for (int i = 0; i < 2; i++) {
		close(told[i]);
		close(go[i]);
	}
}
