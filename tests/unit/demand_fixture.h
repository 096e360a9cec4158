/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Demands drawn from seeds, the tracer's sample of their wake-ups, and what is right of them: found
 * by a replay of all wake-ups, in the tests' own terms, by the arithmetic of core/bucket.h.
 */

#include "core/work.h"
#include "policy/demand.h"

#include "test.h"

#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC
#define S  NSEC_PER_SEC

#define WAKEUPS_MAX 200000

/* ---- a generator of demands ---- */

struct wakeup {
	uint64_t at_ns, work_ns;
};

/* What a demand is drawn from. */
struct source {
	uint64_t seed;
	uint64_t period_ns, work_ns;
	uint32_t work_jitter_permille, period_jitter_permille;
	uint32_t large_permille; /* so many wake-ups have twice the work */
	uint64_t on_ns, off_ns;  /* off_ns 0: always on */
};

static struct wakeup wakeups[WAKEUPS_MAX];
static size_t n_wakeups;

static inline uint64_t draw(struct source *source, uint64_t low, uint64_t high)
{
	source->seed = source->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return low + (source->seed >> 33) % (high - low + 1);
}

static inline uint64_t jitter(struct source *source, uint64_t value, uint32_t permille)
{
	return value - value * permille / 1000 + draw(source, 0, 2 * value * permille / 1000);
}

/* From 100 Hz to 4 kHz, from 50 us to 3 ms, and at most a third of a CPU while it is on. */
static inline struct source source_draw(uint64_t seed)
{
	struct source source = {.seed = seed * 7919 + 17};
	uint64_t hz = 100ULL << draw(&source, 0, 5);

	hz = draw(&source, hz, MIN(2 * hz, UINT64_C(4000)));
	source.period_ns = S / hz;
	source.work_ns = draw(&source, 50 * US, MAX(50 * US, MIN(3 * MS, source.period_ns / 3)));
	source.period_jitter_permille = (uint32_t)draw(&source, 0, 1) * 100;
	if (seed % 2) {
		source.on_ns = draw(&source, 50 * MS, 400 * MS);
		source.off_ns = draw(&source, 50 * MS, 400 * MS);
	}
	if (seed % 3 == 1)
		source.work_jitter_permille = 300;
	if (seed % 5 == 2 && source.work_ns < 3 * MS / 2)
		source.large_permille = 50;
	return source;
}

struct stream {
	struct source source;
	uint64_t now_ns, on_until_ns;
};

static inline struct stream stream_begin(const struct source *source)
{
	return (struct stream){.source = *source, .now_ns = S, .on_until_ns = S + source->on_ns};
}

/* One wake-up after the other. */
static inline struct wakeup stream_next(struct stream *stream)
{
	struct source *source = &stream->source;
	struct wakeup ret = {.at_ns = stream->now_ns};
	uint64_t period_ns;

	ret.work_ns = jitter(source, source->work_ns, source->work_jitter_permille);
	if (draw(source, 1, 1000) <= source->large_permille)
		ret.work_ns *= 2;
	period_ns = jitter(source, source->period_ns, source->period_jitter_permille);
	stream->now_ns += MAX(period_ns, ret.work_ns + 10 * US);
	if (source->off_ns && stream->now_ns >= stream->on_until_ns) {
		stream->now_ns += source->off_ns;
		stream->on_until_ns = stream->now_ns + source->on_ns;
	}
	return ret;
}

/* All wake-ups of @seconds. */
static inline void generate(struct source source, uint64_t seconds)
{
	struct stream stream = stream_begin(&source);
	uint64_t end_ns = stream.now_ns + seconds * S;

	for (n_wakeups = 0; stream.now_ns < end_ns && n_wakeups < WAKEUPS_MAX; n_wakeups++)
		wakeups[n_wakeups] = stream_next(&stream);
}

/* ---- the tracer ---- */

static struct pvs_demand kept;
static struct pvs_vcpu_account vcpu;
static uint32_t entitled_permille; /* of the vCPU, from now on; 0: not known */

static inline void begin(void)
{
	kept = (struct pvs_demand){0};
	vcpu = (struct pvs_vcpu_account){0};
}

/* As the hooks do it: woken, in after @wait_ns, out after its work. */
static inline void trace(const struct wakeup *w, uint64_t wait_ns)
{
	uint64_t halts_at = w->at_ns + wait_ns + w->work_ns;

	pvs_work_in(&vcpu.work, w->at_ns, w->at_ns + wait_ns);
	pvs_work_add(&vcpu.work, w->work_ns);
	vcpu.halts++;
	vcpu.entitled_permille = entitled_permille;
	if (halts_at >= vcpu.demand_due_ns)
		vcpu.demand_due_ns = pvs_demand_keep(&kept, &vcpu, halts_at);
	pvs_work_done(&vcpu.work);
}

static inline void trace_all(void)
{
	begin();
	for (size_t i = 0; i < n_wakeups; i++)
		trace(&wakeups[i], 0);
}

static struct demand sample;
static struct pvs_prices prices; /* zeroed: the usual ones */

static inline const struct demand *read_sample(void)
{
	demand_read(&kept, vcpu.halts, &prices, &sample);
	return &sample;
}

/* ---- what is right ---- */

/*
 * How many of 1000 wake-ups, of all, find the vCPU boosted and its tokens enough. Where the fair
 * entitlement is less than the share, what it runs costs more in the same ratio. A boost ends where
 * a deadline finds that hardly any are left; if that comes again within four times to refill, the
 * next one waits for twice to eight times that.
 */
static inline uint32_t covered(uint64_t burst_ns, uint32_t share_permille)
{
	const struct pvs_bucket_rule rule = {.burst_ns = burst_ns,
	                                     .share_permille = share_permille};
	uint64_t entitled = entitled_permille ?: 1000, times = MAX(share_permille, entitled);
	uint64_t refill_ns = burst_ns * 1000 / share_permille;
	uint64_t repaid_at_ns = 0, boosted_at_ns = 0, n = 0;
	unsigned int strikes = 0;
	bool empty = false;

	for (size_t i = 0; i < n_wakeups; i++) {
		uint64_t at = wakeups[i].at_ns, work = wakeups[i].work_ns;
		int64_t tokens = pvs_bucket_tokens(&rule, repaid_at_ns, at);

		tokens = tokens * (int64_t)entitled / (int64_t)times;
		if (empty && MAX(repaid_at_ns, boosted_at_ns) > at)
			continue;
		empty = tokens <= (int64_t)work + pvs_tokens_min_ns(&prices);
		if (empty)
			work = (uint64_t)MAX(tokens, 0);
		else
			n++;
		repaid_at_ns = pvs_bucket_charge(&rule, repaid_at_ns, at + work,
		                                 MAX(work, (uint64_t)pvs_charge_min_ns(&prices)) *
		                                         times / entitled);
		if (!empty)
			continue;
		strikes = at + work > boosted_at_ns + 4 * refill_ns ? 0 : MIN(strikes + 1, 3U);
		boosted_at_ns = repaid_at_ns;
		if (strikes)
			boosted_at_ns = MAX(repaid_at_ns, at + work + (refill_ns << strikes));
	}
	return (uint32_t)(n * 1000 / n_wakeups);
}

static inline uint64_t least_burst_ns(void)
{
	uint64_t low = 1, high = 20000;

	while (low < high) {
		uint64_t us = low + (high - low) / 2;

		if (covered(us * US, 1000) >= DEMAND_GOAL_PERMILLE)
			high = us;
		else
			low = us + 1;
	}
	return low * US;
}

static inline uint32_t least_share(uint64_t burst_ns)
{
	uint32_t low = 10, high = 1000;

	while (low < high) {
		uint32_t share = low + (high - low) / 2;

		if (covered(burst_ns, share) >= DEMAND_GOAL_PERMILLE)
			high = share;
		else
			low = share + 1;
	}
	return low;
}
