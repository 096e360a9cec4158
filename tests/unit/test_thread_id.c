// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/thread_id.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "util/procfs.h"

static struct thread_id id_of(pid_t tid)
{
	struct thread_id id = {.tid = tid};

	CHECK_INT(procfs_start_ticks(0, tid, &id.start_ticks), 0);
	return id;
}

static pid_t child_begin(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	CHECK(pid > 0);
	return pid;
}

static void test_another_thread_with_that_tid(void)
{
	struct thread_id id = id_of(getpid()), older = id;

	CHECK(thread_id_is_current(&id));
	CHECK(thread_id_is_alive(&id));
	older.start_ticks--;
	CHECK(!thread_id_is_current(&older));
	CHECK(!thread_id_is_alive(&older));
	CHECK(!thread_id_equal(&id, &older));
}

/* A process that has exited keeps its TID until its parent has waited for it. */
static void test_exit(void)
{
	pid_t pid = child_begin();
	struct thread_id id = id_of(pid);
	siginfo_t info;

	CHECK(thread_id_is_alive(&id));
	kill(pid, SIGKILL);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	CHECK(thread_id_is_current(&id));
	CHECK(!thread_id_is_alive(&id));
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK(!thread_id_is_current(&id));
	CHECK(!thread_id_is_alive(&id));
}

TEST_MAIN({"another_thread_with_that_tid", test_another_thread_with_that_tid}, {"exit", test_exit})
