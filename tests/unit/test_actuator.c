// SPDX-License-Identifier: GPL-2.0-or-later
/* The actuator on real threads of other processes; as root, else skipped. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "actuator_fixture.h"

/* By the kernel's own words, sched.c's are not asked. */
static struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
} attributes_of(pid_t pid)
{
	struct attributes attributes = {0};

	CHECK(syscall(SYS_sched_getattr, pid, &attributes, sizeof(attributes), 0) == 0);
	return attributes;
}

static void check_same(const struct sched_state *a, const struct sched_state *b)
{
	CHECK_INT(a->policy, b->policy);
	CHECK_INT(a->priority, b->priority);
	CHECK_INT(a->nice, b->nice);
	CHECK_INT(a->reset_on_fork, b->reset_on_fork);
	CHECK_U64(a->slack_ns, b->slack_ns);
}

static void test_restores_exactly(void)
{
	static const int policies[] = {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE,
	                               SCHED_OTHER | SCHED_RESET_ON_FORK,
	                               SCHED_BATCH | SCHED_RESET_ON_FORK};
	static const int nices[] = {0, 7, -5, 19};

	for (size_t i = 0; i < 5 * 4; i++) {
		struct sched_state before, after;
		struct scene scene;

		if (!begin(&scene))
			TEST_SKIP("no real-time priority here");
		CHECK(setpriority(PRIO_PROCESS, (id_t)scene.pid, nices[i % 4]) == 0);
		set_policy(scene.pid, policies[i / 4], 0);
		take_on(&scene);
		before = state_of(scene.pid);
		for (int n = 0; n < 3; n++) {
			CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
			CHECK_INT(sched_getscheduler(scene.pid), SCHED_FIFO | SCHED_RESET_ON_FORK);
			CHECK(actuator_has_boost(scene.actuator, 2));
			CHECK_INT(ledger_count(scene.ledger), 1);
			CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
			CHECK(!actuator_has_boost(scene.actuator, 2));
		}
		after = state_of(scene.pid);
		check_same(&after, &before);
		end(&scene);
	}
}

static void slice_set(pid_t pid, uint64_t slice_ns)
{
	struct attributes slice = {.size = sizeof(slice), .runtime = slice_ns};

	CHECK(syscall(SYS_sched_setattr, pid, &slice, 0) == 0);
}

/* Its own slice is kept, also the very one it would have without asking; and none stays none. */
static void test_custom_slice(void)
{
	struct scene scene;
	uint64_t usual_ns;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	usual_ns = attributes_of(scene.pid).runtime;
	take_on(&scene);
	slice_set(scene.pid, 200000);
	if (attributes_of(scene.pid).runtime != 200000) {
		end(&scene);
		TEST_SKIP("this kernel has no custom slices");
	}
	for (int n = 0; n < 2; n++) {
		CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
		CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
		CHECK_U64(attributes_of(scene.pid).runtime, 200000);
	}
	slice_set(scene.pid, 0);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	CHECK_U64(attributes_of(scene.pid).runtime, usual_ns);
	end(&scene);
}

/* Which slack a thread has is looked at before each boost, however often it was another one. */
static void test_slack_changed_between_boosts(void)
{
	static const char *const slacks_ns[] = {"1234", "0", "0", "0", "777", "0", "50001"};
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	take_on(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(slacks_ns); i++) {
		uint64_t before_ns;

		slack_write(scene.pid, slacks_ns[i]); /* 0: the kernel's own */
		before_ns = state_of(scene.pid).slack_ns;
		for (int n = 0; n < 3; n++) {
			boost_and_unboost(&scene);
			CHECK_U64(state_of(scene.pid).slack_ns, before_ns);
		}
	}
	end(&scene);
}

static void test_renice_meanwhile_wins(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	take_on(&scene);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	CHECK(setpriority(PRIO_PROCESS, (id_t)scene.pid, 11) == 0);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	CHECK_INT(state_of(scene.pid).nice, 11);
	end(&scene);
}

static void test_foreign_is_left_alone(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	take_on(&scene);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	set_policy(scene.pid, SCHED_RR, 5);
	CHECK(!actuator_has_boost(scene.actuator, 2));
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), ACTUATOR_FOREIGN);
	CHECK(!actuator_is_boosted(scene.actuator, 2));
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_RR);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), ACTUATOR_ALREADY_RT);
	end(&scene);
}

/* Exactly the slots in @expected, a bit for each, are boosted. */
static void check_boosted(const struct scene *scene, unsigned int expected)
{
	const struct boosted_slots *boosted = actuator_boosted(scene->actuator);
	unsigned int found = 0;

	for (unsigned int i = 0; i < boosted->n; i++)
		found |= 1U << boosted->slots[i];
	CHECK_INT(found, expected);
	CHECK_INT(boosted->n, __builtin_popcount(expected));
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		CHECK_INT(actuator_is_boosted(scene->actuator, slot), expected >> slot & 1);
}

/* A thread for each slot but the fixture's. */
static void begin_all(struct scene *scene, pid_t pids[static SLOTS])
{
	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		struct thread_id id = {.tid = slot == 2 ? scene->pid : sleeper(1234)};

		pids[slot] = id.tid;
		CHECK_INT(procfs_start_ticks(0, id.tid, &id.start_ticks), 0);
		CHECK_INT(actuator_open(scene->actuator, slot, &id), 0);
	}
}

static void end_all(struct scene *scene, const pid_t pids[static SLOTS])
{
	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		if (slot == 2)
			continue;
		kill(pids[slot], SIGKILL);
		waitpid(pids[slot], NULL, 0);
	}
	end(scene);
}

static void test_boosted_slots(void)
{
	static const unsigned int boosted[] = {3, 0, 2, 1}, unboosted[] = {0, 0, 1, 2, 3};
	struct scene scene;
	pid_t pids[SLOTS];
	unsigned int expected = 0;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	begin_all(&scene, pids);
	check_boosted(&scene, 0);
	for (size_t i = 0; i < ARRAY_SIZE(boosted); i++) {
		CHECK_INT(actuator_boost(scene.actuator, boosted[i], 0), 0);
		expected |= 1U << boosted[i];
		check_boosted(&scene, expected);
	}
	for (size_t i = 0; i < ARRAY_SIZE(unboosted); i++) {
		CHECK_INT(actuator_unboost(scene.actuator, unboosted[i], 0), 0);
		expected &= ~(1U << unboosted[i]);
		check_boosted(&scene, expected);
	}
	end_all(&scene, pids);
}

/* Each slot is seen once, also if it is unboosted meanwhile, and boosted again. */
static void test_walk(void)
{
	const struct boosted_slots *boosted;
	unsigned int seen = 0;
	struct scene scene;
	pid_t pids[SLOTS];

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	begin_all(&scene, pids);
	boosted = actuator_boosted(scene.actuator);
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		CHECK_INT(actuator_boost(scene.actuator, slot, 0), 0);
	for (unsigned int i = boosted->n; i-- > 0;) {
		unsigned int slot = boosted->slots[i];

		CHECK(!(seen >> slot & 1));
		seen |= 1U << slot;
		if (slot != 1)
			CHECK_INT(actuator_unboost(scene.actuator, slot, 0), 0);
		if (slot == 0)
			CHECK_INT(actuator_boost(scene.actuator, slot, 0), 0);
	}
	CHECK_INT(seen, (1U << SLOTS) - 1);
	check_boosted(&scene, 1U << 0 | 1U << 1);
	CHECK_INT(actuator_unboost(scene.actuator, 0, 0), 0);
	CHECK_INT(actuator_unboost(scene.actuator, 1, 0), 0);
	end_all(&scene, pids);
}

static void test_guardian_was_quicker(void)
{
	struct ledger_result result;
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	take_on(&scene);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	ledger_restore(scene.ledger, &result);
	CHECK_INT(result.restored, 1);
	CHECK_INT(state_of(scene.pid).policy, SCHED_OTHER);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	CHECK_INT(state_of(scene.pid).slack_ns, 1234);
	end(&scene);
}

/* A record that went though the thread is still boosted: given back all the same. */
static void test_record_was_lost(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	take_on(&scene);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	ledger_drop_thread(scene.ledger, 2);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	CHECK_INT(state_of(scene.pid).policy, SCHED_OTHER);
	CHECK_INT(state_of(scene.pid).slack_ns, 1234);
	end(&scene);
}

/* Takes the right to change others' slack, and to undo SCHED_RESET_ON_FORK, or gives it back. */
static void set_nice_right(bool have)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint32_t right = CAP_TO_MASK(CAP_SYS_NICE);

	CHECK(syscall(SYS_capget, &header, data) == 0);
	data[0].effective = have ? data[0].effective | right : data[0].effective & ~right;
	CHECK(syscall(SYS_capset, &header, data) == 0);
}

/* Boosts it, and fails to unboost it when its class is back already. */
static void unboost_in_part(struct scene *scene)
{
	set_policy(scene->pid, SCHED_OTHER | SCHED_RESET_ON_FORK, 0);
	take_on(scene);
	CHECK_INT(actuator_boost(scene->actuator, 2, 0), 0);
	set_nice_right(false);
	CHECK_INT(actuator_unboost(scene->actuator, 2, 0), -EPERM);
	CHECK_INT(sched_getscheduler(scene->pid), SCHED_OTHER | SCHED_RESET_ON_FORK);
	set_nice_right(true);
	CHECK_INT(ledger_count(scene->ledger), 1);
	CHECK(state_of(scene->pid).slack_ns != 1234);
}

/* The rest is done at the next try. */
static void test_slack_is_not_forgotten(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	unboost_in_part(&scene);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), 0);
	CHECK_INT(state_of(scene.pid).slack_ns, 1234);
	end(&scene);
}

/* Unless somebody gave it another class in between. */
static void test_foreign_after_part(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	unboost_in_part(&scene);
	set_policy(scene.pid, SCHED_RR, 5);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), ACTUATOR_FOREIGN);
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_RR);
	end(&scene);
}

/* Somebody gave it the very class that it had: theirs, too. */
static void test_same_class_by_others(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	take_on(&scene);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	set_policy(scene.pid, SCHED_OTHER, 0);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), ACTUATOR_FOREIGN);
	end(&scene);
}

static int set_deadline(pid_t pid)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attributes = {.size = sizeof(attributes),
	                .policy = 6,
	                .runtime = 1000000,
	                .deadline = 100000000,
	                .period = 100000000};

	return (int)syscall(SYS_sched_setattr, pid, &attributes, 0);
}

/* A thread that is SCHED_DEADLINE, or becomes so while it is boosted, stays so. */
static void test_deadline_is_left_alone(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	take_on(&scene);
	if (set_deadline(scene.pid) < 0) {
		end(&scene);
		TEST_SKIP("no SCHED_DEADLINE here");
	}
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), ACTUATOR_ALREADY_RT);
	CHECK_INT(sched_getscheduler(scene.pid), 6);
	set_policy(scene.pid, SCHED_OTHER, 0);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	CHECK_INT(set_deadline(scene.pid), 0);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), ACTUATOR_FOREIGN);
	CHECK_INT(sched_getscheduler(scene.pid), 6);
	end(&scene);
}

static void test_gone(void)
{
	struct scene scene;
	struct thread_id id;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	take_on(&scene);
	id = (struct thread_id){.tid = scene.pid, .start_ticks = 1};
	CHECK_INT(actuator_open(scene.actuator, 3, &id), ACTUATOR_GONE);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	kill(scene.pid, SIGKILL);
	waitpid(scene.pid, NULL, 0);
	CHECK_INT(actuator_unboost(scene.actuator, 2, 0), ACTUATOR_GONE);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), ACTUATOR_GONE);
	end(&scene);
}

/* No descriptor left for the one who gives back: the record stays, it is tried again. */
static void test_no_descriptor_is_not_gone(void)
{
	struct rlimit none = {0}, limit;
	struct ledger_result result;
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	take_on(&scene);
	CHECK_INT(actuator_boost(scene.actuator, 2, 0), 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	none.rlim_max = limit.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	ledger_restore(scene.ledger, &result);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK_INT(result.failed, 1);
	CHECK_INT(ledger_count(scene.ledger), 1);
	ledger_restore(scene.ledger, &result);
	CHECK_INT(result.restored, 1);
	end(&scene);
}

/* The kernel would leave out silently what cannot be had. */
static void test_confined_to_all_or_nothing(void)
{
	struct cpu_set_bits before, wanted = CPU_SET_BITS_NULL, missing, now;
	unsigned int first;

	CHECK_INT(sched_get_cpus(0, &before), 0);
	first = cpu_set_bits_next(&before, 0);
	cpu_set_bits_add(&wanted, first);
	cpu_set_bits_add(&wanted, CPU_SET_BITS_MAX - 1);
	CHECK_INT(sched_set_cpus(0, &wanted, &missing), SCHED_CPUS_MISSING);
	CHECK_INT(cpu_set_bits_count(&missing), 1);
	CHECK(cpu_set_bits_has(&missing, CPU_SET_BITS_MAX - 1));
	CHECK_INT(sched_get_cpus(0, &now), 0);
	CHECK(cpu_set_bits_equal(&now, &before));
	/* nor if there is none of them */
	CHECK_INT(sched_set_cpus(0, &missing, &missing), SCHED_CPUS_MISSING);
	CHECK(cpu_set_bits_has(&missing, CPU_SET_BITS_MAX - 1));
	wanted = CPU_SET_BITS_NULL;
	cpu_set_bits_add(&wanted, first);
	CHECK_INT(sched_set_cpus(0, &wanted, &missing), 0);
	CHECK_INT(sched_get_cpus(0, &now), 0);
	CHECK(cpu_set_bits_equal(&now, &wanted));
	CHECK_INT(sched_set_cpus(0, &before, &missing), 0);
}

/* It may run where it could before, after each visit. */
static void test_visits_a_cpu(void)
{
	struct cpu_set_bits before, home, one = CPU_SET_BITS_NULL, missing, now;

	CHECK_INT(sched_get_cpus(0, &before), 0);
	sched_get_home(&before, &home);
	CHECK(cpu_set_bits_subset(&before, &home));
	CPU_SET_BITS_FOREACH(cpu, &before)
	{
		CHECK_INT(sched_visit_cpu(cpu, &home), 0);
		CHECK_INT(sched_get_cpus(0, &now), 0);
		CHECK(cpu_set_bits_equal(&now, &before));
	}
	CHECK_INT(sched_visit_cpu(CPU_SET_BITS_MAX, &home), 0);
	/* one that is not there */
	cpu_set_bits_add(&home, CPU_SET_BITS_MAX - 1);
	CHECK_INT(sched_visit_cpu(CPU_SET_BITS_MAX - 1, &home), 0);
	CHECK_INT(sched_get_cpus(0, &now), 0);
	CHECK(cpu_set_bits_equal(&now, &before));
	/* what it may not do is not done */
	cpu_set_bits_add(&one, cpu_set_bits_next(&before, 0));
	CHECK_INT(sched_set_cpus(0, &one, &missing), 0);
	CHECK_INT(sched_visit_cpu(CPU_SET_BITS_MAX - 1, &one), 0);
	/* all are what all CPUs are, not what this thread may use */
	sched_get_home(&one, &home);
	CHECK(cpu_set_bits_count(&before) == 1 || cpu_set_bits_equal(&home, &one));
	/* and the way home may be closed */
	CHECK_INT(sched_visit_cpu(cpu_set_bits_next(&one, 0), &one), 0);
	CHECK_INT(sched_get_cpus(0, &now), 0);
	CHECK(cpu_set_bits_equal(&now, &one));
	CHECK_INT(sched_set_cpus(0, &before, &missing), 0);
}

TEST_MAIN({"restores_exactly", test_restores_exactly}, {"custom_slice", test_custom_slice},
          {"slack_changed_between_boosts", test_slack_changed_between_boosts},
          {"renice_meanwhile_wins", test_renice_meanwhile_wins},
          {"foreign_is_left_alone", test_foreign_is_left_alone},
          {"boosted_slots", test_boosted_slots}, {"walk", test_walk},
          {"guardian_was_quicker", test_guardian_was_quicker},
          {"slack_is_not_forgotten", test_slack_is_not_forgotten},
          {"foreign_after_part", test_foreign_after_part},
          {"same_class_by_others", test_same_class_by_others},
          {"record_was_lost", test_record_was_lost},
          {"deadline_is_left_alone", test_deadline_is_left_alone}, {"gone", test_gone},
          {"no_descriptor_is_not_gone", test_no_descriptor_is_not_gone},
          {"confined_to_all_or_nothing", test_confined_to_all_or_nothing},
          {"visits_a_cpu", test_visits_a_cpu})
