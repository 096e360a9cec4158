// SPDX-License-Identifier: GPL-2.0-or-later
/* The actuator and what the accounts of the tracer say of a thread; as root, else skipped. */
#include <linux/sched.h>
#include <sys/syscall.h>

#include "actuator_fixture.h"

#define WATCH 7

/* The tracer is said to watch the thread's life. */
static void watch(uint32_t life, uint32_t main_life)
{
	vcpus[2].life = life;
	domains[0].main_life = main_life;
}

/* Ends it, and gives its number to another one; false: that can't be had here. */
static bool reuse_number(struct scene *scene)
{
	pid_t pid = scene->pid;
	struct clone_args args = {
	        .exit_signal = SIGCHLD,
	        .set_tid = (uint64_t)(uintptr_t)&pid,
	        .set_tid_size = 1,
	};
	long r;

	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	r = syscall(SYS_clone3, &args, sizeof(args));
	if (r == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (r < 0)
		return false;
	CHECK_INT(r, pid);
	return true;
}

/* Proven to live, and then its number is reused. False: skipped. */
static bool begin_reused(struct scene *scene)
{
	if (!begin(scene))
		return false;
	watch(WATCH, WATCH);
	slack_write(scene->pid, "0"); /* the kernel's own, which soon needs no look after a boost */
	take_on(scene);
	for (int n = 0; n < 3; n++)
		raise_and_lower(scene);
	if (reuse_number(scene))
		return true;
	end(scene);
	return false;
}

/* Wherever the account can't tell, the file is asked. */
static void test_reused_number_is_left_alone(void)
{
	static const struct {
		uint32_t life, main_life;
	} words[] = {
	        {PVS_LIFE_UNKNOWN, PVS_LIFE_UNKNOWN}, /* not traced */
	        {PVS_LIFE_UNKNOWN, WATCH},
	        {WATCH, PVS_LIFE_UNKNOWN},
	        {PVS_LIFE_OVER, WATCH},         /* its exit was seen */
	        {WATCH, PVS_LIFE_OVER},         /* its process's first thread's: an exec */
	        {PVS_LIFE_OVER, PVS_LIFE_OVER}, /* all of its process is gone */
	        {WATCH, WATCH + 1},             /* the first thread is watched anew */
	        {WATCH + 1, WATCH + 1},         /* and so is whoever has the number now */
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct scene scene;

		if (!begin_reused(&scene))
			TEST_SKIP("no real-time priority here, or no number can be chosen");
		watch(words[i].life, words[i].main_life);
		CHECK_INT(actuator_raise(scene.actuator, 2, 0), ACTUATOR_GONE);
		CHECK_INT(sched_getscheduler(scene.pid), SCHED_OTHER);
		end(&scene);
	}
}

/* Not even if it has the very class that was given. */
static void test_reused_number_is_not_lowered(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	watch(WATCH, WATCH);
	take_on(&scene);
	raise_and_lower(&scene);
	CHECK_INT(actuator_raise(scene.actuator, 2, 0), 0);
	if (!reuse_number(&scene)) {
		CHECK_INT(actuator_lower(scene.actuator, 2, 0), ACTUATOR_GONE);
		end(&scene);
		TEST_SKIP("no number can be chosen here");
	}
	set_policy(scene.pid, SCHED_FIFO | SCHED_RESET_ON_FORK, 1);
	watch(PVS_LIFE_OVER, WATCH);
	CHECK_INT(actuator_lower(scene.actuator, 2, 0), ACTUATOR_GONE);
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_FIFO | SCHED_RESET_ON_FORK);
	end(&scene);
}

/* An account that is wrong, since the tracer was not run at an exit, is not believed for long. */
static void test_account_is_believed_for_a_while(void)
{
	struct scene scene;

	if (!begin_reused(&scene))
		TEST_SKIP("no real-time priority here, or no number can be chosen");
	/* the slack, too, comes from the account: so no file is read but for the thread's life */
	vcpus[2].slack_ns = state_of(scene.pid).slack_ns;
	vcpus[2].slack_at_ns = vcpus[2].out_ns = ACTUATOR_BELIEF_NS - 1;
	CHECK_INT(actuator_raise(scene.actuator, 2, ACTUATOR_BELIEF_NS - 1), 0);
	CHECK_INT(actuator_lower(scene.actuator, 2, 0), 0);
	CHECK_INT(actuator_raise(scene.actuator, 2, ACTUATOR_BELIEF_NS), ACTUATOR_GONE);
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_OTHER);
	vcpus[2].slack_at_ns = vcpus[2].out_ns = 0;
	end(&scene);
}

/* What the tracer saw of its slack as it left its CPU is given back, while that is of now. */
static void test_slack_by_account(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	take_on(&scene);
	vcpus[2].slack_ns = 4321;
	vcpus[2].slack_at_ns = vcpus[2].out_ns = 1;
	CHECK_INT(actuator_raise(scene.actuator, 2, ACCOUNT_SLACK_NS), 0);
	if (state_of(scene.pid).slack_ns != 0) {
		CHECK_INT(actuator_lower(scene.actuator, 2, 0), 0);
		end(&scene);
		TEST_SKIP("this kernel leaves real-time threads their slack");
	}
	CHECK_INT(actuator_lower(scene.actuator, 2, 0), 0);
	CHECK_U64(state_of(scene.pid).slack_ns, 4321);
	slack_write(scene.pid, "1234");
	CHECK_INT(actuator_raise(scene.actuator, 2, ACCOUNT_SLACK_NS + 1), 0);
	CHECK_INT(actuator_lower(scene.actuator, 2, 0), 0);
	CHECK_U64(state_of(scene.pid).slack_ns, 1234);
	/* when it was noted it had not been given back altogether */
	vcpus[2].lowered_at_ns = 1;
	CHECK_INT(actuator_raise(scene.actuator, 2, ACCOUNT_SLACK_NS), 0);
	CHECK_INT(actuator_lower(scene.actuator, 2, 0), 0);
	CHECK_U64(state_of(scene.pid).slack_ns, 1234);
	vcpus[2].slack_at_ns = vcpus[2].out_ns = vcpus[2].lowered_at_ns = 0;
	end(&scene);
}

TEST_MAIN({"reused_number_is_left_alone", test_reused_number_is_left_alone},
          {"reused_number_is_not_lowered", test_reused_number_is_not_lowered},
          {"account_is_believed_for_a_while", test_account_is_believed_for_a_while},
          {"slack_by_account", test_slack_by_account})
