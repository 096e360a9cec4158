// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/children.h"

#include <errno.h>

#include "boost/identity.h"
#include "util/procfs.h"

#define PARENT_TRIES 3

static int gone_or(int r)
{
	return r == -ENOENT || r == -ESRCH ? CHILD_GONE : r;
}

static bool is_of(const struct thread_id *parent, pid_t tid, uint64_t start_ticks)
{
	return tid == parent->tid && start_ticks == parent->start_ticks;
}

/* Where SCHED_RESET_ON_FORK came with a slice it is ours, and the record says what was before. */
static void forget_our_flag(const struct ledger *ledger, unsigned int slot,
                            const struct thread_id *parent, struct sched_state *state)
{
	struct ledger_standing record;

	if (ledger_get_standing(ledger, slot, &record) == 0 &&
	    is_of(parent, record.tid, record.start_ticks))
		state->reset_on_fork = record.reset_on_fork;
}

/*
 * What the parent has, less a boost. A boost may begin between the reads of its class and of its
 * slack, which is 0 then: so the class is read again.
 */
static int parent_state(const struct ledger *ledger, unsigned int slot,
                        const struct thread_id *parent, struct sched_state *ret)
{
	CLEANUP(identity_close) struct identity identity = IDENTITY_NULL;
	struct ledger_thread record;
	struct sched_state again;
	int r = identity_open(&identity, parent);

	if (r != 0)
		return r == IDENTITY_GONE ? CHILD_GONE : r;
	for (int tries = 0; tries < PARENT_TRIES; tries++) {
		if (ledger_get_thread(ledger, slot, &record) == 0 &&
		    is_of(parent, record.tid, record.start_ticks)) {
			*ret = record.before;
			return 0;
		}
		r = sched_get(&identity.thread, ret);
		if (r == 0)
			r = sched_get_class(parent->tid, &again);
		if (r < 0)
			return gone_or(r);
		if (!sched_is_realtime(ret) && !sched_is_realtime(&again))
			return 0;
	}
	return CHILD_GONE;
}

/* A thread of the parent's process, or a process that it forked: no stranger with that TID. */
static bool is_child(pid_t process, pid_t child)
{
	struct procfs_stat stat;
	pid_t leader;

	if (procfs_process(child, &leader) < 0)
		return false;
	return leader == process ||
	       (leader == child && procfs_stat(0, child, &stat) == 0 && stat.ppid == process);
}

int children_mend(const struct ledger *ledger, unsigned int slot, const struct thread_id *parent,
                  pid_t child)
{
	CLEANUP(sched_close) struct sched_thread thread = SCHED_THREAD_NULL;
	struct sched_state state;
	pid_t process;
	int r = parent_state(ledger, slot, parent, &state);

	if (r == 0)
		forget_our_flag(ledger, slot, parent, &state);
	if (r == 0)
		r = procfs_process(parent->tid, &process);
	/* held first: from here on a stranger that gets its TID is told from it */
	if (r == 0)
		r = sched_open(child, &thread);
	if (r != 0)
		return gone_or(r);
	if (!is_child(process, child) || !sched_alive(&thread))
		return CHILD_GONE;
	return gone_or(sched_mend_child(&thread, &state));
}
