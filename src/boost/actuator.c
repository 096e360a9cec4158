// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/actuator.h"

#include <errno.h>
#include <stdlib.h>

#include "util/cleanup.h"
#include "util/procfs.h"

struct actuator_slot {
	uint64_t start_ticks;
	pid_t process; /* see struct sched_origin */
	struct sched_thread thread;
	uint32_t proven;     /* the epoch in which its file was read, see account_epoch() */
	uint64_t look_at_ns; /* when that is read again all the same */
	bool raised;
	bool believed; /* that it was raised, and no other, is known from its account alone */
	bool lowered_in_part;      /* the class may be back already, and the slack is not */
	struct sched_state before; /* as in the record, which the guardian may drop at any time */
};

struct actuator {
	struct ledger *ledger;
	const struct accounts *accounts;
	struct sched_boost boost;
	unsigned int n_slots;
	struct actuator_slot *slots;
};

struct actuator *actuator_new(struct ledger *ledger, const struct accounts *accounts,
                              unsigned int n_slots, const struct sched_boost *boost)
{
	CLEANUP(cleanup_free) struct actuator *actuator = calloc(1, sizeof(*actuator));

	if (!actuator || n_slots > LEDGER_THREADS_MAX)
		return NULL;
	actuator->slots = calloc(n_slots, sizeof(*actuator->slots));
	if (!actuator->slots)
		return NULL;
	actuator->ledger = ledger;
	actuator->accounts = accounts;
	actuator->boost = *boost;
	actuator->n_slots = n_slots;
	for (unsigned int i = 0; i < n_slots; i++)
		actuator->slots[i].thread = SCHED_THREAD_NULL;
	return STEAL(actuator, NULL);
}

struct actuator *actuator_free(struct actuator *actuator)
{
	if (!actuator)
		return NULL;
	for (unsigned int i = 0; i < actuator->n_slots; i++)
		actuator_close(actuator, i);
	free(actuator->slots);
	free(actuator);
	return NULL;
}

int actuator_open(struct actuator *actuator, unsigned int slot, const struct thread_id *thread)
{
	CLEANUP(sched_close) struct sched_thread held = SCHED_THREAD_NULL;
	uint64_t start_ticks;
	pid_t process = 0;
	int r = sched_open(thread->tid, &held);

	if (r == 0)
		r = procfs_process(thread->tid, &process);
	if (r < 0)
		return r == -ENOENT || r == -ESRCH ? ACTUATOR_GONE : r;
	/* it is whoever has the number now: is it the one that was meant? */
	r = procfs_start_ticks(0, thread->tid, &start_ticks);
	if (r < 0 || start_ticks != thread->start_ticks || !sched_alive(&held))
		return ACTUATOR_GONE;
	/* what is its owner's is not taken for ours later */
	if (sched_is_raised(process, &actuator->boost) == 1)
		process = 0;
	actuator->slots[slot] = (struct actuator_slot){
	        .start_ticks = start_ticks,
	        .process = process,
	        .thread = STEAL(held, SCHED_THREAD_NULL),
	};
	return 0;
}

void actuator_close(struct actuator *actuator, unsigned int slot)
{
	sched_close(&actuator->slots[slot].thread);
}

/*
 * Was the number its own until now? @believed: by its account alone. That is read first: a file
 * that answers after that shows that the account is about the thread whose file it is.
 */
static bool is_alive(struct actuator *actuator, unsigned int slot, uint64_t now_ns, bool *believed)
{
	struct actuator_slot *s = &actuator->slots[slot];
	uint32_t epoch = account_epoch(actuator->accounts, slot);

	*believed = epoch != PVS_EPOCH_UNKNOWN && epoch == s->proven && now_ns < s->look_at_ns;
	if (*believed)
		return true;
	if (!sched_alive(&s->thread))
		return false;
	s->proven = epoch;
	s->look_at_ns = now_ns + ACTUATOR_BELIEF_NS;
	return true;
}

/* Its state, of that very thread. */
static int state_get(struct actuator *actuator, unsigned int slot, uint64_t now_ns,
                     struct sched_state *ret)
{
	const struct sched_thread *thread = &actuator->slots[slot].thread;
	uint64_t slack_ns;
	bool believed;
	int r;

	if (!account_slack(actuator->accounts, slot, now_ns, &slack_ns))
		return sched_get(thread, ret);
	r = sched_get_class(thread->tid, ret);
	ret->slack_ns = slack_ns;
	return r == 0 && !is_alive(actuator, slot, now_ns, &believed) ? -ESRCH : r;
}

/* The number may have passed to another thread as we changed it: put that one back. */
static void undo_if_reused(const struct actuator_slot *s, const struct sched_boost *boost,
                           const struct sched_state *before)
{
	CLEANUP(sched_close) struct sched_thread other = SCHED_THREAD_NULL;

	if (sched_open(s->thread.tid, &other) == 0 && sched_is_raised(other.tid, boost) == 1)
		sched_restore(&other, before);
}

/*
 * It is not there, or not as we made it, or nobody can tell whether the number was its own: then it
 * may have called exec. Returns as sched_restore_exec().
 */
static int undo_after_exec(struct actuator *actuator, unsigned int slot)
{
	const struct actuator_slot *s = &actuator->slots[slot];
	const struct sched_origin origin = {s->thread.tid, s->process, s->start_ticks};

	return sched_restore_exec(&origin, &actuator->boost, &s->before);
}

int actuator_raise(struct actuator *actuator, unsigned int slot, uint64_t now_ns)
{
	struct actuator_slot *s = &actuator->slots[slot];
	struct ledger_thread record = {
	        .tid = s->thread.tid,
	        .process = s->process,
	        .start_ticks = s->start_ticks,
	        .given = actuator->boost,
	};
	int r;

	r = state_get(actuator, slot, now_ns, &record.before);
	if (r < 0)
		return r == -ESRCH ? ACTUATOR_GONE : r;
	if (sched_is_realtime(&record.before))
		return ACTUATOR_ALREADY_RT;
	s->before = record.before;
	ledger_put_thread(actuator->ledger, slot, &record);
	r = sched_raise(s->thread.tid, &actuator->boost);
	if (r == 0 && !is_alive(actuator, slot, now_ns, &s->believed)) {
		undo_if_reused(s, &actuator->boost, &record.before);
		/* if that fails it is raised, under another number: to lower it tries again */
		r = undo_after_exec(actuator, slot) < 0 ? 0 : -ESRCH;
	}
	/* a guardian that acted in between has dropped the record: nothing is raised without one */
	if (r == 0 && !ledger_has_thread(actuator->ledger, slot)) {
		r = sched_restore(&s->thread, &s->before);
		return r < 0 ? r : -ECANCELED;
	}
	if (r == 0) {
		s->raised = true;
		s->lowered_in_part = false;
		return 0;
	}
	ledger_drop_thread(actuator->ledger, slot);
	return r == -EPERM ? ACTUATOR_REFUSED : r == -ESRCH ? ACTUATOR_GONE : r;
}

/* Its class is not ours any more: changed by others, unless the guardian or we were quicker. */
static int lower_rest(struct actuator *actuator, unsigned int slot)
{
	struct actuator_slot *s = &actuator->slots[slot];
	int r;

	if (!ledger_has_thread(actuator->ledger, slot))
		return 0;
	if (!s->lowered_in_part)
		return ACTUATOR_FOREIGN;
	r = sched_finish_restore(&s->thread, &s->before);
	return r < 0 ? r : r == 1 ? 0 : ACTUATOR_FOREIGN;
}

/* Under the number that it had. 0, an outcome, or -errno. */
static int lower_number(struct actuator *actuator, unsigned int slot, uint64_t now_ns)
{
	struct actuator_slot *s = &actuator->slots[slot];
	uint32_t epoch = account_epoch(actuator->accounts, slot);
	bool believed, vouched = s->believed && epoch != PVS_EPOCH_UNKNOWN && epoch == s->proven;
	int r = sched_is_raised(s->thread.tid, &actuator->boost);

	if (r == 0)
		return lower_rest(actuator, slot);
	if (r == 1 && !is_alive(actuator, slot, now_ns, &believed)) {
		/* its account knows nothing of an exit: whose was the number when we raised? */
		if (vouched)
			undo_if_reused(s, &actuator->boost, &s->before);
		r = -ESRCH;
	}
	if (r == 1) {
		r = sched_restore(&s->thread, &s->before);
		s->lowered_in_part = r < 0;
		if (r == 0 && !is_alive(actuator, slot, now_ns, &believed))
			r = -ESRCH;
	}
	return r == -ESRCH ? ACTUATOR_GONE : r;
}

int actuator_lower(struct actuator *actuator, unsigned int slot, uint64_t now_ns)
{
	struct actuator_slot *s = &actuator->slots[slot];
	int r, after_exec = 0;

	if (!s->raised)
		return 0;
	r = lower_number(actuator, slot, now_ns);
	if (r < 0)
		return r;
	/* its process's first thread may have that number for a moment still, and answer for it */
	if (r > 0 || account_epoch(actuator->accounts, slot) == PVS_EPOCH_UNKNOWN)
		after_exec = undo_after_exec(actuator, slot);
	if (after_exec < 0)
		return after_exec;
	ledger_drop_thread(actuator->ledger, slot);
	s->raised = false;
	return after_exec == 1 ? ACTUATOR_GONE : r;
}

bool actuator_has_boost(const struct actuator *actuator, unsigned int slot)
{
	const struct actuator_slot *s = &actuator->slots[slot];

	return s->raised && sched_is_raised(s->thread.tid, &actuator->boost) == 1;
}

int actuator_forget(struct actuator *actuator, unsigned int slot)
{
	int r = actuator->slots[slot].raised ? undo_after_exec(actuator, slot) : 0;

	if (r < 0)
		return r;
	actuator->slots[slot].raised = false;
	ledger_drop_thread(actuator->ledger, slot);
	return 0;
}

int actuator_mend_child(struct actuator *actuator, unsigned int slot, pid_t tid)
{
	return sched_mend_child(tid, &actuator->slots[slot].before);
}
