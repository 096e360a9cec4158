// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions that one thread has run on another one. */
#include "boost/call.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "test.h"

/* In place of the booster. */
struct booster {
	struct calls calls;
	pthread_t thread;
	pid_t tid;
	unsigned int served;
	bool ends;
};

static void *serve(void *userdata)
{
	struct booster *b = userdata;
	struct pollfd pfd = {.fd = b->calls.request_fd, .events = POLLIN};

	b->tid = gettid();
	while (!b->ends) {
		CHECK_INT(poll(&pfd, 1, -1), 1);
		calls_serve(&b->calls, b);
	}
	return NULL;
}

static void begin(struct booster *b)
{
	*b = (struct booster){0};
	CHECK_INT(calls_init(&b->calls), 0);
	CHECK_INT(pthread_create(&b->thread, NULL, serve, b), 0);
}

static int do_end(struct booster *b, void *arg)
{
	(void)arg;
	b->ends = true;
	return 0;
}

static void end(struct booster *b)
{
	CHECK_INT(calls_run(&b->calls, do_end, NULL), 0);
	pthread_join(b->thread, NULL);
	calls_close(&b->calls);
}

static int do_add(struct booster *b, void *arg)
{
	CHECK_INT(gettid(), b->tid);
	*(unsigned int *)arg += 1;
	return (int)b->served++;
}

static void test_runs_on_the_other_thread(void)
{
	unsigned int value = 5;
	struct booster b;

	begin(&b);
	for (int i = 0; i < 1000; i++)
		CHECK_INT(calls_run(&b.calls, do_add, &value), i);
	CHECK_INT(value, 1005);
	CHECK_INT(b.served, 1000);
	end(&b);
}

/* It may be woken for another reason. */
static void test_no_call(void)
{
	struct booster b = {0};

	CHECK_INT(calls_init(&b.calls), 0);
	calls_serve(&b.calls, &b);
	CHECK_INT(b.served, 0);
	calls_close(&b.calls);
}

/* After one call that was not answered, none is posted any more. */
static void test_no_answer(void)
{
	unsigned int value = 5;
	struct booster b = {0};

	CHECK_INT(calls_init(&b.calls), 0);
	CHECK_INT(calls_run(&b.calls, do_add, &value), -ETIMEDOUT);
	CHECK_INT(calls_run(&b.calls, do_add, &value), -ETIMEDOUT);
	CHECK_INT(value, 5);
	calls_close(&b.calls);
}

TEST_MAIN({"runs_on_the_other_thread", test_runs_on_the_other_thread}, {"no_call", test_no_call},
          {"no_answer", test_no_answer})
