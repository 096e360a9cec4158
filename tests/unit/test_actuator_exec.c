// SPDX-License-Identifier: GPL-2.0-or-later
/* A boosted thread that calls exec goes on under its process's number; as root, else skipped. */
#include "actuator_fixture.h"
#include "exec_fixture.h"

static void take_on_thread(struct scene *scene, pid_t tid)
{
	struct thread_id id = {.tid = tid};

	CHECK_INT(procfs_start_ticks(0, tid, &id.start_ticks), 0);
	CHECK_INT(actuator_open(scene->actuator, 2, &id), 0);
}

/* The fixture's process is one with a thread that waits, which is returned, and taken on. */
static pid_t begin_thread(struct scene *scene)
{
	pid_t tid;

	kill(scene->pid, SIGKILL);
	CHECK_INT(waitpid(scene->pid, NULL, 0), scene->pid);
	tid = executing_process(&scene->pid);
	take_on_thread(scene, tid);
	return tid;
}

static void end_thread(struct scene *scene)
{
	close_pipes();
	end(scene);
}

/* A boosted thread has executed something. False: no real-time priority here. */
static bool begin_executed(struct scene *scene)
{
	if (!begin(scene))
		return false;
	begin_thread(scene);
	CHECK_INT(actuator_boost(scene->actuator, 2, 0), 0);
	exec_now(scene->pid);
	return true;
}

static void check_given_back(struct scene *scene)
{
	struct sched_state state = state_of(scene->pid);

	CHECK_INT(state.policy, SCHED_OTHER);
	CHECK_INT(state.reset_on_fork, 0);
	CHECK_U64(state.slack_ns, 1234);
}

static void test_unboosted(void)
{
	struct scene scene;

	if (!begin_executed(&scene))
		TEST_SKIP("no real-time priority here");
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_FIFO | SCHED_RESET_ON_FORK);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), ACTUATOR_GONE);
	check_given_back(&scene);
	end_thread(&scene);
}

/* By the guardian, or pvschedd --restore. */
static void test_restored_from_the_ledger(void)
{
	struct ledger_result result;
	struct scene scene;

	if (!begin_executed(&scene))
		TEST_SKIP("no real-time priority here");
	ledger_restore(scene.ledger, &result);
	CHECK_INT(result.restored, 1);
	CHECK_INT(result.gone, 0);
	check_given_back(&scene);
	end_thread(&scene);
}

/* Its process's first thread has a class of its own, be it the very one that we give. */
static void check_others_are_left_alone(int policy)
{
	struct scene scene;
	pid_t tid;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	tid = begin_thread(&scene);
	actuator_close(scene.actuator, 2);
	set_policy(scene.pid, policy, 1);
	take_on_thread(&scene, tid);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	CHECK_INT(sched_getscheduler(scene.pid), policy);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	set_policy(tid, SCHED_OTHER, 0);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), ACTUATOR_FOREIGN);
	CHECK_INT(sched_getscheduler(scene.pid), policy);
	end_thread(&scene);
}

static void test_others_are_left_alone(void)
{
	check_others_are_left_alone(SCHED_RR);
	check_others_are_left_alone(SCHED_FIFO | SCHED_RESET_ON_FORK);
}

/* One that got it after the thread was taken on: the thread is still there, so it is not that. */
static void test_a_thread_that_is_there_has_not_executed(void)
{
	struct scene scene;
	pid_t tid;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	tid = begin_thread(&scene);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	set_policy(scene.pid, SCHED_FIFO | SCHED_RESET_ON_FORK, 1);
	set_policy(tid, SCHED_OTHER, 0);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), ACTUATOR_FOREIGN);
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_FIFO | SCHED_RESET_ON_FORK);
	end_thread(&scene);
}

/*
 * The thread ends, and its process's first thread has the very class that we give, from another
 * program, which gave it after the thread was taken on: no exec.
 */
static void test_a_thread_that_ended_has_not_executed(void)
{
	struct ledger_result result;
	struct scene scene;
	pid_t tid;

	for (int by_ledger = 0; by_ledger < 2; by_ledger++) {
		if (!begin(&scene))
			TEST_SKIP("no real-time priority here");
		tid = begin_thread(&scene);
		set_policy(scene.pid, SCHED_FIFO | SCHED_RESET_ON_FORK, 1);
		CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
		exit_now(scene.pid, tid);
		if (by_ledger)
			ledger_restore(scene.ledger, &result);
		CHECK_INT(actuator_unboost(scene.actuator, 2, 0), ACTUATOR_GONE);
		CHECK_INT(sched_getscheduler(scene.pid), SCHED_FIFO | SCHED_RESET_ON_FORK);
		end_thread(&scene);
	}
}

/* A younger one has the process's number: a record outlives its process where no guardian acts. */
static void test_reused_number_is_left_alone(void)
{
	struct ledger_result result;
	struct ledger_thread record;
	struct scene scene;

	if (!begin_executed(&scene))
		TEST_SKIP("no real-time priority here");
	CHECK_INT(ledger_get_thread(scene.ledger, 2, &record), 0);
	record.start_ticks = 1;
	ledger_put_thread(scene.ledger, 2, &record);
	ledger_restore(scene.ledger, &result);
	CHECK_INT(result.gone, 1);
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_FIFO | SCHED_RESET_ON_FORK);
	end_thread(&scene);
}

TEST_MAIN({"unboosted", test_unboosted},
          {"restored_from_the_ledger", test_restored_from_the_ledger},
          {"others_are_left_alone", test_others_are_left_alone},
          {"a_thread_that_is_there_has_not_executed", test_a_thread_that_is_there_has_not_executed},
          {"a_thread_that_ended_has_not_executed", test_a_thread_that_ended_has_not_executed},
          {"reused_number_is_left_alone", test_reused_number_is_left_alone})
