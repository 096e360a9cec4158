// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sample of a vCPU's wake-ups as the tracer keeps it, and burst and share that are computed
 * from it. What is right is found by a replay of all wake-ups, of which the sample has some. Links
 * src/policy alone.
 */
#include "demand_fixture.h"

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
	CHECK_INT(demand_share_permille(&sample), 0);
	CHECK_INT(demand_entitled_permille(&sample), 0);
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
	CHECK_LE(demand_burst_ns(read_sample(), 100), 120 * US);
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
		demand_read(&kept, draw(&source, 0, UINT32_MAX), &prices, &sample);
		CHECK_LE(sample.n, PVS_DEMAND_PIECES);
		CHECK_LE(demand_covered_permille(&sample, &rule), 1000);
		CHECK_LE(demand_share_permille(&sample), 1000);
		CHECK_LE(demand_entitled_permille(&sample), 1000);
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
	CHECK_GE(demand_burst_ns(read_sample(), 100), 100 * US);
	CHECK_LE(demand_burst_ns(&sample, 100), 140 * US);
	CHECK_INT(demand_late_permille(&sample), 875);
	/* where all were late, they are all that is known */
	begin();
	for (unsigned int i = 0; i < PVS_DEMAND_PIECES; i++, at_ns += 5 * MS)
		trace(&(struct wakeup){at_ns, 400 * US}, 4 * MS);
	CHECK_GE(demand_burst_ns(read_sample(), 100), 400 * US);
}

/*
 * A vCPU that is boosted, with tokens for most of its work: that which is late since it is more
 * counts, or it would seem to need no more than it has.
 */
static void test_late_ones_of_a_boosted_vcpu(void)
{
	uint64_t at_ns = S;

	begin();
	for (unsigned int i = 0; i < PVS_DEMAND_PIECES; i++, at_ns += 5 * MS) {
		bool large = i % 16 == 0;

		vcpu.flags = large ? 0 : PVS_FLAG_BOOSTED;
		trace(&(struct wakeup){at_ns, large ? 800 * US : 200 * US}, large ? MS : 0);
	}
	CHECK_GE(demand_burst_ns(read_sample(), 100), 800 * US);
	CHECK_LE(demand_burst_ns(&sample, 100), 960 * US);
	CHECK_INT(demand_late_permille(&sample), 62);
}

/* What a vCPU does with another profile is another sample. */
static void test_another_profile(void)
{
	struct wakeup w = {.at_ns = S, .work_ns = 100 * US};

	begin();
	vcpu.flags = PVS_FLAG_IMAGINED;
	for (unsigned int i = 0; i < 3 * PVS_DEMAND_PIECES; i++, w.at_ns += 5 * MS)
		trace(&w, 0);
	CHECK_INT(read_sample()->n, PVS_DEMAND_PIECES);
	vcpu.flags = PVS_FLAG_BOOSTED;
	w.work_ns = 200 * US;
	/* the next wake-up of which anything is kept comes within five seconds */
	for (unsigned int i = 0; i < 1000 + 300; i++, w.at_ns += 5 * MS)
		trace(&w, 0);
	CHECK_GE(read_sample()->n, 300);
	for (size_t i = 0; i < sample.n; i++)
		CHECK(sample.pieces[i].boosted && sample.pieces[i].work_ns >= 200 * US);
	vcpu.rule.share_permille = 150;
	w.work_ns = 400 * US;
	for (unsigned int i = 0; i < 1000 + 10; i++, w.at_ns += 5 * MS)
		trace(&w, 0);
	CHECK_GE(read_sample()->n, 10);
	for (size_t i = 0; i < sample.n; i++)
		CHECK(sample.pieces[i].work_ns >= 400 * US);
	begin();
}

/* A block has the fair entitlement that the vCPU had, at the price that follows from it. */
static void test_entitlement_is_kept(void)
{
	struct wakeup w = {.at_ns = S, .work_ns = 100 * US};

	begin();
	for (unsigned int i = 0; i < 3 * PVS_DEMAND_BLOCK; i++, w.at_ns += MS) {
		entitled_permille = i < PVS_DEMAND_BLOCK       ? 0
		                    : i < 2 * PVS_DEMAND_BLOCK ? 250
		                    : i % 2                    ? 100
		                                               : 300;
		trace(&w, 0);
	}
	read_sample();
	CHECK_INT(sample.pieces[0].entitled_permille, 1000);
	CHECK_INT(sample.pieces[PVS_DEMAND_BLOCK].entitled_permille, 250);
	/* 100 us cost as much as at 150 */
	CHECK_GE(sample.pieces[2 * PVS_DEMAND_BLOCK].entitled_permille, 149);
	CHECK_LE(sample.pieces[2 * PVS_DEMAND_BLOCK].entitled_permille, 151);
	CHECK_GE(demand_entitled_permille(&sample), 250);
	CHECK_LE(demand_entitled_permille(&sample), 260);
	entitled_permille = 0;
}

/* No share covers what runs nearly always. */
static void test_too_much(void)
{
	struct source source = {.seed = 1, .period_ns = MS, .work_ns = 960 * US};

	generate(source, 2);
	trace_all();
	CHECK_INT(demand_share_permille(read_sample()), 0);
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
	share = demand_share_permille(&sample);
	burst_ns = demand_burst_ns(&sample, share);
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
	CHECK_LE(share * 10, least * (source.large_permille ? 14 : 12));
	CHECK_GE(covered(burst_ns, share), 985);
	if (!source.large_permille)
		*worst = MAX(*worst, (double)share / least);
}

/*
 * On a host so busy that a vCPU is entitled to less than many a share: what is said of a profile
 * comes true, and so does what is recommended.
 */
static void test_price(void)
{
	struct source of_entitlement = {.seed = 77};
	unsigned int none = 0;
	int worst = 0;

	for (uint64_t seed = 101; seed <= 140; seed++) {
		struct source source = source_draw(seed);
		struct pvs_bucket_rule rule = {.burst_ns = 500 * US, .share_permille = 300};
		uint64_t burst_ns;
		uint32_t share;
		int off;

		entitled_permille = (uint32_t)draw(&of_entitlement, 60, 500);
		generate(source, 90);
		trace_all();
		share = demand_share_permille(read_sample());
		burst_ns = demand_burst_ns(&sample, share);
		off = (int)demand_covered_permille(&sample, &rule) -
		      (int)covered(rule.burst_ns, rule.share_permille);
		worst = MAX(worst, off);
		printf("  seed %" PRIu64 ": entitled %3" PRIu32 ": burst %4" PRIu64
		       " us, share %3" PRIu32 " covers %" PRIu32 "; another profile: off by %d\n",
		       seed, entitled_permille, burst_ns / US, share,
		       share ? covered(burst_ns, share) : 0, off);
		CHECK_LE(share, entitled_permille);
		none += !share;
		if (share)
			CHECK_GE(covered(burst_ns, share), 985);
	}
	entitled_permille = 0;
	printf("  %u of 40 get none; what a profile covers is said to be %d permille more at "
	       "most\n",
	       none, worst);
	CHECK_GE(none, 4);
	CHECK_LE(none, 30);
	/* where half of the wake-ups are covered, which ones the sample has is chance */
	CHECK_LE(worst, 50);
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
          TEST(test_late_ones_are_left_out), TEST(test_late_ones_of_a_boosted_vcpu),
          TEST(test_another_profile), TEST(test_entitlement_is_kept), TEST(test_price),
          TEST(test_too_much), TEST(test_drawn_demands))
