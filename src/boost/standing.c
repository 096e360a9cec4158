// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/standing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "boost/identity.h"
#include "boost/sched.h"
#include "util/cleanup.h"
#include "util/thread.h"

/* To prove which thread a TID is takes two descriptors, and two more after an execve(). */
#define SPARES 4

struct standing {
	struct standing_parts parts;
	int spares[SPARES]; /* descriptors, for taking back when there are no others; -1: none */
	const char *missing[_STANDING_LEVER_MAX];
	struct standing_view slots[LEDGER_THREADS_MAX];
};

/* ---- what the kernel has ---- */

#define PROBE_SLICE_NS (3 * NSEC_PER_MSEC)

/* Before Linux 6.12 the kernel ignores a fair thread's slice, and shows 0. */
static void *probe_slice(void *userdata)
{
	bool *keeps_slice = userdata;
	struct sched_standing found;

	*keeps_slice = sched_give_slice(0, PROBE_SLICE_NS, false) == 0 &&
	               sched_get_standing(0, &found) == 0 && found.slice_ns == PROBE_SLICE_NS;
	return NULL;
}

static const char *find_slice_missing(void)
{
	bool keeps_slice = false;
	pthread_t thread;

	if (thread_begin(&thread, 0, probe_slice, &keeps_slice) < 0)
		return "a thread to try it on could not be started";
	pthread_join(thread, NULL);
	return keeps_slice ? NULL
	                   : "this kernel has no slices of threads (Linux 6.12 and later have)";
}

static void find_missing(struct standing *standing)
{
	standing->missing[STANDING_SLICE] = find_slice_missing();
	if (!sched_has_clamps())
		standing->missing[STANDING_CLAMP] = "this kernel has no CONFIG_UCLAMP_TASK";
	for (int i = 0; i < _STANDING_LEVER_MAX; i++)
		if (!standing->missing[i] && !standing->parts.read_levers)
			standing->missing[i] =
			        "the tracer does not tell what threads have of their own";
}

/* Returns 0, or -errno when there are too few. */
static int keep_spares(struct standing *standing)
{
	for (int i = 0; i < SPARES; i++) {
		if (standing->spares[i] < 0)
			standing->spares[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (standing->spares[i] < 0)
			return -errno;
	}
	return 0;
}

static void use_spares(struct standing *standing)
{
	for (int i = 0; i < SPARES; i++)
		standing->spares[i] = close_fd(standing->spares[i]);
}

struct standing *standing_new(const struct standing_parts *parts)
{
	struct standing *standing = calloc(1, sizeof(*standing));

	if (!standing)
		return NULL;
	standing->parts = *parts;
	for (int i = 0; i < SPARES; i++)
		standing->spares[i] = -1;
	find_missing(standing);
	return standing;
}

struct standing *standing_free(struct standing *standing)
{
	if (standing)
		use_spares(standing);
	free(standing);
	return NULL;
}

const char *standing_missing(const struct standing *standing, enum standing_lever lever)
{
	return standing->missing[lever];
}

/* ---- giving ---- */

static const uint32_t lever_bits[_STANDING_LEVER_MAX] = {PVS_LEVER_SLICE, PVS_LEVER_UCLAMP};

/* One thread that is to be given something. */
struct gift {
	struct identity identity;
	struct ledger_standing record;
	struct standing_view *view; /* GIVEN: it is to be given */
};

static void gift_close(struct gift *gift)
{
	identity_close(&gift->identity);
}

static bool is_wanted(const struct standing_wanted *wanted, enum standing_lever lever)
{
	return lever == STANDING_SLICE ? wanted->slice_ns != 0 : wanted->util_min != 0;
}

/* Of those that are still to be given. */
static void leave_out(struct standing_view *view, enum standing_lever lever,
                      enum standing_state state, int error)
{
	if (view->states[lever] != STANDING_GIVEN)
		return;
	view->states[lever] = state;
	view->errors[lever] = error;
}

static void leave_out_all(struct standing_view *view, enum standing_state state, int error)
{
	for (int i = 0; i < _STANDING_LEVER_MAX; i++)
		leave_out(view, (enum standing_lever)i, state, error);
}

static bool gives_any(const struct standing_view *view)
{
	return view->states[STANDING_SLICE] == STANDING_GIVEN ||
	       view->states[STANDING_CLAMP] == STANDING_GIVEN;
}

/* What is wanted and can be had here. Returns false: nothing. */
static bool choose(const struct standing *standing, struct standing_view *view)
{
	for (int i = 0; i < _STANDING_LEVER_MAX; i++) {
		enum standing_lever lever = (enum standing_lever)i;

		if (is_wanted(&view->wanted, lever))
			view->states[lever] =
			        standing->missing[lever] ? STANDING_MISSING : STANDING_GIVEN;
	}
	return gives_any(view);
}

/* What it has of its own stays; also where the tracer cannot tell. */
static void leave_own(struct standing_view *view, const struct pvs_levers *levers)
{
	for (int i = 0; i < _STANDING_LEVER_MAX; i++)
		if ((levers->own & lever_bits[i]) || !(levers->has & lever_bits[i]))
			leave_out(view, (enum standing_lever)i, STANDING_OWN, 0);
}

/* Finds out about the thread, and fills in the record. Returns 0, or -errno. */
static int prepare(const struct standing *standing, const struct thread_id *thread,
                   struct gift *gift)
{
	const enum standing_state *states = gift->view->states;
	struct sched_standing before;
	struct pvs_levers levers;
	pid_t leader = 0;
	int r = identity_open(&gift->identity, thread);

	if (r == 0)
		r = identity_leader(&gift->identity, &leader);
	if (r != 0)
		return r == IDENTITY_GONE ? -ESRCH : r;
	r = standing->parts.read_levers(standing->parts.userdata, thread->tid, &levers);
	if (r == 0)
		r = sched_get_standing(thread->tid, &before);
	if (r < 0)
		return r;
	leave_own(gift->view, &levers);
	/* SCHED_RESET_ON_FORK comes with either lever, and only a fair thread can be given that */
	if (!sched_is_fair(&before))
		leave_out_all(gift->view, STANDING_NOT_FAIR, 0);
	gift->view->had_reset_on_fork = before.reset_on_fork;
	gift->record = (struct ledger_standing){
	        .tid = thread->tid,
	        .leader = leader,
	        .start_ticks = thread->start_ticks,
	        .reset_on_fork = before.reset_on_fork,
	};
	if (states[STANDING_SLICE] == STANDING_GIVEN)
		gift->record.slice_ns = gift->view->wanted.slice_ns;
	if (states[STANDING_CLAMP] == STANDING_GIVEN)
		gift->record.util_min = gift->view->wanted.util_min;
	/* what the leader has of its own must not be taken for ours after an execve() */
	if (ledger_match_standing(leader, &gift->record) == 1)
		gift->record.leader = 0;
	return sched_alive(&gift->identity.thread) ? 0 : -ESRCH;
}

/* SCHED_RESET_ON_FORK comes first, or with the slice: threads made in between inherit nothing. */
static int give_slice(const struct ledger_standing *record)
{
	int r = record->slice_ns ? sched_give_slice(record->tid, record->slice_ns, true)
	                         : sched_set_reset_on_fork(record->tid, true);

	/* another program made it real-time a moment ago */
	return r == SCHED_NOT_FAIR ? -EAGAIN : r;
}

/* Where it is refused, the slice stands alone. */
static int give_clamp(struct gift *gift)
{
	int r = sched_give_clamp(gift->record.tid, gift->record.util_min);

	if (r == 0 || !gift->record.slice_ns)
		return r;
	leave_out(gift->view, STANDING_CLAMP, STANDING_FAILED, r);
	return 0;
}

/* Gives what the record names. Returns 0, or -errno: the thread must be left with nothing. */
static int give_recorded(struct gift *gift)
{
	int r = give_slice(&gift->record);

	if (r == 0 && gift->record.util_min)
		r = give_clamp(gift);
	return r == 0 && !sched_alive(&gift->identity.thread) ? -ESRCH : r;
}

/* The TID may have passed to another thread before. That one had nothing of its own: it is new. */
static void undo_if_reused(const struct gift *gift)
{
	const struct ledger_standing *record = &gift->record;
	struct sched_standing now;

	if (!sched_alive(&gift->identity.thread) &&
	    ledger_match_standing(record->tid, record) == 1 &&
	    sched_get_standing(record->tid, &now) == 0)
		ledger_take_standing(record->tid, record, &now);
}

static void give(struct standing *standing, unsigned int slot, const struct thread_id *thread)
{
	struct standing_view *view = &standing->slots[slot];
	CLEANUP(gift_close) struct gift gift = {.identity = IDENTITY_NULL, .view = view};
	uint32_t guardian_acts = ledger_guardian_acts(standing->parts.ledger);
	int r;

	if (!choose(standing, view))
		return;
	r = keep_spares(standing);
	if (r == 0)
		r = prepare(standing, thread, &gift);
	if (r < 0) {
		leave_out_all(view, STANDING_FAILED, r);
		return;
	}
	if (!gives_any(view))
		return;
	ledger_put_standing(standing->parts.ledger, slot, &gift.record);
	r = give_recorded(&gift);
	/* a guardian may have looked before, found nothing to give back, and dropped the record */
	if (r == 0 && ledger_guardian_acts(standing->parts.ledger) != guardian_acts) {
		ledger_put_standing(standing->parts.ledger, slot, &gift.record);
		r = -ECANCELED;
	}
	if (r == 0)
		return;
	leave_out_all(view, STANDING_FAILED, r);
	/* also finds the thread after an execve(); where it fails, the record stays */
	ledger_restore_standing(standing->parts.ledger, slot);
	undo_if_reused(&gift);
}

int standing_set(struct standing *standing, unsigned int slot, const struct thread_id *thread,
                 const struct standing_wanted *wanted)
{
	int r = standing_take_back(standing, slot);

	if (r < 0)
		return r;
	standing->slots[slot].wanted = *wanted;
	if (wanted->slice_ns || wanted->util_min)
		give(standing, slot, thread);
	return 0;
}

/* ---- taking back ---- */

int standing_take_back(struct standing *standing, unsigned int slot)
{
	int r = ledger_restore_standing(standing->parts.ledger, slot);

	if (r == -EMFILE) {
		use_spares(standing);
		r = ledger_restore_standing(standing->parts.ledger, slot);
		keep_spares(standing); /* if it can't, nothing is given meanwhile */
	}
	if (r < 0)
		return r;
	standing->slots[slot] = (struct standing_view){0};
	return 0;
}

const struct standing_view *standing_view(const struct standing *standing, unsigned int slot)
{
	return &standing->slots[slot];
}

bool standing_resets_forks(const struct standing *standing, unsigned int slot)
{
	const struct standing_view *view = &standing->slots[slot];

	return gives_any(view) && !view->had_reset_on_fork;
}

/* What was given and is not there any more. */
static bool is_foreign(const struct standing_view *view, const struct sched_standing *now)
{
	bool slice = view->states[STANDING_SLICE] == STANDING_GIVEN;
	bool clamp = view->states[STANDING_CLAMP] == STANDING_GIVEN;

	return ((slice || clamp) && !now->reset_on_fork) ||
	       (slice && sched_is_fair(now) && now->slice_ns != view->wanted.slice_ns) ||
	       (clamp && now->util_min != view->wanted.util_min);
}

static bool has_none(const struct standing *standing, pid_t tid, enum standing_lever lever)
{
	struct pvs_levers levers;

	return standing->parts.read_levers(standing->parts.userdata, tid, &levers) == 0 &&
	       (levers.has & lever_bits[lever]) && !(levers.own & lever_bits[lever]);
}

bool standing_is_short(const struct standing *standing, unsigned int slot, pid_t tid)
{
	const struct standing_view *view = &standing->slots[slot];
	struct sched_standing now;

	if ((!view->wanted.slice_ns && !view->wanted.util_min) || sched_get_standing(tid, &now) < 0)
		return false;
	for (int i = 0; i < _STANDING_LEVER_MAX; i++) {
		if (view->states[i] == STANDING_FAILED ||
		    (view->states[i] == STANDING_NOT_FAIR && sched_is_fair(&now)) ||
		    (view->states[i] == STANDING_OWN &&
		     has_none(standing, tid, (enum standing_lever)i)))
			return true;
	}
	return is_foreign(view, &now);
}
