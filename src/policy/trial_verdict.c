// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/trial_verdict.h"

#include <stdlib.h>
#include <string.h>

#include "policy/student.h"

/*
 * The loss of a neighbour is a part of what it got without boosts, or of this if that was less: a
 * thread that hardly ran loses half of nearly nothing by one preemption.
 */
#define SERVED_LEAST_PPM (TRIAL_PPM / 4)

static double largest(double a, double b)
{
	return a > b ? a : b;
}

void trial_series_add(struct trial_series *series, const struct trial_window block[static 2])
{
	if (series->n + 2 > TRIAL_WINDOWS_MAX)
		return;
	memcpy(&series->windows[series->n], block, 2 * sizeof(*block));
	series->n += 2;
}

/* The window of a block that boosts, or the other one. */
static const struct trial_window *window_of(const struct trial_series *series, uint32_t block,
                                            bool on)
{
	const struct trial_window *windows = &series->windows[2 * block];

	return windows[0].on == on ? &windows[0] : &windows[1];
}

/* ---- waits ---- */

struct pooled {
	uint64_t counts[PVS_WAIT_BUCKETS];
	uint64_t length_ns;
};

static uint64_t count_of(const uint64_t counts[PVS_WAIT_BUCKETS])
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < PVS_WAIT_BUCKETS; i++)
		n += counts[i];
	return n;
}

/*
 * All percentiles at once, from the shortest, as if waits were spread evenly within a bucket. They
 * are of @of waits, which are the longest ones of @counts.
 */
static void percentiles_us(const uint64_t counts[PVS_WAIT_BUCKETS], uint64_t of,
                           double ret[_TRIAL_PERCENTILE_MAX])
{
	static const uint64_t longer_permille[_TRIAL_PERCENTILE_MAX] = {500, 10, 1};
	uint64_t n = count_of(counts), seen = 0;
	uint32_t i = 0;

	for (enum trial_percentile p = TRIAL_P50; p < _TRIAL_PERCENTILE_MAX; p++) {
		uint64_t rank = n - MIN(of * longer_permille[p] / 1000, n);
		double from_us, to_us;

		while (i < PVS_WAIT_BUCKETS && seen + counts[i] < rank)
			seen += counts[i++];
		ret[p] = 0;
		if (n == 0 || i == PVS_WAIT_BUCKETS || !counts[i])
			continue;
		from_us = i ? (double)pvs_wait_bucket_limit_us(i - 1) : 0;
		to_us = (double)pvs_wait_bucket_limit_us(i);
		ret[p] = from_us + (to_us - from_us) * (double)(rank - seen) / (double)counts[i];
	}
}

/*
 * Of both kinds. A vCPU that is not boosted is preempted more often, also for a moment: its many
 * short waits would make its percentiles better than they are. So these are of as many waits as
 * there would be at the lower rate of the two.
 */
static void compare_us(const struct pooled pools[2], double ret[2][_TRIAL_PERCENTILE_MAX])
{
	double n[2], rate[2], lower;

	for (int on = 0; on < 2; on++) {
		n[on] = (double)count_of(pools[on].counts);
		rate[on] = pools[on].length_ns ? n[on] / (double)pools[on].length_ns : 0;
	}
	lower = MIN(rate[0], rate[1]);
	for (int on = 0; on < 2; on++) {
		double of = lower * (double)pools[on].length_ns + 0.5;

		percentiles_us(pools[on].counts, (uint64_t)MIN(of, n[on]), ret[on]);
	}
}

static void pool_add(struct pooled *pool, const struct trial_window *window)
{
	for (uint32_t i = 0; i < PVS_WAIT_BUCKETS; i++)
		pool->counts[i] += window->waits[i];
	pool->length_ns += window->length_ns;
}

/* By how much the gain falls short of what is worth a boost. */
static double missing_us(double off_us, double on_us)
{
	return largest(TRIAL_GAIN_US, off_us / TRIAL_GAIN_PART) - (off_us - on_us);
}

static void draw_take(struct trial_draws *draws, uint32_t i, const struct pooled pools[2])
{
	double off_us, on_us, us[2][_TRIAL_PERCENTILE_MAX];

	compare_us(pools, us);
	for (int on = 0; on < 2; on++)
		for (int p = 0; p < _TRIAL_PERCENTILE_MAX; p++)
			draws->wait_us[on][p][i] = us[on][p];
	off_us = draws->wait_us[0][TRIAL_P99][i];
	on_us = draws->wait_us[1][TRIAL_P99][i];
	draws->ratio[i] = on_us / largest(off_us, 1);
	draws->missing_us[i] = missing_us(off_us, on_us);
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void draws_sort(struct trial_draws *draws)
{
	for (int on = 0; on < 2; on++)
		for (int p = 0; p < _TRIAL_PERCENTILE_MAX; p++)
			qsort(draws->wait_us[on][p], TRIAL_DRAWS, sizeof(double), compare);
	qsort(draws->ratio, TRIAL_DRAWS, sizeof(double), compare);
	qsort(draws->missing_us, TRIAL_DRAWS, sizeof(double), compare);
}

/* Blocks are drawn with replacement, and all waits of those that were drawn are put together. */
static void draws_make(const struct trial_series *series, uint64_t seed, struct trial_draws *draws)
{
	uint32_t blocks = series->n / 2;

	for (uint32_t i = 0; i < TRIAL_DRAWS; i++) {
		struct pooled pools[2] = {0};

		for (uint32_t j = 0; j < blocks; j++) {
			uint32_t block = (uint32_t)(trial_random(&seed) % blocks);

			pool_add(&pools[0], window_of(series, block, false));
			pool_add(&pools[1], window_of(series, block, true));
		}
		draw_take(draws, i, pools);
	}
	draws_sort(draws);
}

/* Of sorted draws: what @part of them do not exceed. */
static double quantile(const double sorted[TRIAL_DRAWS], double part)
{
	int32_t i = (int32_t)(part * TRIAL_DRAWS);

	return sorted[MAX(MIN(i, TRIAL_DRAWS - 1), 0)];
}

static struct trial_interval interval_of(double value, const double sorted[TRIAL_DRAWS])
{
	return (struct trial_interval){value, quantile(sorted, 0.025), quantile(sorted, 0.975)};
}

static void measure_waits(const struct trial_series *series, uint64_t seed,
                          struct trial_draws *draws, struct trial_verdict *ret)
{
	struct pooled pools[2] = {0};
	double us[2][_TRIAL_PERCENTILE_MAX];

	draws_make(series, seed, draws);
	for (uint32_t i = 0; i < series->n; i++)
		pool_add(&pools[series->windows[i].on], &series->windows[i]);
	compare_us(pools, us);
	for (int on = 0; on < 2; on++) {
		ret->waits[on] = count_of(pools[on].counts);
		for (int p = 0; p < _TRIAL_PERCENTILE_MAX; p++)
			ret->wait_us[on][p] = interval_of(us[on][p], draws->wait_us[on][p]);
	}
	ret->ratio = interval_of(us[1][TRIAL_P99] / largest(us[0][TRIAL_P99], 1), draws->ratio);
}

/*
 * The difference of a block's two percentiles, as a part of their sum: no block counts for more
 * than another, however long its waits are.
 */
static void compare_waits(const struct trial_series *series, struct student_sums *shorter,
                          struct student_sums *longer)
{
	for (uint32_t block = 0; block < series->n / 2; block++) {
		struct pooled pools[2] = {0};
		double us[2][_TRIAL_PERCENTILE_MAX], off_us, on_us;

		pool_add(&pools[0], window_of(series, block, false));
		pool_add(&pools[1], window_of(series, block, true));
		compare_us(pools, us);
		off_us = us[0][TRIAL_P99];
		on_us = us[1][TRIAL_P99];
		if (off_us <= 0 || on_us <= 0)
			continue;
		student_add(shorter, (off_us - on_us) / (off_us + on_us));
		student_add(longer, (on_us - off_us) / (off_us + on_us));
	}
}

static enum trial_gain judge_gain(const struct trial_series *series, double alpha,
                                  const struct trial_draws *draws,
                                  const struct trial_verdict *verdict)
{
	double off_us = verdict->wait_us[0][TRIAL_P99].value;
	double on_us = verdict->wait_us[1][TRIAL_P99].value;
	struct student_sums shorter = {0}, longer = {0};

	if (verdict->blocks < TRIAL_BLOCKS_MIN || verdict->waits[0] < TRIAL_WAITS_MIN ||
	    verdict->waits[1] < TRIAL_WAITS_MIN)
		return TRIAL_GAIN_UNKNOWN;
	compare_waits(series, &shorter, &longer);
	if (missing_us(off_us, on_us) <= 0 && student_above(&shorter) <= alpha &&
	    quantile(draws->ratio, 1 - alpha) < 1)
		return TRIAL_BETTER;
	if (missing_us(on_us, off_us) <= 0 && student_above(&longer) <= alpha &&
	    quantile(draws->ratio, alpha) > 1)
		return TRIAL_WORSE;
	return quantile(draws->missing_us, alpha) > 0 ? TRIAL_SAME : TRIAL_GAIN_UNKNOWN;
}

/* ---- neighbours ---- */

/* What one neighbour got, over the blocks in which that was measured. */
struct loss {
	double least;              /* what its loss is a part of, summed */
	struct student_sums lost;  /* what it got less of */
	struct student_sums above; /* by how much that is more than it may lose... */
	struct student_sums below; /* ...or less */
};

static struct loss loss_of(const struct trial_series *series, enum trial_neighbour neighbour)
{
	struct loss loss = {0};

	for (uint32_t block = 0; block < series->n / 2; block++) {
		double off = window_of(series, block, false)->served_ppm[neighbour];
		double on = window_of(series, block, true)->served_ppm[neighbour];
		double least = largest(off, SERVED_LEAST_PPM), may;

		if (off <= 0 || on <= 0)
			continue;
		may = least * TRIAL_LOSS_PPM / TRIAL_PPM;
		loss.least += least;
		student_add(&loss.lost, off - on);
		student_add(&loss.above, off - on - may);
		student_add(&loss.below, may - (off - on));
	}
	return loss;
}

static void loss_tell(const struct loss *loss, struct trial_interval *ret)
{
	double mean = loss->least / loss->lost.n;
	double margin = student_margin(&loss->lost) / mean * TRIAL_PPM;
	double value = loss->lost.sum / loss->least * TRIAL_PPM;

	*ret = (struct trial_interval){value, value - margin, value + margin};
}

/* One of several that are looked at loses too much only if chance would seldom make any seem so. */
static enum trial_price judge_price(const struct trial_series *series, double alpha,
                                    struct trial_verdict *verdict)
{
	double too_much = 1, not_low = 0;
	uint32_t n = 0;

	for (enum trial_neighbour i = TRIAL_DOMAINS; i < _TRIAL_NEIGHBOUR_MAX; i++) {
		struct loss loss = loss_of(series, i);

		verdict->measured[i] = loss.lost.n >= TRIAL_BLOCKS_MIN;
		if (!verdict->measured[i])
			continue;
		loss_tell(&loss, &verdict->lost_ppm[i]);
		if (n++ == 0 ||
		    verdict->lost_ppm[i].value > verdict->lost_ppm[verdict->worst].value)
			verdict->worst = i;
		too_much = MIN(too_much, student_above(&loss.above));
		not_low = MAX(not_low, student_above(&loss.below));
	}
	if (n == 0)
		return TRIAL_PRICE_UNKNOWN;
	if (too_much * n <= alpha)
		return TRIAL_PRICE_HIGH;
	return not_low <= alpha ? TRIAL_PRICE_LOW : TRIAL_PRICE_UNKNOWN;
}

/* ---- both ---- */

/* What is not certain to gain anything, and costs too much, needs no longer trial. */
static enum trial_advice advise(const struct trial_verdict *verdict)
{
	switch (verdict->gain) {
	case TRIAL_SAME:
	case TRIAL_WORSE:
		return TRIAL_NOT_WORTH_IT;
	case TRIAL_BETTER:
		return verdict->price == TRIAL_PRICE_LOW    ? TRIAL_RECOMMEND
		       : verdict->price == TRIAL_PRICE_HIGH ? TRIAL_PRICE_TOO_HIGH
		                                            : TRIAL_CANNOT_TELL;
	case TRIAL_GAIN_UNKNOWN:
		return verdict->price == TRIAL_PRICE_HIGH ? TRIAL_NOT_WORTH_IT : TRIAL_CANNOT_TELL;
	case _TRIAL_GAIN_MAX:
		break;
	}
	return TRIAL_CANNOT_TELL;
}

static uint32_t boosted_permille(const struct trial_series *series)
{
	uint64_t boosted_ns = 0, length_ns = 0;

	for (uint32_t i = 0; i < series->n; i++) {
		if (!series->windows[i].on)
			continue;
		boosted_ns += series->windows[i].boosted_ns;
		length_ns += series->windows[i].length_ns;
	}
	return length_ns ? (uint32_t)(boosted_ns * 1000 / length_ns) : 0;
}

void trial_judge(const struct trial_series *series, double alpha, uint64_t seed,
                 struct trial_draws *draws, struct trial_verdict *ret)
{
	*ret = (struct trial_verdict){.blocks = series->n / 2};
	if (ret->blocks == 0)
		return;
	measure_waits(series, seed, draws, ret);
	ret->price = judge_price(series, alpha, ret);
	/* a price that is too high ends the trial, so this is the only look at the gain */
	if (ret->price == TRIAL_PRICE_HIGH)
		alpha = TRIAL_ERROR;
	ret->gain = judge_gain(series, alpha, draws, ret);
	ret->boosted_permille = boosted_permille(series);
	ret->advice = advise(ret);
}
