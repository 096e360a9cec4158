// SPDX-License-Identifier: GPL-2.0-or-later
/* The actuator and what the tracer's accounts say of a thread; skipped unless run as root. */
#include <linux/sched.h>
#include <sys/syscall.h>

#include "actuator_fixture.h"
#include "boost/identity.h"

#define EPOCH 7

/* What the tracer's words are said to be. */
static void set_epochs(uint32_t epoch, uint32_t leader_epoch)
{
	vcpus[2].epoch = epoch;
	domains[0].leader_epoch = leader_epoch;
}

/* Ends the thread, and gives its TID to another one; false: no TID can be chosen here. */
static bool reuse_tid(struct scene *scene)
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

/* The thread is proven to be alive, and then its TID is reused. False: skipped. */
static bool begin_reused(struct scene *scene)
{
	if (!begin(scene))
		return false;
	set_epochs(EPOCH, EPOCH);
	slack_write(scene->pid, "0"); /* the kernel's own, which soon is not read after a boost */
	take_on(scene);
	for (int n = 0; n < 3; n++)
		boost_and_unboost(scene);
	if (reuse_tid(scene))
		return true;
	end(scene);
	return false;
}

/* Where the account cannot tell, the file does. */
static void test_reused_tid_is_left_alone(void)
{
	static const struct {
		uint32_t epoch, leader_epoch;
	} words[] = {
	        {PVS_EPOCH_UNKNOWN, PVS_EPOCH_UNKNOWN}, /* not traced */
	        {PVS_EPOCH_UNKNOWN, EPOCH},
	        {EPOCH, PVS_EPOCH_UNKNOWN},
	        {PVS_EPOCH_OVER, EPOCH},          /* its exit was seen */
	        {EPOCH, PVS_EPOCH_OVER},          /* its leader's was: an exec */
	        {PVS_EPOCH_OVER, PVS_EPOCH_OVER}, /* all of its process is gone */
	        {EPOCH, EPOCH + 1},               /* the leader is tracked anew */
	        {EPOCH + 1, EPOCH + 1},           /* and so is the thread with that TID */
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct scene scene;

		if (!begin_reused(&scene))
			TEST_SKIP("no real-time priority here, or no TID can be chosen");
		set_epochs(words[i].epoch, words[i].leader_epoch);
		CHECK_INT(actuator_boost(scene.actuator, 2, 0), ACTUATOR_GONE);
		CHECK_INT(sched_getscheduler(scene.pid), SCHED_OTHER);
		end(&scene);
	}
}

/* Not even if the other thread has the very class that was given. */
static void test_reused_tid_is_not_unboosted(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	set_epochs(EPOCH, EPOCH);
	take_on(&scene);
	boost_and_unboost(&scene);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	if (!reuse_tid(&scene)) {
		CHECK_INT(actuator_unboost(scene.actuator, 2, 0), ACTUATOR_GONE);
		end(&scene);
		TEST_SKIP("no TID can be chosen here");
	}
	set_policy(scene.pid, SCHED_FIFO | SCHED_RESET_ON_FORK, 1);
	set_epochs(PVS_EPOCH_OVER, EPOCH);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), ACTUATOR_GONE);
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_FIFO | SCHED_RESET_ON_FORK);
	end(&scene);
}

/* An account that is wrong, since the tracer missed an exit, is not believed for long. */
static void test_account_is_believed_for_a_while(void)
{
	struct scene scene;

	if (!begin_reused(&scene))
		TEST_SKIP("no real-time priority here, or no TID can be chosen");
	/* the slack comes from the account, too, so a file is read for the identity only */
	vcpus[2].slack_ns = state_of(scene.pid).slack_ns;
	vcpus[2].slack_at_ns = vcpus[2].out_ns = IDENTITY_BELIEF_NS - 1;
	CHECK_INT(actuator_boost(scene.actuator, 2, IDENTITY_BELIEF_NS - 1), 0);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	CHECK_INT(actuator_boost(scene.actuator, 2, IDENTITY_BELIEF_NS), ACTUATOR_GONE);
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_OTHER);
	vcpus[2].slack_at_ns = vcpus[2].out_ns = 0;
	end(&scene);
}

/*
 * An account that is believed, and wrong, has another thread boosted. That is found out when the
 * boost ends: the other thread gets its class back, and not the slack that the account knew of
 * ours.
 */
static void test_stranger_gets_nothing_of_ours(void)
{
	struct scene scene;

	if (!begin_reused(&scene))
		TEST_SKIP("no real-time priority here, or no TID can be chosen");
	set_policy(scene.pid, SCHED_BATCH, 0);
	vcpus[2].slack_ns = 4321;
	vcpus[2].slack_at_ns = vcpus[2].out_ns = IDENTITY_BELIEF_NS - 1;
	CHECK_INT(actuator_boost(scene.actuator, 2, IDENTITY_BELIEF_NS - 1), 0);
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_FIFO | SCHED_RESET_ON_FORK);
	CHECK_INT(actuator_unboost(scene.actuator, 2, IDENTITY_BELIEF_NS), ACTUATOR_GONE);
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_BATCH);
	CHECK(state_of(scene.pid).slack_ns != 4321);
	vcpus[2].slack_at_ns = vcpus[2].out_ns = vcpus[2].slack_ns = 0;
	end(&scene);
}

/* The slack that the tracer saw as the thread left its CPU is given back, while it is recent. */
static void test_slack_by_account(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	take_on(&scene);
	vcpus[2].slack_ns = 4321;
	vcpus[2].slack_at_ns = vcpus[2].out_ns = 1;
	CHECK_INT(actuator_boost(scene.actuator, 2, ACCOUNT_SLACK_NS), 0);
	if (state_of(scene.pid).slack_ns != 0) {
		CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
		end(&scene);
		TEST_SKIP("this kernel leaves real-time threads their slack");
	}
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	CHECK_U64(state_of(scene.pid).slack_ns, 4321);
	slack_write(scene.pid, "1234");
	CHECK_INT(actuator_boost(scene.actuator, 2, ACCOUNT_SLACK_NS + 1), 0);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	CHECK_U64(state_of(scene.pid).slack_ns, 1234);
	/* the tracer saw it before the last boost had ended altogether */
	vcpus[2].unboosted_at_ns = 1;
	CHECK_INT(actuator_boost(scene.actuator, 2, ACCOUNT_SLACK_NS), 0);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	CHECK_U64(state_of(scene.pid).slack_ns, 1234);
	vcpus[2].slack_at_ns = vcpus[2].out_ns = vcpus[2].unboosted_at_ns = 0;
	end(&scene);
}

TEST_MAIN({"stranger_gets_nothing_of_ours", test_stranger_gets_nothing_of_ours},
          {"reused_tid_is_left_alone", test_reused_tid_is_left_alone},
          {"reused_tid_is_not_unboosted", test_reused_tid_is_not_unboosted},
          {"account_is_believed_for_a_while", test_account_is_believed_for_a_while},
          {"slack_by_account", test_slack_by_account})
