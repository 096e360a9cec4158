// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guardian's keeper: that nothing is boosted before a new guardian starts, that grants are
 * renewed before boosts are guarded again, and that a guardian that keeps dying is tried less
 * often. With the true loop and true processes that do nothing.
 */
#include "daemon/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/log.h"

#include "log_fake.h"
#include "test.h"

struct guardian {
	pid_t pid;
};

static sd_event *event;
static struct guard *guard;
static char calls[32][32];
static size_t n_calls;
static int answer_start, answer_ping;
static bool realtime;
static uint32_t acts;

static void call(const char *what)
{
	CHECK(n_calls < ARRAY_SIZE(calls));
	snprintf(calls[n_calls++], sizeof(calls[0]), "%s", what);
}

/* ---- guardians that only wait ---- */

int guardian_start(struct guardian **ret, struct ledger *ledger, uint32_t priority)
{
	(void)ledger;
	(void)priority;
	call("start");
	if (answer_start < 0)
		return answer_start;
	*ret = calloc(1, sizeof(**ret));
	(*ret)->pid = fork();
	if ((*ret)->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return 0;
}

bool guardian_realtime(const struct guardian *guardian)
{
	(void)guardian;
	return realtime;
}

int guardian_watch_overdue(struct guardian *guardian, int ring_fd)
{
	(void)guardian;
	(void)ring_fd;
	return 0;
}

int guardian_ping(struct guardian *guardian)
{
	(void)guardian;
	return answer_ping;
}

pid_t guardian_pid(const struct guardian *guardian)
{
	return guardian->pid;
}

struct guardian *guardian_forget(struct guardian *guardian)
{
	free(guardian);
	return NULL;
}

struct guardian *guardian_stop(struct guardian *guardian)
{
	if (!guardian)
		return NULL;
	kill(guardian->pid, SIGKILL);
	waitpid(guardian->pid, NULL, 0);
	return guardian_forget(guardian);
}

uint32_t ledger_guardian_acts(const struct ledger *ledger)
{
	(void)ledger;
	return acts;
}

void tracer_forget_overdue(struct tracer *tracer)
{
	(void)tracer;
}

int tracer_overdue_fd(const struct tracer *tracer)
{
	(void)tracer;
	return -1;
}

int booster_ping(struct booster *booster)
{
	(void)booster;
	return 0;
}

/* ---- fixture ---- */

static void on_guarded(void *userdata, bool guarded)
{
	(void)userdata;
	call(guarded ? "guarded" : "not guarded");
}

static void on_renewed(void *userdata)
{
	(void)userdata;
	call("renewed");
}

static void begin(void)
{
	struct guard_news news = {.guarded = on_guarded, .renewed = on_renewed};
	sigset_t signals;

	if (!event) {
		sigemptyset(&signals);
		sigaddset(&signals, SIGCHLD);
		CHECK_INT(sigprocmask(SIG_BLOCK, &signals, NULL), 0);
		CHECK(sd_event_new(&event) >= 0);
	}
	guard_free(guard);
	n_calls = 0;
	realtime = true;
	CHECK_INT(guard_new(&guard, NULL, 1, &news), 0);
	CHECK_INT(guard_attach(guard, event, NULL), 0);
}

/* Waits for news. */
static void wait_for(size_t n)
{
	for (int i = 0; n_calls < n && i < 100; i++)
		CHECK(sd_event_run(event, 100000) >= 0);
	CHECK_INT(n_calls, n);
}

static void die(void)
{
	CHECK_INT(kill(guardian_pid(guard_guardian(guard)), SIGKILL), 0);
}

/* It dies: not guarded, then a new one, then grants, then guarded. In this order. */
static void test_dies(void)
{
	static const char *const expected[] = {"start", "not guarded", "start", "renewed",
	                                       "guarded"};

	begin();
	CHECK(guard_answers(guard));
	die();
	wait_for(ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		CHECK_STR(calls[i], expected[i]);
	CHECK(guard_answers(guard));
}

/* It dies again soon: a new one is not started at once, except by command. */
static void test_dies_again(void)
{
	begin();
	die();
	wait_for(5);
	die();
	wait_for(6);
	CHECK_STR(calls[5], "not guarded");
	CHECK(!guard_guardian(guard));
	CHECK(sd_event_run(event, 50000) >= 0);
	CHECK_INT(n_calls, 6);
	guard_try_now(guard);
	CHECK_INT(n_calls, 9);
	CHECK_STR(calls[8], "guarded");
	guard_try_now(guard);
	CHECK_INT(n_calls, 9);
}

/* It acts, and leaves: that is its duty, so the next one is there at once, however often. */
static void test_acts(void)
{
	begin();
	for (size_t n = 5; n <= 21; n += 4) {
		acts++;
		die();
		wait_for(n);
		CHECK_STR(calls[n - 1], "guarded");
	}
}

/* One that can't be started: not guarded, and tried again later. */
static void test_not_started(void)
{
	struct guard_news news = {.guarded = on_guarded, .renewed = on_renewed};

	begin();
	guard_free(guard);
	answer_start = -EAGAIN;
	CHECK_INT(guard_new(&guard, NULL, 1, &news), 0);
	answer_start = 0;
	CHECK(!guard_answers(guard));
	n_calls = 0;
	CHECK_INT(guard_attach(guard, event, NULL), 0);
	wait_for(3);
	CHECK_STR(calls[0], "start");
	CHECK_STR(calls[2], "guarded");
}

/* Without a real-time priority it does not guard. */
static void test_not_realtime(void)
{
	begin();
	realtime = false;
	CHECK(!guard_answers(guard));
	die();
	wait_for(5);
	CHECK_STR(calls[4], "not guarded");
}

/* Stopped: not guarded until it goes on. */
static void test_stopped(void)
{
	begin();
	CHECK_INT(kill(guardian_pid(guard_guardian(guard)), SIGSTOP), 0);
	wait_for(2);
	CHECK_STR(calls[1], "not guarded");
	CHECK_INT(kill(guardian_pid(guard_guardian(guard)), SIGCONT), 0);
	wait_for(3);
	CHECK_STR(calls[2], "guarded");
	guard = guard_free(guard);
}

TEST_MAIN(TEST(test_dies), TEST(test_dies_again), TEST(test_acts), TEST(test_not_started),
          TEST(test_not_realtime), TEST(test_stopped))
