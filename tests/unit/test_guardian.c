// SPDX-License-Identifier: GPL-2.0-or-later
/* The guardian process, real; where it must boost threads to give them back, as root only. */
#include <stdio.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boost/guardian.h"
#include "util/clock.h"
#include "util/procfs.h"

#include "test.h"

#define WAIT_NS (5 * NSEC_PER_SEC)

static char path[64]; /* of the ledger: each program has its own */

static struct ledger *fresh_ledger(void)
{
	struct ledger *ledger;

	snprintf(path, sizeof(path), "/tmp/pvsched-guardian-ledger-%d", getpid());
	unlink(path);
	CHECK_INT(ledger_open(path, &ledger), 0);
	return ledger;
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	CHECK(pid > 0);
	return pid;
}

/* Boosts a thread with its record, as the actuator does. False: the kernel does not allow it here.
 */
static bool boost_in(struct ledger *ledger, pid_t pid, unsigned int slot)
{
	struct ledger_thread record = {.tid = pid, .given = {SCHED_FIFO, 1}};
	CLEANUP(sched_close) struct sched_thread thread = SCHED_THREAD_NULL;
	int r;

	CHECK_INT(sched_open(pid, &thread), 0);
	r = sched_get(&thread, &record.before);
	if (r == -EPERM) /* an ordinary user may not even read the timer slack */
		return false;
	CHECK_INT(r, 0);
	CHECK_INT(procfs_start_ticks(0, pid, &record.start_ticks), 0);
	ledger_put_thread(ledger, slot, &record);
	return sched_give_boost(pid, &record.given) == 0;
}

static bool boost(struct ledger *ledger, pid_t pid)
{
	return boost_in(ledger, pid, 0);
}

static void wait_until_given_back(const struct ledger *ledger, pid_t pid)
{
	uint64_t end_ns = clock_now_ns() + WAIT_NS;

	while (sched_getscheduler(pid) != SCHED_OTHER || ledger_count(ledger) > 0)
		CHECK(clock_now_ns() < end_ns);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_answers_and_leaves(void)
{
	struct ledger *ledger = fresh_ledger();
	struct guardian *guardian;

	CHECK_INT(guardian_start(&guardian, ledger, 3), 0);
	CHECK_INT(guardian_ping(guardian), 0);
	CHECK_INT(guardian_ping(guardian), 0);
	guardian_stop(guardian);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	ledger_close(ledger);
	unlink(path);
}

static void test_stopped_one_does_not_answer(void)
{
	struct ledger *ledger = fresh_ledger();
	struct guardian *guardian;

	CHECK_INT(guardian_start(&guardian, ledger, 3), 0);
	kill(guardian_pid(guardian), SIGSTOP);
	CHECK_INT(guardian_ping(guardian), -ETIMEDOUT);
	kill(guardian_pid(guardian), SIGCONT);
	/* the late answer to the first question is not taken for one to the second */
	CHECK_INT(guardian_ping(guardian), 0);
	kill(guardian_pid(guardian), SIGSTOP);
	guardian_stop(guardian); /* does not hang */
	ledger_close(ledger);
	unlink(path);
}

static void test_ignores_signals(void)
{
	struct ledger *ledger = fresh_ledger();
	struct guardian *guardian;

	CHECK_INT(guardian_start(&guardian, ledger, 3), 0);
	kill(guardian_pid(guardian), SIGTERM);
	kill(guardian_pid(guardian), SIGINT);
	kill(guardian_pid(guardian), SIGHUP);
	CHECK_INT(guardian_ping(guardian), 0);
	guardian_stop(guardian);
	ledger_close(ledger);
	unlink(path);
}

/* A process that plays the daemon: starts a guardian, boosts @victim, tells, and waits for its end.
 */
static pid_t daemon_with_boost(struct ledger *ledger, pid_t victim, int *told)
{
	int fds[2];
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		struct guardian *guardian;
		char ok = guardian_start(&guardian, ledger, 3) == 0 && boost(ledger, victim);

		if (write(fds[1], &ok, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	*told = fds[0];
	return pid;
}

static void test_gives_back_when_the_daemon_is_killed(void)
{
	struct ledger *ledger = fresh_ledger();
	pid_t victim = sleeper(), daemon;
	char ok = 0;
	int told;

	daemon = daemon_with_boost(ledger, victim, &told);
	CHECK(read(told, &ok, 1) == 1);
	if (ok) {
		CHECK_INT(sched_getscheduler(victim), SCHED_FIFO | SCHED_RESET_ON_FORK);
		end(daemon);
		wait_until_given_back(ledger, victim);
	} else {
		end(daemon);
	}
	close(told);
	end(victim);
	ledger_close(ledger);
	unlink(path);
	if (!ok)
		TEST_SKIP("no real-time priority here");
}

/* The tracer's ring is any descriptor that becomes readable. */
static void test_gives_back_when_a_boost_is_overdue(void)
{
	struct ledger *ledger = fresh_ledger();
	struct guardian *guardian;
	pid_t victim = sleeper();
	int ring[2];
	bool ok;

	CHECK(pipe(ring) == 0);
	CHECK_INT(guardian_start(&guardian, ledger, 3), 0);
	CHECK_INT(guardian_watch_overdue(guardian, ring[0]), 0);
	ok = boost(ledger, victim);
	CHECK_INT(ledger_guardian_acts(ledger), 0);
	CHECK(write(ring[1], "x", 1) == 1);
	if (ok)
		wait_until_given_back(ledger, victim);
	CHECK(waitpid(guardian_pid(guardian), NULL, 0) == guardian_pid(guardian));
	CHECK_INT(ledger_guardian_acts(ledger), 1);
	guardian_forget(guardian);
	close(ring[0]);
	close(ring[1]);
	end(victim);
	ledger_close(ledger);
	unlink(path);
	if (!ok)
		TEST_SKIP("no real-time priority here");
}

#define RT_TIME_US 40000

/* Returns 0: all was given back; 1; 2: the kernel allows no boost here. */
static int give_thousands_back(void)
{
	struct rlimit limit = {RT_TIME_US, RT_TIME_US};
	struct ledger *ledger = fresh_ledger();
	struct ledger_thread thread = {.before.policy = SCHED_BATCH, .given = {SCHED_FIFO, 1}};
	struct ledger_standing standing = {.slice_ns = 3 * NSEC_PER_MSEC};
	pid_t other = sleeper(), last = sleeper();
	struct guardian *guardian;
	int r = 2;

	thread.tid = standing.tid = other;
	CHECK_INT(procfs_start_ticks(0, other, &thread.start_ticks), 0);
	standing.start_ticks = thread.start_ticks;
	for (unsigned int i = 0; i < LEDGER_THREADS_MAX - 1; i++) {
		ledger_put_thread(ledger, i, &thread);
		ledger_put_standing(ledger, i, &standing);
	}
	if (boost_in(ledger, last, LEDGER_THREADS_MAX - 1)) {
		CHECK_INT(setrlimit(RLIMIT_RTTIME, &limit), 0);
		CHECK_INT(guardian_start(&guardian, ledger, 3), 0);
		CHECK(guardian_realtime(guardian));
		guardian_stop(guardian);
		r = sched_getscheduler(last) != SCHED_OTHER || ledger_count(ledger) > 0;
	}
	end(other);
	end(last);
	ledger_close(ledger);
	unlink(path);
	return r;
}

/*
 * A full ledger takes longer than the kernel lets a real-time thread compute without a sleep: the
 * limit is a fifth of the service's here.
 */
static void test_gives_thousands_back(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(give_thousands_back());
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		TEST_SKIP("no right to boost a thread");
	CHECK_INT(WEXITSTATUS(status), 0);
}

TEST_MAIN({"answers_and_leaves", test_answers_and_leaves},
          {"stopped_one_does_not_answer", test_stopped_one_does_not_answer},
          {"ignores_signals", test_ignores_signals},
          {"gives_back_when_the_daemon_is_killed", test_gives_back_when_the_daemon_is_killed},
          {"gives_back_when_a_boost_is_overdue", test_gives_back_when_a_boost_is_overdue},
          {"gives_thousands_back", test_gives_thousands_back})
