// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the owner of a boosted thread can do to its class without a privilege, and what takes one.
 * As root, else skipped; tests/integration/test_owner.py does it without a privilege.
 */
#include <sys/resource.h>

#include "actuator_fixture.h"

#define GIVEN 3U /* priority of a boost */
#define FLAG  SCHED_RESET_ON_FORK

struct change {
	const char *name;
	int before; /* policy before the boost */
	int policy, priority;
	bool foreign; /* stays */
};

static const struct change changes[] = {
        {"lowest priority", SCHED_OTHER, SCHED_FIFO | FLAG, 1, false},
        {"lower priority", SCHED_BATCH, SCHED_FIFO | FLAG, GIVEN - 1, false},
        {"lower priority of an idle thread", SCHED_IDLE, SCHED_FIFO | FLAG, 1, false},
        {"idle to other", SCHED_IDLE, SCHED_OTHER | FLAG, 0, false},
        {"idle to batch", SCHED_IDLE, SCHED_BATCH | FLAG, 0, false},
        {"higher priority", SCHED_OTHER, SCHED_FIFO | FLAG, GIVEN + 1, true},
        {"no reset on fork", SCHED_OTHER, SCHED_FIFO, 1, true},
        {"round robin", SCHED_OTHER, SCHED_RR | FLAG, 1, true},
        {"other to idle", SCHED_OTHER, SCHED_IDLE | FLAG, 0, true},
        {"other to batch", SCHED_OTHER, SCHED_BATCH | FLAG, 0, true},
        {"idle to other by a program with privileges", SCHED_IDLE, SCHED_OTHER, 0, true},
};

static bool begin_change(struct scene *scene, const struct change *change)
{
	printf("# %s\n", change->name);
	if (!begin_with(scene, GIVEN))
		return false;
	set_policy(scene->pid, change->before, 0);
	take_on(scene);
	CHECK_INT(actuator_boost(scene->actuator, 2, 0), 0);
	set_policy(scene->pid, change->policy, change->priority);
	return true;
}

static void check_class(const struct scene *scene, const struct change *change)
{
	CHECK_INT(sched_getscheduler(scene->pid),
	          change->foreign ? change->policy : change->before);
	if (!change->foreign)
		CHECK_U64(state_of(scene->pid).slack_ns, 1234);
}

static void test_unboosted(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct scene scene;

		if (!begin_change(&scene, &changes[i]))
			TEST_SKIP("no real-time priority here");
		CHECK_INT(actuator_unboost(scene.actuator, 2, 0),
		          changes[i].foreign ? ACTUATOR_FOREIGN : 0);
		CHECK(!actuator_is_boosted(scene.actuator, 2));
		check_class(&scene, &changes[i]);
		end(&scene);
	}
}

/* By the guardian, or pvschedd --restore. */
static void test_restored_from_the_ledger(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct ledger_result result;
		struct scene scene;

		if (!begin_change(&scene, &changes[i]))
			TEST_SKIP("no real-time priority here");
		ledger_restore(scene.ledger, &result);
		CHECK_INT(result.restored, changes[i].foreign ? 0 : 1);
		CHECK_INT(result.foreign, changes[i].foreign ? 1 : 0);
		check_class(&scene, &changes[i]);
		CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
		end(&scene);
	}
}

/* The boost goes on while its priority is lower; the next one has the given priority again. */
static void test_boosted_again(void)
{
	struct scene scene;

	if (!begin_change(&scene, &changes[0]))
		TEST_SKIP("no real-time priority here");
	CHECK(actuator_has_boost(scene.actuator, 2));
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	CHECK_INT(state_of(scene.pid).priority, GIVEN);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	check_class(&scene, &changes[0]);
	end(&scene);
}

/* What a boosted thread makes has no more than what the thread had before. */
static void test_children(void)
{
	static const struct sched_state parents[] = {
	        {.policy = SCHED_IDLE, .slack_ns = 1234},
	        {.policy = SCHED_IDLE, .nice = 5, .slack_ns = 1234},
	        {.policy = SCHED_OTHER, .nice = 7, .slack_ns = 1234},
	        {.policy = SCHED_OTHER, .slack_ns = 50000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(parents); i++) {
		CLEANUP(sched_close) struct sched_thread child = SCHED_THREAD_NULL;
		pid_t pid = sleeper(1234);
		struct sched_state now;

		/* as SCHED_RESET_ON_FORK makes it, whatever this program was started with */
		setpriority(PRIO_PROCESS, (id_t)pid, 0);
		slack_write(pid, "0");
		CHECK_INT(sched_open(pid, &child), 0);
		if (sched_mend_child(&child, &parents[i]) < 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			TEST_SKIP("no CAP_SYS_NICE here");
		}
		now = state_of(pid);
		CHECK_INT(now.policy, parents[i].policy);
		CHECK_INT(now.nice, parents[i].nice);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

TEST_MAIN({"unboosted", test_unboosted},
          {"restored_from_the_ledger", test_restored_from_the_ledger},
          {"boosted_again", test_boosted_again}, {"children", test_children})
