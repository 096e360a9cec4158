// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/identity.h"

#include <errno.h>

#include "core/account.h"
#include "util/procfs.h"

/* Other errors, as no descriptor or no permission, are no reason to believe that it is gone. */
static int gone_or(int r)
{
	return r == -ENOENT || r == -ESRCH ? IDENTITY_GONE : r;
}

int identity_open(struct identity *ret, const struct thread_id *id)
{
	CLEANUP(sched_close) struct sched_thread thread = SCHED_THREAD_NULL;
	uint64_t start_ticks;
	int r = sched_open(id->tid, &thread);

	if (r == 0)
		r = procfs_start_ticks(0, id->tid, &start_ticks);
	if (r < 0)
		return gone_or(r);
	if (start_ticks != id->start_ticks || !sched_alive(&thread))
		return IDENTITY_GONE;
	*ret = (struct identity){.id = *id, .thread = STEAL(thread, SCHED_THREAD_NULL)};
	return 0;
}

void identity_close(struct identity *identity)
{
	sched_close(&identity->thread);
}

int identity_leader(const struct identity *identity, pid_t *ret)
{
	int r = procfs_process(identity->id.tid, ret);

	if (r < 0)
		return gone_or(r);
	return sched_alive(&identity->thread) ? 0 : IDENTITY_GONE;
}

enum identity_proof identity_prove(struct identity *identity, uint32_t epoch, uint64_t now_ns)
{
	if (epoch != PVS_EPOCH_UNKNOWN && epoch == identity->epoch && now_ns < identity->read_at_ns)
		return IDENTITY_EPOCH;
	if (!sched_alive(&identity->thread))
		return IDENTITY_NONE;
	identity->epoch = epoch;
	identity->read_at_ns = now_ns + IDENTITY_BELIEF_NS;
	return IDENTITY_FILE;
}

/* Is @tid a thread of that process which has not begun to exit? */
static bool is_thread_of(pid_t process, pid_t tid)
{
	struct procfs_stat stat;

	return procfs_stat(process, tid, &stat) == 0 && !(stat.flags & PROCFS_FLAG_EXITING);
}

int identity_find_exec(const struct thread_id *id, pid_t leader, identity_match_fn *match,
                       const void *arg, struct sched_thread *ret)
{
	CLEANUP(sched_close) struct sched_thread thread = SCHED_THREAD_NULL;
	uint64_t start_ticks;
	int r;

	if (leader <= 0 || leader == id->tid || match(leader, arg) != 1 ||
	    is_thread_of(leader, id->tid))
		return 0;
	r = sched_open(leader, &thread);
	if (r == 0)
		r = procfs_start_ticks(0, leader, &start_ticks);
	if (r < 0)
		return r == -ESRCH || r == -ENOENT ? 0 : r;
	/* execve() gave the thread the leader's start time; a process with a reused TID is younger
	 */
	if (start_ticks > id->start_ticks || !sched_alive(&thread) || match(leader, arg) != 1)
		return 0;
	*ret = STEAL(thread, SCHED_THREAD_NULL);
	return 1;
}

struct boosted {
	const struct sched_boost *boost;
	const struct sched_state *before;
};

static int match_boost(pid_t tid, const void *arg)
{
	const struct boosted *boosted = arg;

	return sched_is_ours(tid, boosted->boost, boosted->before);
}

int identity_restore_exec(const struct thread_id *id, pid_t leader, const struct sched_boost *boost,
                          const struct sched_state *before)
{
	CLEANUP(sched_close) struct sched_thread thread = SCHED_THREAD_NULL;
	int r = identity_find_exec(id, leader, match_boost, &(struct boosted){boost, before},
	                           &thread);

	if (r != 1)
		return r;
	r = sched_restore(&thread, before);
	return r == 0 ? 1 : r == -ESRCH || r == -ENOENT ? 0 : r;
}
