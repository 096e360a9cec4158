/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Switches between an ordinary and a real-time task on CPU 0, each of which changes what a guest's
 * scheduler has to say: so many hints, and nothing else happens.
 */

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"

#define PRIORITY 5

/* How often a process has run; 0: there is none. */
static long times_run(long pid)
{
	unsigned long long on_cpu, waited, times = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%ld/schedstat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%llu %llu %llu", &on_cpu, &waited, &times) != 3)
		times = 0;
	fclose(file);
	return (long)times;
}

static void echo_bytes(int in, int out)
{
	char byte;

	while (read(in, &byte, 1) == 1)
		if (write(out, &byte, 1) != 1)
			break;
}

/* Each byte goes to a real-time task and comes back: two switches. Returns 0, or an errno. */
static int pass_bytes(long switches)
{
	const struct sched_param param = {.sched_priority = PRIORITY};
	int there[2], back[2];
	char byte = 0;
	pid_t pid;

	pin(0);
	if (pipe(there) < 0 || pipe(back) < 0)
		return errno;
	pid = fork();
	if (pid < 0)
		return errno;
	if (pid == 0) {
		close(there[1]);
		if (sched_setscheduler(0, SCHED_FIFO, &param) < 0)
			_exit(errno);
		echo_bytes(there[0], back[1]);
		_exit(0);
	}
	close(there[0]);
	close(back[1]);
	for (long i = 0; i < switches; i += 2)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			return EIO;
	return 0; /* the other ends with the pipe */
}

void do_switches(char **words, int n)
{
	long switches, pid = 0, ran;
	int status = 0;
	int64_t begin;
	pid_t worker;

	if (n < 2 || n > 3 || !number(words[1], 2, 100000000, &switches) ||
	    (n == 3 && !number(words[2], 0, 4194304, &pid))) {
		fail("switches N [PID]", EINVAL);
		return;
	}
	answer("# start");
	ran = times_run(pid);
	begin = now_ns();
	worker = fork();
	if (worker == 0)
		_exit(pass_bytes(switches));
	if (worker < 0 || waitpid(worker, &status, 0) != worker)
		status = -1;
	begin = now_ns() - begin;
	ran = times_run(pid) - ran;
	answer("# end");
	if (status)
		fail("switches", WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD);
	else
		answer("{\"ok\":true,\"us\":%ld,\"agent_ran\":%ld}", (long)(begin / 1000), ran);
}
