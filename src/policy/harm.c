// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/harm.h"

#include <stdlib.h>

#include "policy/harm_sets.h"
#include "policy/harm_verdict.h"

/* So long it takes until a window without boosts may be again: a bucket, whose debt may be minutes.
 */
#define REPAY(ns) ((ns)*1000 / HARM_OFF_PERMILLE)

/* A domain that comes back is tested by sixteen pairs, if they are needed. */
#define RETURN_OFF_NS (16 * (HARM_WINDOW_MIN_NS + HARM_SETTLE_NS))

struct harm *harm_new(unsigned int n, uint64_t seed, harm_read_fn *read, void *userdata)
{
	struct harm *harm = calloc(1, sizeof(*harm) + n * sizeof(harm->slots[0]));

	if (!harm)
		return NULL;
	harm->n = n;
	harm->random = seed;
	harm->read = read;
	harm->userdata = userdata;
	return harm;
}

struct harm *harm_free(struct harm *harm)
{
	struct member *member;
	struct set *set;

	if (!harm)
		return NULL;
	while ((set = harm->sets)) {
		harm->sets = set->next;
		while ((member = set->members)) {
			set->members = member->next;
			free(member);
		}
		free(set);
	}
	free(harm);
	return NULL;
}

int harm_put(struct harm *harm, unsigned int slot, unsigned int domain, unsigned int set)
{
	return harm_sets_put(harm, slot, domain, set);
}

void harm_drop(struct harm *harm, unsigned int slot, bool gone)
{
	harm_sets_drop(harm, slot);
	if (gone)
		harm->slots[slot].told = 0;
}

void harm_set_capacity(struct harm *harm, unsigned int set, uint32_t permille)
{
	struct set *of = harm_sets_find(harm, set);

	if (of)
		of->capacity_permille = permille;
}

static bool is_off(const struct set *set)
{
	switch (set->phase) {
	case PHASE_QUIET:
	case PHASE_REST:
		return false;
	case PHASE_SETTLE:
	case PHASE_FIRST:
		return set->off_first;
	case PHASE_SETTLE_AGAIN:
	case PHASE_SECOND:
		return !set->off_first;
	}
	return false;
}

static uint64_t off_at(const struct set *set, uint64_t length_ns)
{
	return set->off_repaid_ns - MIN(set->off_repaid_ns, REPAY(HARM_OFF_BURST_NS - length_ns));
}

/*
 * Where all are let alone but one that came back, to boost nothing is no loss. Else it is bounded.
 */
static bool is_free(const struct set *set)
{
	return set->returned && harm_count_boosted(set) <= 1;
}

static uint64_t may_be_off_at(const struct set *set, uint64_t length_ns)
{
	return is_free(set) ? 0 : off_at(set, length_ns);
}

/* Until the next pair: at random, so that nothing periodic meets it each time. */
static void rest(struct harm *harm, struct set *set, uint64_t now_ns)
{
	bool first = set->pairs < HARM_PAIRS_SOON; /* a verdict is wanted soon */
	uint64_t most_ns = first ? HARM_WINDOW_MIN_NS : HARM_WINDOW_MAX_NS;
	uint64_t pause_ns = first ? HARM_SETTLE_NS : HARM_WINDOW_MAX_NS;

	set->length_ns = harm_draw(harm, HARM_WINDOW_MIN_NS, most_ns);
	set->off_first = harm_draw(harm, 0, 1);
	set->phase = PHASE_REST;
	set->at_ns = MAX(now_ns, may_be_off_at(set, set->length_ns + HARM_SETTLE_NS));
	pause_ns <<= set->in_vain;
	set->at_ns += harm_draw(harm, pause_ns / 2, 2 * pause_ns);
}

static void sleep_until_return(struct set *set, uint64_t now_ns)
{
	set->phase = PHASE_QUIET;
	set->at_ns = NSEC_NEVER;
	for (const struct member *m = set->members; m; m = m->next)
		if (m->hold)
			set->at_ns = MIN(set->at_ns, MAX(m->until_ns, now_ns + NSEC_PER_MSEC));
}

static void go_on(struct harm *harm, struct set *set, uint64_t now_ns)
{
	if (harm_count_boosted(set) && set->quiet_looks < HARM_QUIET_LOOKS)
		rest(harm, set, now_ns);
	else
		sleep_until_return(set, now_ns);
}

static void window_begin(struct harm *harm, struct set *set)
{
	harm_sets_sample(harm, set);
	for (struct member *m = set->members; m; m = m->next)
		m->begin = m->now;
}

static void window_end(struct harm *harm, struct set *set, bool with)
{
	harm_sets_sample(harm, set);
	for (struct member *m = set->members; m; m = m->next) {
		for (unsigned int b = 0; b < PVS_WAIT_BUCKETS; b++)
			m->waits[with][b] = m->now.waits[b] - m->begin.waits[b];
		if (with)
			m->used_ns += m->now.boosted_ns - m->begin.boosted_ns;
	}
	if (with)
		set->with_ns += set->length_ns;
}

/* What boosts may take is off for a window and the time to settle. */
static void charge_off(struct set *set, uint64_t now_ns)
{
	uint64_t off_ns = set->length_ns + HARM_SETTLE_NS;

	if (is_free(set))
		return;
	set->off_ns += off_ns;
	set->off_repaid_ns = MAX(set->off_repaid_ns, now_ns) + REPAY(off_ns);
}

static void pair_ends(struct harm *harm, struct set *set, uint64_t now_ns)
{
	charge_off(set, now_ns);
	harm_judge_pair(set);
	harm_test(harm, set, now_ns);
	go_on(harm, set, now_ns);
}

static void set_step(struct harm *harm, struct set *set, uint64_t now_ns)
{
	harm_come_back(set, now_ns, off_at(set, RETURN_OFF_NS) <= now_ns);
	switch (set->phase) {
	case PHASE_QUIET:
		go_on(harm, set, now_ns);
		return;
	case PHASE_REST:
		if (set->quiet_looks) { /* a pair would tell nothing */
			go_on(harm, set, now_ns);
			return;
		}
		set->phase = PHASE_SETTLE;
		set->at_ns = now_ns + HARM_SETTLE_NS;
		return;
	case PHASE_SETTLE:
	case PHASE_SETTLE_AGAIN:
		window_begin(harm, set);
		set->phase++;
		set->at_ns = now_ns + set->length_ns;
		return;
	case PHASE_FIRST:
		window_end(harm, set, !set->off_first);
		set->phase = PHASE_SETTLE_AGAIN;
		set->at_ns = now_ns + HARM_SETTLE_NS;
		return;
	case PHASE_SECOND:
		window_end(harm, set, set->off_first);
		pair_ends(harm, set, now_ns);
		return;
	}
}

uint64_t harm_next_ns(const struct harm *harm)
{
	uint64_t next_ns = NSEC_NEVER;

	for (const struct set *set = harm->sets; set; set = set->next)
		next_ns = MIN(next_ns, set->at_ns);
	return next_ns;
}

void harm_step(struct harm *harm, uint64_t now_ns)
{
	for (struct set *set = harm->sets; set; set = set->next)
		if (set->at_ns <= now_ns)
			set_step(harm, set, now_ns);
}

static void look(struct harm *harm, struct set *set, uint64_t now_ns)
{
	uint64_t late = 0;
	bool waits;

	harm_sets_sample(harm, set);
	for (const struct member *m = set->members; m; m = m->next)
		late += harm_late_waits(m->now.waits);
	waits = late > set->late;
	set->late = late;
	set->quiet_looks = waits ? 0 : MIN(set->quiet_looks + 1, (unsigned int)HARM_QUIET_LONG);
	if (set->phase == PHASE_QUIET && waits && harm_count_boosted(set))
		rest(harm, set, now_ns);
}

void harm_look(struct harm *harm, uint64_t now_ns)
{
	for (struct set *set = harm->sets; set; set = set->next)
		look(harm, set, now_ns);
}

bool harm_is_quiet(const struct harm *harm)
{
	for (const struct set *set = harm->sets; set; set = set->next)
		if (set->at_ns != NSEC_NEVER || set->quiet_looks < HARM_QUIET_LOOKS)
			return false;
	return true;
}

static uint32_t holds_of(const struct slot *slot)
{
	if (!slot->set)
		return 0;
	return slot->member->hold | (is_off(slot->set) ? POLICY_HOLD(POLICY_REASON_COMPARED) : 0);
}

int harm_change(struct harm *harm, int after, uint32_t *ret)
{
	for (unsigned int i = (unsigned int)(after + 1); i < harm->n; i++) {
		struct slot *slot = &harm->slots[i];

		*ret = holds_of(slot);
		if (*ret == slot->told)
			continue;
		slot->told = *ret;
		return (int)i;
	}
	return -1;
}

bool harm_read(const struct harm *harm, unsigned int slot, struct harm_view *ret)
{
	const struct slot *s = &harm->slots[slot];

	if (!s->set)
		return false;
	*ret = (struct harm_view){
	        .pairs = s->set->pairs,
	        .worse = s->set->worse,
	        .better = s->set->better,
	        .own_worse = s->member->worse,
	        .own_better = s->member->better,
	        .verdicts_total = s->set->verdicts_total,
	        .alone_total = s->member->alone_total,
	        .alone_until_ns = s->member->hold ? s->member->until_ns : 0,
	        .off_ns = s->set->off_ns,
	};
	return true;
}
