// SPDX-License-Identifier: GPL-2.0-or-later
/* What threads get that a vCPU's thread made while it was boosted; real processes, as root only. */
#include "boost/children.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/procfs.h"

#include "test.h"

#define SLOT 3

static char path[64];
static struct ledger *ledger;
static struct thread_id parent;
static pid_t child;

/* A process with a child, which has the nice value 0. */
static void begin(void)
{
	int fds[2];

	snprintf(path, sizeof(path), "/tmp/pvsched-children-ledger-%d", getpid());
	unlink(path);
	CHECK_INT(ledger_open(path, &ledger), 0);
	CHECK(pipe(fds) == 0);
	parent.tid = fork();
	if (parent.tid == 0) {
		pid_t own;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		own = fork();
		if (own == 0)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		else if (write(fds[1], &own, sizeof(own)) != sizeof(own))
			_exit(1);
		for (;;)
			pause();
	}
	CHECK(read(fds[0], &child, sizeof(child)) == sizeof(child));
	CHECK_INT(procfs_start_ticks(0, parent.tid, &parent.start_ticks), 0);
	setpriority(PRIO_PROCESS, (id_t)child, 0);
	close(fds[0]);
	close(fds[1]);
}

static void end(void)
{
	/* it may not have come to its own end with its parent yet */
	kill(child, SIGKILL);
	kill(parent.tid, SIGKILL);
	waitpid(parent.tid, NULL, 0);
	ledger_close(ledger);
	unlink(path);
}

static int nice_of(pid_t pid)
{
	return getpriority(PRIO_PROCESS, (id_t)pid);
}

/* False: not allowed here. */
static bool set_parent(int policy, int nice)
{
	struct sched_param none = {0};

	return setpriority(PRIO_PROCESS, (id_t)parent.tid, nice) == 0 &&
	       sched_setscheduler(parent.tid, policy, &none) == 0;
}

/* Boosted: by its record. */
static void test_boosted(void)
{
	struct ledger_thread record = {.given = {SCHED_FIFO, 1}, .before.nice = 7};

	begin();
	record.tid = parent.tid;
	record.start_ticks = parent.start_ticks;
	ledger_put_thread(ledger, SLOT, &record);
	CHECK_INT(children_mend(ledger, SLOT, &parent, child), 0);
	CHECK_INT(nice_of(child), 7);
	end();
}

/* The boost ended before that was told: by what the parent has again. */
static void test_boost_has_ended(void)
{
	begin();
	if (!set_parent(SCHED_OTHER, 6)) {
		end();
		TEST_SKIP("no right to change a nice value");
	}
	CHECK_INT(children_mend(ledger, SLOT, &parent, child), 0);
	CHECK_INT(nice_of(child), 6);
	/* what it has chosen itself stays */
	CHECK_INT(setpriority(PRIO_PROCESS, (id_t)child, 3), 0);
	CHECK_INT(children_mend(ledger, SLOT, &parent, child), 0);
	CHECK_INT(nice_of(child), 3);
	end();
}

/* A flag of the parent's own takes a negative nice value from its children; ours must not. */
static void test_flag(void)
{
	struct ledger_standing record = {.slice_ns = SCHED_SLICE_NS_MIN};

	begin();
	if (!set_parent(SCHED_OTHER | SCHED_RESET_ON_FORK, -5)) {
		end();
		TEST_SKIP("no right to change a nice value");
	}
	setpriority(PRIO_PROCESS, (id_t)child, 0);
	CHECK_INT(children_mend(ledger, SLOT, &parent, child), 0);
	CHECK_INT(nice_of(child), 0);
	record.tid = parent.tid;
	record.start_ticks = parent.start_ticks;
	record.reset_on_fork = 1; /* it had the flag before our slice, too */
	ledger_put_standing(ledger, SLOT, &record);
	CHECK_INT(children_mend(ledger, SLOT, &parent, child), 0);
	CHECK_INT(nice_of(child), 0);
	record.reset_on_fork = 0;
	ledger_put_standing(ledger, SLOT, &record);
	CHECK_INT(children_mend(ledger, SLOT, &parent, child), 0);
	CHECK_INT(nice_of(child), -5);
	end();
}

/* A stranger with that TID gets nothing. */
static void test_stranger(void)
{
	struct ledger_thread record = {.given = {SCHED_FIFO, 1}, .before.nice = 7};

	begin();
	record.tid = parent.tid;
	record.start_ticks = parent.start_ticks;
	ledger_put_thread(ledger, SLOT, &record);
	CHECK_INT(children_mend(ledger, SLOT, &parent, getpid()), CHILD_GONE);
	parent.start_ticks++;
	CHECK_INT(children_mend(ledger, SLOT, &parent, child), CHILD_GONE);
	CHECK(nice_of(child) != 7);
	end();
}

TEST_MAIN({"boosted", test_boosted}, {"boost_has_ended", test_boost_has_ended}, {"flag", test_flag},
          {"stranger", test_stranger})
