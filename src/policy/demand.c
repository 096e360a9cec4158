// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/demand.h"

#include "policy/profile.h"

#define SHARE_MIN 10 /* less is not worth a real-time class: see plan.c */

/* As policy/boosted.c has it. */
#define STEADY_REFILLS    4
#define BACKOFF_SHIFT_MAX 3

/* ---- the sample ---- */

/* Where the sample ends: one after the piece that was kept last. */
static size_t end_of(const struct pvs_demand *raw)
{
	if (raw->next == 0 || raw->next > PVS_DEMAND_PIECES)
		return raw->filled ? PVS_DEMAND_PIECES : 0;
	return (size_t)raw->next;
}

/* As the price is: where an entitlement changes, a block of half of it counts for twice as much. */
static uint32_t entitled_permille(const struct pvs_demand_block *block, size_t n)
{
	uint64_t dearness = block->dearness / n;

	return dearness ? (uint32_t)MIN(MAX(1000000 / dearness, UINT64_C(1)), UINT64_C(1000))
	                : 1000;
}

static void add_block(const uint32_t *pieces, size_t n, const struct pvs_demand_block *block,
                      uint64_t until_halts, struct demand *ret)
{
	uint64_t wakeups = until_halts > block->halts ? until_halts - block->halts : 0;
	uint32_t weight = (uint32_t)MIN(MAX(wakeups / n, UINT64_C(1)), (uint64_t)UINT32_MAX);
	uint32_t entitled = entitled_permille(block, n);

	for (size_t i = 0; i < n; i++)
		ret->pieces[ret->n++] = (struct demand_piece){
		        .gap_ns = (uint64_t)(pieces[i] >> 16) << PVS_PIECE_GAP_SHIFT,
		        .work_ns = (uint64_t)(pieces[i] & PVS_PIECE_WORK_MAX)
		                   << PVS_PIECE_WORK_SHIFT,
		        .weight = weight,
		        .entitled_permille = entitled,
		        .late = pieces[i] & PVS_PIECE_LATE,
		        .boosted = pieces[i] & PVS_PIECE_BOOSTED,
		};
	ret->wakeups += n * (uint64_t)weight;
}

void demand_read(const struct pvs_demand *raw, uint64_t halts, const struct pvs_prices *prices,
                 struct demand *ret)
{
	size_t end = end_of(raw), last, first;

	ret->n = 0;
	ret->since_ns = ret->wakeups = 0;
	ret->prices = *prices;
	if (end == 0)
		return;
	last = (end - 1) / PVS_DEMAND_BLOCK;
	first = raw->filled ? last + 1 : 0;
	for (size_t i = 0; i < PVS_DEMAND_BLOCKS; i++) {
		size_t b = (first + i) % PVS_DEMAND_BLOCKS, next = (b + 1) % PVS_DEMAND_BLOCKS;
		const struct pvs_demand_block *block = &raw->blocks[b];

		if (ret->n == 0)
			ret->since_ns = block->from_ns;
		add_block(&raw->pieces[b * PVS_DEMAND_BLOCK],
		          b == last ? (end - 1) % PVS_DEMAND_BLOCK + 1 : PVS_DEMAND_BLOCK, block,
		          b == last ? halts : raw->blocks[next].halts, ret);
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

uint32_t demand_entitled_permille(const struct demand *demand)
{
	uint64_t dearness = 0, weight = 0;

	for (size_t i = 0; i < demand->n; i++) {
		weight += demand->pieces[i].weight;
		dearness += (uint64_t)demand->pieces[i].weight * 1000000 /
		            demand->pieces[i].entitled_permille;
	}
	return dearness ? (uint32_t)(weight * 1000000 / dearness) : 0;
}

/* ---- replay ---- */

struct replay {
	const struct pvs_bucket_rule *rule;
	const struct pvs_prices *prices;
	bool only_prompt; /* see counts() */
	uint64_t now_ns, repaid_at_ns;
	bool empty;             /* not boosted before @boosted_at_ns... */
	uint64_t boosted_at_ns; /* ...which is also when it was boosted last */
	unsigned int strikes;   /* boosts in a row that steady demand has ended */
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
 * ends a boost asleep that has less than the usual work. Nor does what is less than a boost must
 * have: a deadline that fires with no more left ends it, and one that was started in the sleep
 * before fires early, since the wake-up may.
 */
static uint64_t needed_ns(const struct pvs_prices *prices, uint64_t work_ns)
{
	return work_ns + pvs_tokens_min_ns(prices) + 1;
}

static void charge(struct replay *replay, const struct demand_piece *piece, uint64_t until_ns,
                   uint64_t used_ns)
{
	uint64_t least_ns = pvs_charge_min_ns(replay->prices);
	uint64_t charge_ns =
	        pvs_bucket_price(replay->rule, MAX(used_ns, least_ns), piece->entitled_permille);

	replay->repaid_at_ns =
	        pvs_bucket_charge(replay->rule, replay->repaid_at_ns, until_ns, charge_ns);
}

/* Its tokens end at @now_ns: boosted again when the bucket is full, later if demand is steady. */
static void exhaust(struct replay *replay, uint64_t now_ns)
{
	uint64_t refill_ns = replay->rule->burst_ns * 1000 / replay->rule->share_permille;
	bool steady = now_ns - replay->boosted_at_ns <= STEADY_REFILLS * refill_ns;

	replay->empty = true;
	replay->strikes = steady ? MIN(replay->strikes + 1, (unsigned int)BACKOFF_SHIFT_MAX) : 0;
	replay->boosted_at_ns = replay->repaid_at_ns;
	if (steady)
		replay->boosted_at_ns =
		        MAX(replay->boosted_at_ns, now_ns + (refill_ns << replay->strikes));
}

static void serve(struct replay *replay, const struct demand_piece *piece)
{
	int64_t tokens_ns;

	replay->now_ns += piece->gap_ns;
	if (replay->boosted_at_ns <= replay->now_ns && replay->repaid_at_ns <= replay->now_ns)
		replay->empty = false;
	if (!counts(piece, replay->only_prompt)) {
		charge(replay, piece, replay->now_ns, piece->work_ns);
		return;
	}
	replay->counted += piece->weight;
	if (replay->empty)
		return;
	tokens_ns = pvs_bucket_tokens(replay->rule, replay->repaid_at_ns, replay->now_ns);
	tokens_ns = pvs_bucket_worth(replay->rule, tokens_ns, piece->entitled_permille);
	if (tokens_ns >= (int64_t)needed_ns(replay->prices, piece->work_ns)) {
		replay->covered += piece->weight;
		charge(replay, piece, replay->now_ns + piece->work_ns, piece->work_ns);
		return;
	}
	tokens_ns = MAX(tokens_ns, 0);
	charge(replay, piece, replay->now_ns + (uint64_t)tokens_ns, (uint64_t)tokens_ns);
	exhaust(replay, replay->now_ns + (uint64_t)tokens_ns);
}

/* Twice: the first time tells what the bucket holds when the sample begins. */
uint32_t demand_covered_permille(const struct demand *demand, const struct pvs_bucket_rule *rule)
{
	struct replay replay = {.rule = rule,
	                        .prices = &demand->prices,
	                        .only_prompt = leaves_out_late(demand),
	                        .now_ns = NSEC_PER_SEC};

	if (!rule->share_permille)
		return 0;
	for (unsigned int pass = 0; pass < 2; pass++) {
		replay.covered = replay.counted = 0;
		for (size_t i = 0; i < demand->n; i++)
			serve(&replay, &demand->pieces[i]);
	}
	return replay.counted ? (uint32_t)(replay.covered * 1000 / replay.counted) : 0;
}

/* ---- what covers it ---- */

/* What must be in its bucket. */
static uint64_t price_ns(const struct demand *demand, const struct demand_piece *piece,
                         uint32_t share_permille)
{
	const struct pvs_bucket_rule rule = {.share_permille = share_permille};

	return pvs_bucket_price(&rule, needed_ns(&demand->prices, piece->work_ns),
	                        piece->entitled_permille);
}

/* How many wake-ups of @priced_ns, which are of the weights of @demand, cost no more than that. */
static uint64_t count_within(const struct demand *demand, const uint64_t *priced_ns,
                             uint64_t most_ns)
{
	uint64_t n = 0;

	for (size_t i = 0; i < demand->n; i++)
		if (priced_ns[i] <= most_ns)
			n += demand->pieces[i].weight;
	return n;
}

#define LEFT_OUT UINT64_MAX

/* The price that 99 of 100 wake-ups do not exceed. */
static uint64_t most_price_ns(const struct demand *demand, uint32_t share_permille)
{
	uint64_t priced_ns[PVS_DEMAND_PIECES], counted = 0, low_ns = 0, high_ns = 0;
	bool only_prompt = leaves_out_late(demand);

	for (size_t i = 0; i < demand->n; i++) {
		const struct demand_piece *piece = &demand->pieces[i];

		priced_ns[i] = LEFT_OUT;
		if (!counts(piece, only_prompt))
			continue;
		priced_ns[i] = price_ns(demand, piece, share_permille);
		high_ns = MAX(high_ns, priced_ns[i]);
		counted += piece->weight;
	}
	while (low_ns < high_ns) {
		uint64_t most_ns = low_ns + (high_ns - low_ns) / 2;

		if (count_within(demand, priced_ns, most_ns) * 1000 >=
		    counted * DEMAND_GOAL_PERMILLE)
			high_ns = most_ns;
		else
			low_ns = most_ns + 1;
	}
	return low_ns;
}

uint64_t demand_burst_ns(const struct demand *demand, uint32_t share_permille)
{
	uint64_t least_ns = most_price_ns(demand, share_permille);

	return MAX(least_ns + least_ns / 8, (uint64_t)PROFILE_BURST_NS_MIN);
}

/* What is known of all shares up to @permille: none of the wake-ups costs more than its time. */
struct cheap {
	uint32_t permille;
	uint64_t burst_ns;
};

static struct cheap cheap_shares(const struct demand *demand)
{
	struct cheap ret = {.permille = 1000};

	for (size_t i = 0; i < demand->n; i++)
		ret.permille = MIN(ret.permille, demand->pieces[i].entitled_permille);
	ret.burst_ns = demand_burst_ns(demand, ret.permille);
	return ret;
}

static bool is_covered(const struct demand *demand, const struct cheap *cheap,
                       uint32_t share_permille)
{
	struct pvs_bucket_rule rule = {.burst_ns = cheap->burst_ns,
	                               .share_permille = share_permille};

	if (share_permille > cheap->permille)
		rule.burst_ns = demand_burst_ns(demand, share_permille);
	return demand_covered_permille(demand, &rule) >= DEMAND_GOAL_PERMILLE;
}

/* With more it is boosted for no longer: what it has more of, it pays. */
static uint32_t largest_share_permille(const struct demand *demand)
{
	uint32_t permille = SHARE_MIN;

	for (size_t i = 0; i < demand->n; i++)
		permille = MAX(permille, demand->pieces[i].entitled_permille);
	return permille;
}

uint32_t demand_share_permille(const struct demand *demand)
{
	const struct cheap cheap = cheap_shares(demand);
	uint32_t low = SHARE_MIN, most = largest_share_permille(demand), high = most;

	if (!is_covered(demand, &cheap, most))
		return 0;
	while (low < high) {
		uint32_t share = low + (high - low) / 2;

		if (is_covered(demand, &cheap, share))
			high = share;
		else
			low = share + 1;
	}
	return MIN(low + (low + 19) / 20, most);
}
