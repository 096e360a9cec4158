// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sample of a vCPU's wake-ups as the tracer keeps it, and burst and share that are computed
 * from it. What is right is found by a replay of all wake-ups, of which the sample has some, in
 * the test's own terms, by the arithmetic of core/bucket.h. Links src/policy alone.
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

static uint64_t draw(struct source *source, uint64_t low, uint64_t high)
{
	source->seed = source->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return low + (source->seed >> 33) % (high - low + 1);
}

static uint64_t jitter(struct source *source, uint64_t value, uint32_t permille)
{
	return value - value * permille / 1000 + draw(source, 0, 2 * value * permille / 1000);
}

/* From 100 Hz to 4 kHz, from 50 us to 3 ms, and at most a third of a CPU while it is on. */
static struct source source_draw(uint64_t seed)
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

/* All wake-ups of @seconds. */
static void generate(struct source source, uint64_t seconds)
{
	uint64_t now = S, end = now + seconds * S, on_until = now + source.on_ns;

	for (n_wakeups = 0; now < end && n_wakeups < WAKEUPS_MAX; n_wakeups++) {
		uint64_t work = jitter(&source, source.work_ns, source.work_jitter_permille);

		if (draw(&source, 1, 1000) <= source.large_permille)
			work *= 2;
		wakeups[n_wakeups] = (struct wakeup){now, work};
		now += MAX(jitter(&source, source.period_ns, source.period_jitter_permille),
		           work + 10 * US);
		if (source.off_ns && now >= on_until) {
			now += source.off_ns;
			on_until = now + source.on_ns;
		}
	}
}

/* ---- the tracer ---- */

static struct pvs_demand kept;
static struct pvs_vcpu_account vcpu;

static void begin(void)
{
	kept = (struct pvs_demand){0};
	vcpu = (struct pvs_vcpu_account){0};
}

/* As the hooks do it: woken, in after @wait_ns, out after its work. */
static void trace(const struct wakeup *w, uint64_t wait_ns)
{
	uint64_t halts_at = w->at_ns + wait_ns + w->work_ns;

	pvs_work_in(&vcpu.work, w->at_ns, w->at_ns + wait_ns);
	pvs_work_add(&vcpu.work, w->work_ns);
	vcpu.halts++;
	if (halts_at >= vcpu.demand_due_ns)
		vcpu.demand_due_ns = pvs_demand_keep(&kept, &vcpu, halts_at);
	pvs_work_done(&vcpu.work);
}

static void trace_all(void)
{
	begin();
	for (size_t i = 0; i < n_wakeups; i++)
		trace(&wakeups[i], 0);
}

static struct demand sample;

static const struct demand *read_sample(void)
{
	demand_read(&kept, vcpu.halts, &sample);
	return &sample;
}

/* ---- what is right ---- */

/* How many of 1000 wake-ups, of all, find the vCPU boosted and its tokens enough. */
static uint32_t covered(uint64_t burst_ns, uint32_t share_permille)
{
	const struct pvs_bucket_rule rule = {.burst_ns = burst_ns,
	                                     .share_permille = share_permille};
	uint64_t repaid_at_ns = 0, n = 0;
	bool empty = false;

	for (size_t i = 0; i < n_wakeups; i++) {
		uint64_t at = wakeups[i].at_ns, work = wakeups[i].work_ns;
		int64_t tokens = pvs_bucket_tokens(&rule, repaid_at_ns, at);

		if (empty && repaid_at_ns > at)
			continue;
		empty = tokens < (int64_t)work || tokens <= PVS_TOKENS_MIN_NS;
		if (empty)
			work = (uint64_t)MAX(tokens, 0);
		else
			n++;
		repaid_at_ns = pvs_bucket_charge(&rule, repaid_at_ns, at + work,
		                                 MAX(work, (uint64_t)PVS_CHARGE_MIN_NS));
	}
	return (uint32_t)(n * 1000 / n_wakeups);
}

static uint64_t least_burst_ns(void)
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

static uint32_t least_share(uint64_t burst_ns)
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

/* ---- tests ---- */

static void test_nothing_yet(void)
{
	struct pvs_bucket_rule rule = {.burst_ns = MS, .share_permille = 100};

	begin();
	CHECK_INT(read_sample()->n, 0);
	CHECK_U64(sample.wakeups, 0);
	CHECK_INT(demand_covered_permille(&sample, &rule), 0);
	CHECK_INT(demand_used_permille(&sample), 0);
	CHECK_INT(demand_late_permille(&sample), 0);
	CHECK_INT(demand_share_permille(&sample, MS), 0);
}

/* What is kept of a wake-up is what it was: its gap, its work, whether it was late, and boosted. */
static void test_what_is_kept(void)
{
	begin();
	trace(&(struct wakeup){S, 100 * US}, 0);
	vcpu.flags = PVS_FLAG_BOOSTED;
	trace(&(struct wakeup){S + 3 * MS, 500 * US}, 0);
	vcpu.flags = 0;
	trace(&(struct wakeup){S + 5 * MS, 2 * MS}, 400 * US);
	trace(&(struct wakeup){S + 5 * S, 40 * MS}, 0);
	CHECK_INT(read_sample()->n, 4);
	CHECK_U64(sample.wakeups, 4);
	CHECK_GE(sample.pieces[1].gap_ns, 3 * MS - 5 * US);
	CHECK_LE(sample.pieces[1].gap_ns, 3 * MS + 5 * US);
	CHECK_GE(sample.pieces[1].work_ns, 500 * US);
	CHECK_LE(sample.pieces[1].work_ns, 502 * US);
	CHECK(sample.pieces[1].boosted && !sample.pieces[1].late);
	CHECK(!sample.pieces[2].boosted && sample.pieces[2].late);
	CHECK_GE(sample.pieces[2].work_ns, 2 * MS);
	/* more than can be told: still longer than any burst and any refill that matters */
	CHECK_GE(sample.pieces[3].gap_ns, 260 * MS);
	CHECK_GE(sample.pieces[3].work_ns, 16 * MS);
	CHECK_INT(demand_late_permille(&sample), 250);
}

/* The words of a wake-up end with it; a second wake-up before the halt is the same one. */
static void test_woken_twice(void)
{
	begin();
	pvs_work_in(&vcpu.work, S, S + 50 * US);
	pvs_work_add(&vcpu.work, 100 * US);
	pvs_work_in(&vcpu.work, S + 400 * US, S + 600 * US);
	CHECK_U64(vcpu.work.woken_ns, S);
	CHECK_U64(vcpu.work.waited_ns, 250 * US);
	pvs_work_done(&vcpu.work);
	CHECK_U64(vcpu.work.woken_ns, 0);
	CHECK_U64(vcpu.work.waited_ns, 0);
	CHECK_U64(vcpu.work.woken_before_ns, S);
}

/*
 * The first wake-ups are all kept; then 64 of each five seconds. They stand for all of them, and
 * the latest are never lost.
 */
static void test_a_minute(void)
{
	struct source source = {.seed = 1, .period_ns = MS, .work_ns = 100 * US};

	generate(source, 1);
	trace_all();
	CHECK_INT(read_sample()->n, 896);
	generate(source, 100);
	trace_all();
	CHECK_LE(read_sample()->n, PVS_DEMAND_PIECES);
	CHECK_GE(sample.n, PVS_DEMAND_PIECES - PVS_DEMAND_BLOCK);
	CHECK_LE(sample.since_ns, wakeups[n_wakeups - 1].at_ns - 60 * S);
	CHECK_GE(sample.since_ns, wakeups[n_wakeups - 1].at_ns - 75 * S);
	CHECK_GE(sample.wakeups, 60000);
	CHECK_LE(sample.wakeups, 76000);
	CHECK_GE(demand_used_permille(&sample), 99);
	CHECK_LE(demand_used_permille(&sample), 104);
}

/* A block of a busy time counts for more than one of a quiet time: percentages are of wake-ups. */
static void test_weights(void)
{
	struct wakeup w = {.at_ns = S};

	begin();
	for (unsigned int i = 0; i < PVS_DEMAND_PIECES; i++, w.at_ns += 10 * MS)
		trace(&(struct wakeup){w.at_ns, 100 * US}, 0);
	for (unsigned int i = 0; i < 100 * 4000; i++, w.at_ns += S / 4000)
		trace(&(struct wakeup){w.at_ns, 60 * US}, 0);
	for (unsigned int i = 0; i < 10 * 100; i++, w.at_ns += 10 * MS)
		trace(&(struct wakeup){w.at_ns, 900 * US}, 0);
	/* some 1000 of 240000 have 900 us, and two or three of 14 blocks */
	CHECK_LE(demand_burst_ns(read_sample()), 100 * US);
}

/* Any words at all: a sample that is torn, or was never one. */
static void test_any_words(void)
{
	struct source source = {.seed = 5};
	struct pvs_bucket_rule rule = {.burst_ns = MS, .share_permille = 100};

	for (unsigned int i = 0; i < 200; i++) {
		uint32_t *words = (uint32_t *)&kept;

		for (size_t j = 0; j < sizeof(kept) / sizeof(*words); j++)
			words[j] = (uint32_t)draw(&source, 0, UINT32_MAX);
		kept.next = draw(&source, 0, PVS_DEMAND_PIECES + 2);
		kept.filled = draw(&source, 0, 1);
		demand_read(&kept, draw(&source, 0, UINT32_MAX), &sample);
		CHECK_LE(sample.n, PVS_DEMAND_PIECES);
		CHECK_LE(demand_covered_permille(&sample, &rule), 1000);
		CHECK_LE(demand_share_permille(&sample, MS), 1000);
		CHECK_LE(demand_late_permille(&sample), 1000);
	}
}

/*
 * A host so busy that most wake-ups wait for longer than a period: the guest does the work of
 * several at once. The few that were prompt tell what one has.
 */
static void test_late_ones_are_left_out(void)
{
	uint64_t at_ns = S;

	begin();
	for (unsigned int i = 0; i < PVS_DEMAND_PIECES; i++, at_ns += 5 * MS) {
		if (i % 8 == 0)
			trace(&(struct wakeup){at_ns, 100 * US}, 0);
		else
			trace(&(struct wakeup){at_ns, 400 * US}, 4 * MS);
	}
	CHECK_GE(demand_burst_ns(read_sample()), 100 * US);
	CHECK_LE(demand_burst_ns(&sample), 120 * US);
	CHECK_INT(demand_late_permille(&sample), 875);
	/* where all were late, they are all that is known */
	begin();
	for (unsigned int i = 0; i < PVS_DEMAND_PIECES; i++, at_ns += 5 * MS)
		trace(&(struct wakeup){at_ns, 400 * US}, 4 * MS);
	CHECK_GE(demand_burst_ns(read_sample()), 400 * US);
}

/* No share covers what runs nearly always. */
static void test_too_much(void)
{
	struct source source = {.seed = 1, .period_ns = MS, .work_ns = 960 * US};

	generate(source, 2);
	trace_all();
	CHECK_INT(demand_share_permille(read_sample(), MS), 0);
}

/* One demand: the least burst and share, and what is computed of the sample. */
static void check_demand(uint64_t seed, double *worst)
{
	struct source source = source_draw(seed);
	uint64_t burst_ns, least_ns;
	uint32_t share, least;

	generate(source, 90);
	trace_all();
	read_sample();
	burst_ns = demand_burst_ns(&sample);
	share = demand_share_permille(&sample, burst_ns);
	least_ns = least_burst_ns();
	least = least_share(burst_ns);
	printf("  seed %2" PRIu64 ": each %5" PRIu64 " us for %4" PRIu64 " us, %s: burst %4" PRIu64
	       " us (least %4" PRIu64 "), share %3" PRIu32 " (least %3" PRIu32 "), covers %" PRIu32
	       "\n",
	       seed, source.period_ns / US, source.work_ns / US, source.off_ns ? "on, off" : "on",
	       burst_ns / US, least_ns / US, share, least, covered(burst_ns, share));
	CHECK_GE(burst_ns, least_ns);
	CHECK_LE(burst_ns, least_ns * 12 / 10);
	CHECK_GE(share * 10, least * 8);
	/* where few wake-ups decide, how many of these the sample has is chance */
	CHECK_LE(share * 10, least * (source.large_permille ? 13 : 12));
	CHECK_GE(covered(burst_ns, share), 985);
	if (!source.large_permille)
		*worst = MAX(*worst, (double)share / least);
}

static void test_drawn_demands(void)
{
	double worst = 0;

	for (uint64_t seed = 1; seed <= 60; seed++)
		check_demand(seed, &worst);
	printf("  the share is at most %.2f of the least one\n", worst);
}

TEST_MAIN(TEST(test_nothing_yet), TEST(test_what_is_kept), TEST(test_woken_twice),
          TEST(test_a_minute), TEST(test_weights), TEST(test_any_words),
          TEST(test_late_ones_are_left_out), TEST(test_too_much), TEST(test_drawn_demands))
