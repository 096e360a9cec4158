// SPDX-License-Identifier: GPL-2.0-or-later
/* The lock of the runtime directory: one holder, and what a dead one leaves to its children. */
#include "daemon/runtime_lock.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/procfs.h"

#include "test.h"

static char directory[64];

static void begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/pvsched-lock-XXXXXX");
	CHECK(mkdtemp(directory));
}

static void end(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/lock", directory);
	CHECK(unlink(path) == 0 && rmdir(directory) == 0);
}

static pid_t start(void (*run)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
		_exit(0);
	}
	return pid;
}

static void finish(pid_t pid, int code)
{
	int status;

	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), code);
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void lock(void)
{
	pid_t holder;

	_exit(-runtime_lock(directory, &holder));
}

static void lock_and_stay(void)
{
	pid_t holder;

	if (runtime_lock(directory, &holder) < 0)
		_exit(1);
	raise(SIGSTOP);
}

static void wait_state(pid_t pid, char state)
{
	struct procfs_stat stat = {0};

	while (stat.state != state)
		CHECK_INT(procfs_stat(0, pid, &stat), 0);
}

static void test_one_holder(void)
{
	pid_t holder, other;

	begin();
	other = start(lock_and_stay);
	wait_state(other, 'T');
	CHECK_INT(runtime_lock(directory, &holder), -EWOULDBLOCK);
	CHECK_INT(holder, other);
	stop(other);
	finish(start(lock), 0);
	end();
}

/* A process takes the lock, leaves it to a child, and is gone. */
static int heir_fd[2];

static void leave_it(void)
{
	pid_t holder, heir;

	if (runtime_lock(directory, &holder) < 0)
		_exit(1);
	heir = fork();
	if (heir == 0) {
		pause();
		_exit(0);
	}
	if (write(heir_fd[1], &heir, sizeof(heir)) != sizeof(heir))
		_exit(1);
}

static pid_t heir_of_a_dead_one(pid_t *dead)
{
	pid_t heir;

	CHECK(pipe(heir_fd) == 0);
	*dead = start(leave_it);
	CHECK(read(heir_fd[0], &heir, sizeof(heir)) == sizeof(heir));
	finish(*dead, 0);
	return heir;
}

static void test_heir_lets_go(void)
{
	pid_t dead, heir, waits;

	begin();
	heir = heir_of_a_dead_one(&dead);
	waits = start(lock);
	wait_state(waits, 'S');
	kill(heir, SIGKILL);
	finish(waits, 0);
	end();
}

static void test_heir_keeps_it(void)
{
	pid_t dead, heir, holder;

	begin();
	heir = heir_of_a_dead_one(&dead);
	CHECK_INT(runtime_lock(directory, &holder), -EWOULDBLOCK);
	CHECK_INT(holder, dead);
	kill(heir, SIGKILL);
	end();
}

TEST_MAIN(TEST(test_one_holder), TEST(test_heir_lets_go), TEST(test_heir_keeps_it))
