// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/actuator.h"

#include <errno.h>
#include <stdlib.h>

#include "boost/identity.h"
#include "util/cleanup.h"
#include "util/clock.h"

struct actuator_slot {
	struct identity identity;
	pid_t leader;            /* TID of its process's leader */
	pid_t leader_of_boost;   /* the same, for identity_restore_exec(); 0: not to be looked at */
	uint64_t leader_read_ns; /* when the leader's class was read; 0: never */
	enum identity_proof proof; /* that it was this thread which was boosted */
	bool unboosted_in_part;    /* its class may be back already, and its slack is not */
	struct sched_state before; /* as in the record, which the guardian may drop at any time */
};

struct actuator {
	struct ledger *ledger;
	const struct accounts *accounts;
	struct sched_boost boost;
	unsigned int n_slots;
	struct actuator_slot *slots;
	struct boosted_slots boosted;
};

_Static_assert(PVS_VCPUS_MAX <= UINT16_MAX, "places");
_Static_assert(PVS_VCPUS_MAX <= LEDGER_THREADS_MAX, "a record for each slot");

struct actuator *actuator_new(struct ledger *ledger, const struct accounts *accounts,
                              unsigned int n_slots, const struct sched_boost *boost)
{
	CLEANUP(cleanup_free) struct actuator *actuator = calloc(1, sizeof(*actuator));

	if (!actuator || n_slots > PVS_VCPUS_MAX)
		return NULL;
	actuator->slots = calloc(n_slots, sizeof(*actuator->slots));
	if (!actuator->slots)
		return NULL;
	actuator->ledger = ledger;
	actuator->accounts = accounts;
	actuator->boost = *boost;
	actuator->n_slots = n_slots;
	boosted_slots_init(&actuator->boosted);
	for (unsigned int i = 0; i < n_slots; i++)
		actuator->slots[i].identity = IDENTITY_NULL;
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
	CLEANUP(identity_close) struct identity identity = IDENTITY_NULL;
	pid_t leader = 0;
	int r = identity_open(&identity, thread);

	if (r == 0)
		r = identity_leader(&identity, &leader);
	if (r != 0)
		return r == IDENTITY_GONE ? ACTUATOR_GONE : r;
	actuator->slots[slot] = (struct actuator_slot){
	        .identity = STEAL(identity, IDENTITY_NULL),
	        .leader = leader,
	};
	return 0;
}

void actuator_close(struct actuator *actuator, unsigned int slot)
{
	identity_close(&actuator->slots[slot].identity);
}

bool actuator_is_boosted(const struct actuator *actuator, unsigned int slot)
{
	return boosted_slots_has(&actuator->boosted, slot);
}

const struct boosted_slots *actuator_boosted(const struct actuator *actuator)
{
	return &actuator->boosted;
}

const struct boosted_slots *actuator_boosted_now(struct actuator *actuator)
{
	boosted_slots_follow(&actuator->boosted, actuator->accounts);
	return &actuator->boosted;
}

void actuator_domain_changed(struct actuator *actuator, unsigned int slot)
{
	if (actuator_is_boosted(actuator, slot))
		boosted_slots_put(&actuator->boosted, actuator->accounts, slot);
}

/* To be called after the call that the proof is about. */
static enum identity_proof prove(struct actuator *actuator, unsigned int slot, uint64_t now_ns)
{
	return identity_prove(&actuator->slots[slot].identity,
	                      account_epoch(actuator->accounts, slot), now_ns);
}

/* Reads the state of the thread, and of no other. */
static int state_get(struct actuator *actuator, unsigned int slot, uint64_t now_ns,
                     struct sched_state *ret)
{
	const struct sched_thread *thread = &actuator->slots[slot].identity.thread;
	uint64_t slack_ns;
	int r;

	if (!account_slack(actuator->accounts, slot, now_ns, &slack_ns))
		return sched_get(thread, ret);
	r = sched_get_class(thread->tid, ret);
	ret->slack_ns = slack_ns;
	return r == 0 && !prove(actuator, slot, now_ns) ? -ESRCH : r;
}

/*
 * The TID may have passed to another thread before we changed it: puts that thread back. Its class
 * was read by the TID just before; the slack may be what the account knows of ours.
 */
static void undo_if_reused(const struct actuator_slot *s, const struct sched_boost *boost)
{
	CLEANUP(sched_close) struct sched_thread other = SCHED_THREAD_NULL;

	if (sched_open(s->identity.id.tid, &other) == 0 && sched_has_boost(other.tid, boost) == 1)
		sched_restore_class(other.tid, &s->before);
}

/* Returns as identity_restore_exec(). */
static int undo_after_exec(struct actuator *actuator, unsigned int slot)
{
	const struct actuator_slot *s = &actuator->slots[slot];

	return identity_restore_exec(&s->identity.id, s->leader_of_boost, &actuator->boost,
	                             &s->before);
}

/* Boosts the thread, whose record is written, and no other. Returns 0, or -errno: it is not. */
static int boost_recorded(struct actuator *actuator, unsigned int slot,
                          const struct ledger_thread *record, uint64_t now_ns)
{
	struct actuator_slot *s = &actuator->slots[slot];
	int r = sched_give_boost(s->identity.id.tid, &actuator->boost);

	if (r < 0)
		return r;
	s->proof = prove(actuator, slot, now_ns);
	if (s->proof == IDENTITY_NONE) {
		undo_if_reused(s, &actuator->boost);
		/* if that fails it is boosted, under another TID, and to unboost it tries again */
		if (undo_after_exec(actuator, slot) >= 0)
			return -ESRCH;
	}
	if (ledger_has_thread(actuator->ledger, slot))
		return 0;
	/* a guardian that acted in between has dropped the record: nothing is boosted without one
	 */
	r = sched_restore(&s->identity.thread, &s->before);
	if (r < 0 && r != -ESRCH) {
		/* it is boosted all the same: with a record, so that each later end tries again */
		ledger_put_thread(actuator->ledger, slot, record);
		return 0;
	}
	return r < 0 ? r : -ECANCELED;
}

/*
 * A boost that others gave the leader must not be taken for ours after an exec. Others change that
 * class seldom, so it is read once a second, and not at each boost: it is a system call.
 */
static void look_at_leader(struct actuator *actuator, unsigned int slot, uint64_t now_ns)
{
	struct actuator_slot *s = &actuator->slots[slot];

	if (s->leader_read_ns && now_ns - s->leader_read_ns < NSEC_PER_SEC)
		return;
	s->leader_read_ns = now_ns;
	s->leader_of_boost = sched_has_boost(s->leader, &actuator->boost) == 1 ? 0 : s->leader;
}

int actuator_boost(struct actuator *actuator, unsigned int slot, uint64_t now_ns)
{
	struct actuator_slot *s = &actuator->slots[slot];
	struct ledger_thread record = {
	        .tid = s->identity.id.tid,
	        .start_ticks = s->identity.id.start_ticks,
	        .given = actuator->boost,
	};
	int r;

	look_at_leader(actuator, slot, now_ns);
	record.leader = s->leader_of_boost;
	r = state_get(actuator, slot, now_ns, &record.before);
	if (r < 0)
		return r == -ESRCH ? ACTUATOR_GONE : r;
	if (sched_is_realtime(&record.before))
		return ACTUATOR_ALREADY_RT;
	s->before = record.before;
	ledger_put_thread(actuator->ledger, slot, &record);
	r = boost_recorded(actuator, slot, &record, now_ns);
	if (r == 0) {
		boosted_slots_put(&actuator->boosted, actuator->accounts, slot);
		s->unboosted_in_part = false;
		return 0;
	}
	ledger_drop_thread(actuator->ledger, slot);
	return r == -EPERM ? ACTUATOR_REFUSED : r == -ESRCH ? ACTUATOR_GONE : r;
}

/* Its class is not ours any more: changed by others, unless the guardian or we were quicker. */
static int unboost_rest(struct actuator *actuator, unsigned int slot)
{
	struct actuator_slot *s = &actuator->slots[slot];
	int r;

	if (!ledger_has_thread(actuator->ledger, slot))
		return 0;
	if (!s->unboosted_in_part)
		return ACTUATOR_FOREIGN;
	r = sched_finish_restore(&s->identity.thread, &s->before);
	return r < 0 ? r : r == 1 ? 0 : ACTUATOR_FOREIGN;
}

/*
 * True if only an epoch proves that this thread was boosted, and that epoch has not ended. If the
 * thread is found to be gone then, the tracer missed its exit, and another one may have been
 * boosted.
 */
static bool rests_on_epoch(const struct actuator_slot *s, uint32_t epoch)
{
	return s->proof == IDENTITY_EPOCH && epoch != PVS_EPOCH_UNKNOWN &&
	       epoch == s->identity.epoch;
}

/* Unboosts the thread under its own TID. Returns 0, an outcome, or -errno. */
static int unboost_tid(struct actuator *actuator, unsigned int slot, uint64_t now_ns)
{
	struct actuator_slot *s = &actuator->slots[slot];
	bool by_epoch = rests_on_epoch(s, account_epoch(actuator->accounts, slot));
	int r = sched_is_ours(s->identity.id.tid, &actuator->boost, &s->before);

	if (r == 0)
		return unboost_rest(actuator, slot);
	if (r == 1 && !prove(actuator, slot, now_ns)) {
		if (by_epoch)
			undo_if_reused(s, &actuator->boost);
		r = -ESRCH;
	}
	if (r == 1) {
		r = sched_restore(&s->identity.thread, &s->before);
		s->unboosted_in_part = r < 0;
		if (r == 0 && !prove(actuator, slot, now_ns))
			r = -ESRCH;
	}
	return r == -ESRCH ? ACTUATOR_GONE : r;
}

int actuator_unboost(struct actuator *actuator, unsigned int slot, uint64_t now_ns)
{
	int r, after_exec = 0;

	if (!actuator_is_boosted(actuator, slot))
		return 0;
	r = unboost_tid(actuator, slot, now_ns);
	if (r < 0)
		return r;
	/* without an epoch: the exiting leader may have that TID for a moment still, and answer */
	if (r > 0 || account_epoch(actuator->accounts, slot) == PVS_EPOCH_UNKNOWN)
		after_exec = undo_after_exec(actuator, slot);
	if (after_exec < 0)
		return after_exec;
	ledger_drop_thread(actuator->ledger, slot);
	boosted_slots_drop(&actuator->boosted, slot);
	return after_exec == 1 ? ACTUATOR_GONE : r;
}

bool actuator_has_boost(const struct actuator *actuator, unsigned int slot)
{
	return actuator_is_boosted(actuator, slot) &&
	       sched_has_boost(actuator->slots[slot].identity.id.tid, &actuator->boost) == 1;
}
