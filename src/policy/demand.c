// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/demand.h"

#include <stdlib.h>

#define SHARE_MIN 10 /* less is not worth a real-time class: see plan.c */

/* ---- the sample ---- */

/* Where the sample ends: one after the piece that was kept last. */
static size_t end_of(const struct pvs_demand *raw)
{
	if (raw->next == 0 || raw->next > PVS_DEMAND_PIECES)
		return raw->filled ? PVS_DEMAND_PIECES : 0;
	return (size_t)raw->next;
}

static void add_block(const uint32_t *pieces, size_t n, uint64_t wakeups, struct demand *ret)
{
	uint32_t weight = (uint32_t)MIN(MAX(wakeups / n, UINT64_C(1)), (uint64_t)UINT32_MAX);

	for (size_t i = 0; i < n; i++)
		ret->pieces[ret->n++] = (struct demand_piece){
		        .gap_ns = (uint64_t)(pieces[i] >> 16) << PVS_PIECE_GAP_SHIFT,
		        .work_ns = (uint64_t)(pieces[i] & PVS_PIECE_WORK_MAX)
		                   << PVS_PIECE_WORK_SHIFT,
		        .weight = weight,
		        .late = pieces[i] & PVS_PIECE_LATE,
		        .boosted = pieces[i] & PVS_PIECE_BOOSTED,
		};
	ret->wakeups += n * (uint64_t)weight;
}

void demand_read(const struct pvs_demand *raw, uint64_t halts, struct demand *ret)
{
	size_t end = end_of(raw), last, first;

	ret->n = 0;
	ret->since_ns = ret->wakeups = 0;
	if (end == 0)
		return;
	last = (end - 1) / PVS_DEMAND_BLOCK;
	first = raw->filled ? last + 1 : 0;
	for (size_t i = 0; i < PVS_DEMAND_BLOCKS; i++) {
		size_t b = (first + i) % PVS_DEMAND_BLOCKS, next = (b + 1) % PVS_DEMAND_BLOCKS;
		const struct pvs_demand_block *block = &raw->blocks[b];
		uint64_t until = b == last ? halts : raw->blocks[next].halts;

		if (ret->n == 0)
			ret->since_ns = block->from_ns;
		add_block(&raw->pieces[b * PVS_DEMAND_BLOCK],
		          b == last ? (end - 1) % PVS_DEMAND_BLOCK + 1 : PVS_DEMAND_BLOCK,
		          until > block->halts ? until - block->halts : 0, ret);
		if (b == last)
			return;
	}
}

uint32_t demand_used_permille(const struct demand *demand)
{
	uint64_t work_ns = 0, time_ns = 0;

	for (size_t i = 0; i < demand->n; i++) {
		work_ns += demand->pieces[i].work_ns / 1000 * demand->pieces[i].weight;
		time_ns += demand->pieces[i].gap_ns / 1000 * demand->pieces[i].weight;
	}
	return time_ns ? (uint32_t)MIN((work_ns * 1000 + time_ns - 1) / time_ns, UINT64_C(1000))
	               : 0;
}

uint32_t demand_late_permille(const struct demand *demand)
{
	uint64_t late = 0;

	for (size_t i = 0; i < demand->n; i++)
		if (demand->pieces[i].late && !demand->pieces[i].boosted)
			late += demand->pieces[i].weight;
	return demand->wakeups ? (uint32_t)(late * 1000 / demand->wakeups) : 0;
}

/* ---- replay ---- */

struct replay {
	const struct pvs_bucket_rule *rule;
	bool only_prompt; /* see counts() */
	uint64_t now_ns, repaid_at_ns;
	bool empty; /* not boosted before its bucket is full */
	uint64_t covered, counted;
};

/*
 * A guest whose vCPU waits for long does the work of several timers in one piece. That says more of
 * the host than of the demand, so late pieces are charged and not counted, if others are there. But
 * of a vCPU that is boosted for most of its wake-ups, those are late that have the most work, as
 * its tokens do not last for that: without these it would seem to need no more than it has.
 */
static bool leaves_out_late(const struct demand *demand)
{
	uint64_t prompt = 0, boosted = 0;

	for (size_t i = 0; i < demand->n; i++) {
		if (demand->pieces[i].boosted)
			boosted += demand->pieces[i].weight;
		if (!demand->pieces[i].late)
			prompt += demand->pieces[i].weight;
	}
	return prompt > demand->wakeups / 16 && boosted <= demand->wakeups / 2;
}

static bool counts(const struct demand_piece *piece, bool only_prompt)
{
	return !only_prompt || !piece->late;
}

/*
 * Enough for all of its work when it comes. What comes in while it runs does not count: the policy
 * ends a boost asleep that has less than the usual work.
 */
static bool has_tokens(int64_t tokens_ns, uint64_t work_ns)
{
	return tokens_ns >= (int64_t)work_ns && tokens_ns > PVS_TOKENS_MIN_NS;
}

static void charge(struct replay *replay, uint64_t until_ns, uint64_t used_ns)
{
	replay->repaid_at_ns = pvs_bucket_charge(replay->rule, replay->repaid_at_ns, until_ns,
	                                         MAX(used_ns, (uint64_t)PVS_CHARGE_MIN_NS));
}

static void serve(struct replay *replay, const struct demand_piece *piece)
{
	int64_t tokens_ns;

	replay->now_ns += piece->gap_ns;
	if (replay->repaid_at_ns <= replay->now_ns)
		replay->empty = false;
	if (!counts(piece, replay->only_prompt)) {
		charge(replay, replay->now_ns, piece->work_ns);
		return;
	}
	replay->counted += piece->weight;
	if (replay->empty)
		return;
	tokens_ns = pvs_bucket_tokens(replay->rule, replay->repaid_at_ns, replay->now_ns);
	if (has_tokens(tokens_ns, piece->work_ns)) {
		replay->covered += piece->weight;
		charge(replay, replay->now_ns + piece->work_ns, piece->work_ns);
		return;
	}
	tokens_ns = MAX(tokens_ns, 0);
	charge(replay, replay->now_ns + (uint64_t)tokens_ns, (uint64_t)tokens_ns);
	replay->empty = true;
}

/* Twice: the first time tells what the bucket holds when the sample begins. */
uint32_t demand_covered_permille(const struct demand *demand, const struct pvs_bucket_rule *rule)
{
	struct replay replay = {
	        .rule = rule, .only_prompt = leaves_out_late(demand), .now_ns = NSEC_PER_SEC};

	for (unsigned int pass = 0; pass < 2; pass++) {
		replay.covered = replay.counted = 0;
		for (size_t i = 0; i < demand->n; i++)
			serve(&replay, &demand->pieces[i]);
	}
	return replay.counted ? (uint32_t)(replay.covered * 1000 / replay.counted) : 0;
}

/* ---- what covers it ---- */

static int by_work(const void *a, const void *b)
{
	const struct demand_piece *left = a, *right = b;

	return (left->work_ns > right->work_ns) - (left->work_ns < right->work_ns);
}

/* The work that 99 of 100 wake-ups do not exceed. */
static uint64_t most_work_ns(const struct demand *demand)
{
	struct demand_piece sorted[PVS_DEMAND_PIECES];
	bool only_prompt = leaves_out_late(demand);
	uint64_t counted = 0, below = 0;
	size_t n = 0;

	for (size_t i = 0; i < demand->n; i++) {
		if (!counts(&demand->pieces[i], only_prompt))
			continue;
		sorted[n++] = demand->pieces[i];
		counted += demand->pieces[i].weight;
	}
	qsort(sorted, n, sizeof(*sorted), by_work);
	for (size_t i = 0; i < n; i++) {
		below += sorted[i].weight;
		if (below * 1000 >= counted * DEMAND_GOAL_PERMILLE)
			return sorted[i].work_ns;
	}
	return 0;
}

uint64_t demand_burst_ns(const struct demand *demand)
{
	uint64_t least_ns = MAX(most_work_ns(demand), (uint64_t)PVS_CHARGE_MIN_NS);

	return least_ns + least_ns / 8;
}

uint32_t demand_share_permille(const struct demand *demand, uint64_t burst_ns)
{
	struct pvs_bucket_rule rule = {.burst_ns = burst_ns, .share_permille = 1000};
	uint32_t low = SHARE_MIN, high = 1000;

	if (demand_covered_permille(demand, &rule) < DEMAND_GOAL_PERMILLE)
		return 0;
	while (low < high) {
		rule.share_permille = low + (high - low) / 2;
		if (demand_covered_permille(demand, &rule) >= DEMAND_GOAL_PERMILLE)
			high = rule.share_permille;
		else
			low = rule.share_permille + 1;
	}
	return MIN(low + (low + 19) / 20, 1000U);
}
