// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Slices: given, kept by boosts, and given back, with real threads; as root, and on a kernel that
 * has slices, else skipped.
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "actuator_fixture.h"
#include "exec_fixture.h"

#include "boost/standing.h"

#define SLOT  2
#define US100 (100 * NSEC_PER_USEC)

static uint32_t own; /* what the tracer would say of any thread */
static int answer_read;
static struct standing *standing;
static struct ledger *guarded; /* a guardian acts on it in the midst of the next giving */

static int read_levers(void *userdata, pid_t tid, struct pvs_levers *ret)
{
	(void)userdata;
	if (guarded)
		ledger_count_guardian_act(guarded);
	*ret = (struct pvs_levers){.tid = (uint32_t)tid, .has = PVS_LEVER_SLICE, .own = own};
	return answer_read;
}

/* False: no real-time priority, or no slices. */
static bool begin_slices(struct scene *scene)
{
	struct standing_parts parts = {.read_levers = read_levers};

	if (!begin(scene))
		return false;
	own = 0;
	answer_read = 0;
	guarded = NULL;
	parts.ledger = scene->ledger;
	standing = standing_new(&parts);
	CHECK(standing);
	if (!standing_missing(standing, STANDING_SLICE))
		return true;
	printf("# %s\n", standing_missing(standing, STANDING_SLICE));
	standing = standing_free(standing);
	end(scene);
	return false;
}

#define BEGIN_OR_SKIP(scene)                                                                       \
	do {                                                                                       \
		if (!begin_slices(scene))                                                          \
			TEST_SKIP("no real-time priority, or no slices here");                     \
	} while (0)

static void end_slices(struct scene *scene)
{
	standing = standing_free(standing);
	end(scene);
}

static struct thread_id id_of(pid_t tid)
{
	struct thread_id id = {.tid = tid};

	CHECK_INT(procfs_start_ticks(0, tid, &id.start_ticks), 0);
	return id;
}

static enum standing_state give(pid_t tid, uint64_t slice_ns)
{
	struct standing_wanted wanted = {.slice_ns = slice_ns};
	struct thread_id id = id_of(tid);

	CHECK_INT(standing_set(standing, SLOT, &id, &wanted), 0);
	CHECK_U64(standing_view(standing, SLOT)->wanted.slice_ns, slice_ns);
	return standing_view(standing, SLOT)->states[STANDING_SLICE];
}

static struct sched_standing slice_of(pid_t tid)
{
	struct sched_standing now = {0};

	CHECK_INT(sched_get_standing(tid, &now), 0);
	CHECK(sched_is_fair(&now));
	return now;
}

static void check_slice(pid_t tid, uint64_t slice_ns, uint32_t reset_on_fork)
{
	struct sched_standing slice = slice_of(tid);

	CHECK_U64(slice.slice_ns, slice_ns);
	CHECK_INT(slice.reset_on_fork, reset_on_fork);
}

/* Given, and given back: policy and nice value are as they were in either case. */
static void test_given_and_taken_back(void)
{
	static const int policies[] = {SCHED_OTHER, SCHED_BATCH};
	struct scene scene;

	BEGIN_OR_SKIP(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		uint64_t usual_ns;

		set_policy(scene.pid, policies[i], 0);
		CHECK_INT(setpriority(PRIO_PROCESS, (id_t)scene.pid, 7), 0);
		usual_ns = slice_of(scene.pid).slice_ns;
		CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
		check_slice(scene.pid, US100, 1);
		CHECK_INT(ledger_count(scene.ledger), 1);
		CHECK_INT(state_of(scene.pid).policy, policies[i]);
		CHECK_INT(state_of(scene.pid).nice, 7);
		CHECK_INT(standing_take_back(standing, SLOT), 0);
		check_slice(scene.pid, usual_ns, 0);
		CHECK_INT(state_of(scene.pid).policy, policies[i]);
		CHECK_INT(state_of(scene.pid).nice, 7);
		CHECK_U64(state_of(scene.pid).slack_ns, 1234);
		CHECK_INT(ledger_count(scene.ledger), 0);
	}
	CHECK_INT(standing_take_back(standing, SLOT), 0);
	end_slices(&scene);
}

/* SCHED_RESET_ON_FORK of its own is kept. */
static void test_reset_on_fork_is_kept(void)
{
	struct scene scene;

	BEGIN_OR_SKIP(&scene);
	set_policy(scene.pid, SCHED_OTHER | SCHED_RESET_ON_FORK, 0);
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	CHECK_INT(standing_take_back(standing, SLOT), 0);
	CHECK_INT(slice_of(scene.pid).reset_on_fork, 1);
	end_slices(&scene);
}

/* A boost keeps the slice, and gives back the rest; then the slice is given back. */
static void test_under_a_boost(void)
{
	struct scene scene;
	uint64_t usual_ns;

	BEGIN_OR_SKIP(&scene);
	usual_ns = slice_of(scene.pid).slice_ns;
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	take_on(&scene);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(actuator_boost(scene.actuator, SLOT, 0), 0);
		/* a boosted thread shows no slice that could be taken back */
		CHECK_INT(standing_take_back(standing, SLOT), -EBUSY);
		CHECK(!standing_is_short(standing, SLOT, scene.pid));
		CHECK_INT(actuator_unboost(scene.actuator, SLOT, 0), 0);
		check_slice(scene.pid, US100, 1);
	}
	CHECK_INT(standing_take_back(standing, SLOT), 0);
	check_slice(scene.pid, usual_ns, 0);
	CHECK_U64(state_of(scene.pid).slack_ns, 1234);
	end_slices(&scene);
}

/* By the guardian or --restore: class first, then slice. */
static void test_restored_from_the_ledger(void)
{
	struct ledger_result result;
	struct scene scene;
	uint64_t usual_ns;

	BEGIN_OR_SKIP(&scene);
	usual_ns = slice_of(scene.pid).slice_ns;
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	take_on(&scene);
	CHECK_INT(actuator_boost(scene.actuator, SLOT, 0), 0);
	CHECK_INT(ledger_count(scene.ledger), 2);
	ledger_restore(scene.ledger, &result);
	CHECK_INT(result.restored, 2);
	CHECK_INT(ledger_count(scene.ledger), 0);
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_OTHER);
	check_slice(scene.pid, usual_ns, 0);
	CHECK_INT(actuator_unboost(scene.actuator, SLOT, 0), 0);
	end_slices(&scene);
}

/* The daemon died between the record and the change. */
static void test_interrupted(void)
{
	struct ledger_standing record = {.slice_ns = US100};
	struct ledger_result result;
	struct scene scene;
	uint64_t usual_ns;

	BEGIN_OR_SKIP(&scene);
	usual_ns = slice_of(scene.pid).slice_ns;
	record.tid = scene.pid;
	record.start_ticks = id_of(scene.pid).start_ticks;
	ledger_put_standing(scene.ledger, SLOT, &record);
	ledger_restore(scene.ledger, &result);
	CHECK_INT(result.restored, 1);
	check_slice(scene.pid, usual_ns, 0);
	end_slices(&scene);
}

static void set_slice(pid_t tid, uint64_t slice_ns)
{
	CHECK_INT(sched_give_slice(tid, slice_ns, false), 0);
}

/* Another program's slice stays, whether it came before ours or after. */
static void test_foreign_slice(void)
{
	struct ledger_result result;
	struct scene scene;

	BEGIN_OR_SKIP(&scene);
	set_slice(scene.pid, 5 * NSEC_PER_MSEC);
	own = PVS_LEVER_SLICE;
	CHECK_INT(give(scene.pid, US100), STANDING_OWN);
	check_slice(scene.pid, 5 * NSEC_PER_MSEC, 0);
	CHECK_INT(ledger_count(scene.ledger), 0);
	own = 0;
	set_slice(scene.pid, 0);
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	CHECK(!standing_is_short(standing, SLOT, scene.pid));
	set_slice(scene.pid, 5 * NSEC_PER_MSEC);
	CHECK(standing_is_short(standing, SLOT, scene.pid));
	CHECK_INT(standing_take_back(standing, SLOT), 0);
	CHECK_U64(slice_of(scene.pid).slice_ns, 5 * NSEC_PER_MSEC);
	set_slice(scene.pid, 0);
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	set_slice(scene.pid, 5 * NSEC_PER_MSEC);
	set_policy(scene.pid, SCHED_OTHER | SCHED_RESET_ON_FORK, 0);
	ledger_restore(scene.ledger, &result);
	CHECK_INT(result.foreign, 1);
	/* that program read and wrote all of it, and so carried our flag along */
	check_slice(scene.pid, 5 * NSEC_PER_MSEC, 0);
	end_slices(&scene);
}

/* Another program sets the class anew: the slice stays, and threads made from now on inherit it. */
static void test_flag_lost(void)
{
	struct scene scene;

	BEGIN_OR_SKIP(&scene);
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	set_policy(scene.pid, SCHED_OTHER, 0);
	check_slice(scene.pid, US100, 0);
	CHECK(standing_is_short(standing, SLOT, scene.pid));
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	check_slice(scene.pid, US100, 1);
	CHECK(standing_resets_forks(standing, SLOT));
	CHECK_INT(standing_take_back(standing, SLOT), 0);
	CHECK(!standing_resets_forks(standing, SLOT));
	end_slices(&scene);
}

/* A guardian looked before the slice was there, and dropped the record after. */
static void test_guardian_acts_meanwhile(void)
{
	struct scene scene;
	uint64_t usual_ns;

	BEGIN_OR_SKIP(&scene);
	usual_ns = slice_of(scene.pid).slice_ns;
	guarded = scene.ledger;
	CHECK_INT(give(scene.pid, US100), STANDING_FAILED);
	CHECK_INT(standing_view(standing, SLOT)->errors[STANDING_SLICE], -ECANCELED);
	check_slice(scene.pid, usual_ns, 0);
	CHECK_INT(ledger_count(scene.ledger), 0);
	guarded = NULL;
	CHECK(standing_is_short(standing, SLOT, scene.pid));
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	CHECK_INT(standing_take_back(standing, SLOT), 0);
	end_slices(&scene);
}

/* Own and fair again are found at the next look; no other look changes anything. */
static void test_worth_another_try(void)
{
	struct scene scene;

	BEGIN_OR_SKIP(&scene);
	CHECK(!standing_is_short(standing, SLOT, scene.pid));
	own = PVS_LEVER_SLICE;
	CHECK_INT(give(scene.pid, US100), STANDING_OWN);
	CHECK(!standing_is_short(standing, SLOT, scene.pid));
	own = 0;
	CHECK(standing_is_short(standing, SLOT, scene.pid));
	set_policy(scene.pid, SCHED_RR, 2);
	CHECK_INT(give(scene.pid, US100), STANDING_NOT_FAIR);
	CHECK(!standing_is_short(standing, SLOT, scene.pid));
	set_policy(scene.pid, SCHED_OTHER, 0);
	CHECK(standing_is_short(standing, SLOT, scene.pid));
	end_slices(&scene);
}

/* The boost of another thread, in the same slot of an earlier run, could not be ended. */
static void test_slot_of_a_stuck_boost(void)
{
	struct ledger_thread stuck = {.tid = 1, .start_ticks = 1, .given = {SCHED_FIFO, 1}};
	struct scene scene;

	BEGIN_OR_SKIP(&scene);
	ledger_put_thread(scene.ledger, SLOT, &stuck);
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	CHECK_INT(standing_take_back(standing, SLOT), 0);
	CHECK(slice_of(scene.pid).slice_ns != US100);
	ledger_drop_thread(scene.ledger, SLOT);
	end_slices(&scene);
}

/* A real-time thread shows no slice: none is given to it, and none is taken back from it. */
static void test_foreign_class(void)
{
	struct ledger_result result;
	struct scene scene;

	BEGIN_OR_SKIP(&scene);
	set_policy(scene.pid, SCHED_RR, 2);
	CHECK_INT(give(scene.pid, US100), STANDING_NOT_FAIR);
	CHECK_INT(ledger_count(scene.ledger), 0);
	set_policy(scene.pid, SCHED_OTHER, 0);
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	set_policy(scene.pid, SCHED_RR, 2);
	ledger_restore(scene.ledger, &result);
	CHECK_INT(result.foreign, 1);
	CHECK_INT(sched_getscheduler(scene.pid), SCHED_RR);
	/* as documented: it shows once the thread is fair again */
	set_policy(scene.pid, SCHED_OTHER, 0);
	CHECK_U64(slice_of(scene.pid).slice_ns, US100);
	end_slices(&scene);
}

/* What cannot be known is not changed. */
static void test_unknown(void)
{
	struct standing_parts parts = {0};
	struct thread_id other;
	struct scene scene;
	uint64_t usual_ns;

	BEGIN_OR_SKIP(&scene);
	usual_ns = slice_of(scene.pid).slice_ns;
	answer_read = -EPERM;
	CHECK_INT(give(scene.pid, US100), STANDING_FAILED);
	answer_read = 0;
	other = id_of(scene.pid);
	other.start_ticks++;
	CHECK_INT(standing_set(standing, SLOT, &other, &(struct standing_wanted){US100, 0}), 0);
	CHECK_INT(standing_view(standing, SLOT)->states[STANDING_SLICE], STANDING_FAILED);
	CHECK_INT(standing_view(standing, SLOT)->errors[STANDING_SLICE], -ESRCH);
	standing = standing_free(standing);
	parts.ledger = scene.ledger;
	standing = standing_new(&parts);
	CHECK(standing_missing(standing, STANDING_SLICE));
	CHECK_INT(give(scene.pid, US100), STANDING_MISSING);
	check_slice(scene.pid, usual_ns, 0);
	CHECK_INT(ledger_count(scene.ledger), 0);
	end_slices(&scene);
}

/* A thread of that TID that is not the one of the record keeps what it has. */
static void test_another_thread_of_that_tid(void)
{
	struct ledger_standing record = {.slice_ns = US100};
	struct ledger_result result;
	struct scene scene;

	BEGIN_OR_SKIP(&scene);
	set_slice(scene.pid, US100);
	record.tid = scene.pid;
	record.start_ticks = id_of(scene.pid).start_ticks + 1;
	ledger_put_standing(scene.ledger, SLOT, &record);
	ledger_restore(scene.ledger, &result);
	CHECK_INT(result.gone, 1);
	CHECK_U64(slice_of(scene.pid).slice_ns, US100);
	end_slices(&scene);
}

/* After execve() the thread has its process's TID, and the slice still. */
static void test_after_exec(void)
{
	struct scene scene;
	pid_t tid;

	BEGIN_OR_SKIP(&scene);
	kill(scene.pid, SIGKILL);
	CHECK_INT(waitpid(scene.pid, NULL, 0), scene.pid);
	tid = executing_process(&scene.pid);
	CHECK_INT(give(tid, US100), STANDING_GIVEN);
	exec_now(scene.pid);
	check_slice(scene.pid, US100, 1);
	CHECK_INT(standing_take_back(standing, SLOT), 0);
	CHECK(slice_of(scene.pid).slice_ns != US100);
	CHECK_INT(slice_of(scene.pid).reset_on_fork, 0);
	close_pipes();
	end_slices(&scene);
}

/* A process that has a slice makes one that has none. */
static void test_children_inherit_nothing(void)
{
	struct scene scene;
	int fds[2];
	pid_t child;

	BEGIN_OR_SKIP(&scene);
	kill(scene.pid, SIGKILL);
	CHECK_INT(waitpid(scene.pid, NULL, 0), scene.pid);
	CHECK(pipe(fds) == 0 && pipe(go) == 0);
	scene.pid = fork();
	if (scene.pid == 0) {
		char byte;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		child = fork();
		if (child > 0 && write(fds[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		for (;;)
			pause();
	}
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	CHECK(write(go[1], "x", 1) == 1 && read(fds[0], &child, sizeof(child)) == sizeof(child));
	CHECK(slice_of(child).slice_ns != US100);
	CHECK_INT(slice_of(child).reset_on_fork, 0);
	CHECK_INT(standing_take_back(standing, SLOT), 0);
	kill(child, SIGKILL);
	close(fds[0]);
	close(fds[1]);
	close(go[0]);
	close(go[1]);
	end_slices(&scene);
}

/* What was given is taken back without a descriptor to spare; more is not given then. */
static void test_no_descriptors(void)
{
	struct standing_wanted wanted = {.slice_ns = US100};
	struct rlimit before, few;
	int fds[64], n = 0;
	struct scene scene;
	struct thread_id id;
	uint64_t usual_ns;

	BEGIN_OR_SKIP(&scene);
	usual_ns = slice_of(scene.pid).slice_ns;
	id = id_of(scene.pid);
	CHECK_INT(give(scene.pid, US100), STANDING_GIVEN);
	CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){.rlim_cur = ARRAY_SIZE(fds), .rlim_max = before.rlim_max};
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < (int)ARRAY_SIZE(fds) && (fds[n] = dup(0)) >= 0)
		n++;
	CHECK_INT(errno, EMFILE);
	CHECK_INT(standing_take_back(standing, SLOT), 0);
	CHECK_INT(ledger_count(scene.ledger), 0);
	CHECK_INT(standing_set(standing, SLOT, &id, &wanted), 0);
	CHECK_INT(standing_view(standing, SLOT)->states[STANDING_SLICE], STANDING_FAILED);
	while (n > 0)
		close(fds[--n]);
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
	check_slice(scene.pid, usual_ns, 0);
	end_slices(&scene);
}

TEST_MAIN(TEST(test_no_descriptors), TEST(test_given_and_taken_back),
          TEST(test_reset_on_fork_is_kept), TEST(test_under_a_boost),
          TEST(test_restored_from_the_ledger), TEST(test_interrupted), TEST(test_foreign_slice),
          TEST(test_flag_lost), TEST(test_guardian_acts_meanwhile), TEST(test_worth_another_try),
          TEST(test_slot_of_a_stuck_boost), TEST(test_foreign_class), TEST(test_unknown),
          TEST(test_another_thread_of_that_tid), TEST(test_after_exec),
          TEST(test_children_inherit_nothing))
