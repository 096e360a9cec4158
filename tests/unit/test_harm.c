// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether boosts do harm, in virtual time: each test says how its vCPUs wait, boosted and not. */
#include "policy/harm.h"
#include "policy/harm_verdict.h"

#include <stdlib.h>

#include "test.h"

#define SEC   NSEC_PER_SEC
#define SLOTS 16
#define T0    (1000 * SEC)

/* What a world's vCPUs do. @boosted: so many vCPUs are, in all. */
typedef void wait_fn(unsigned int slot, bool boosted, unsigned int n_boosted, uint64_t now_ns);

static struct harm *harm;
static struct harm_counts counts[SLOTS];
static uint32_t holds[SLOTS];
static uint64_t random_state, off_ns, held_ns[SLOTS], looked_ns;
static unsigned int n_slots, most_steps;

static void read_counts(void *userdata, unsigned int slot, struct harm_counts *ret)
{
	(void)userdata;
	*ret = counts[slot];
}

static uint64_t below(uint64_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (random_state >> 33) % n;
}

static void waits(unsigned int slot, uint64_t us)
{
	counts[slot].waits[pvs_wait_bucket(us * NSEC_PER_USEC)]++;
}

/* One domain per vCPU, all on one set of CPUs, which give 600 permille. */
static void begin(unsigned int n, uint64_t seed)
{
	harm_free(harm);
	memset(counts, 0, sizeof(counts));
	memset(holds, 0, sizeof(holds));
	memset(held_ns, 0, sizeof(held_ns));
	random_state = seed;
	off_ns = 0;
	looked_ns = T0;
	n_slots = n;
	harm = harm_new(SLOTS, seed, read_counts, NULL);
	for (unsigned int i = 0; i < n; i++)
		CHECK_INT(harm_put(harm, i, i, 0), 0);
	harm_set_capacity(harm, 0, 600);
}

static void carry_out(void)
{
	uint32_t wanted;
	int slot = -1;

	while ((slot = harm_change(harm, slot, &wanted)) >= 0)
		holds[slot] = wanted;
}

static unsigned int count_boosted(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < n_slots; i++)
		n += !holds[i];
	return n;
}

/* A step of a millisecond, in which each vCPU wakes once. */
static void millisecond(wait_fn *fn, uint64_t now_ns)
{
	unsigned int n = count_boosted(), steps = 0;

	off_ns += holds[0] & POLICY_HOLD(POLICY_REASON_COMPARED) ? NSEC_PER_MSEC : 0;
	for (unsigned int i = 0; i < n_slots; i++) {
		held_ns[i] += holds[i] & POLICY_HOLD(POLICY_REASON_HARMFUL) ? NSEC_PER_MSEC : 0;
		counts[i].boosted_ns += holds[i] ? 0 : 50 * NSEC_PER_USEC;
		fn(i, !holds[i], n, now_ns);
	}
	if (now_ns >= looked_ns) {
		looked_ns = now_ns + 2 * SEC;
		harm_look(harm, now_ns);
	}
	while (harm_next_ns(harm) <= now_ns) {
		harm_step(harm, now_ns);
		most_steps = MAX(most_steps, ++steps);
		CHECK(steps < 100);
	}
	carry_out();
}

static uint64_t live(wait_fn *fn, uint64_t from_ns, uint64_t for_ns)
{
	uint64_t now_ns = from_ns;

	for (; now_ns < from_ns + for_ns; now_ns += NSEC_PER_MSEC)
		millisecond(fn, now_ns);
	return now_ns;
}

/* ---- what is compared ---- */

static void test_compare(void)
{
	uint32_t few[PVS_WAIT_BUCKETS] = {0}, early[PVS_WAIT_BUCKETS] = {0};
	uint32_t late[PVS_WAIT_BUCKETS] = {0};

	early[3] = 200;
	late[3] = 197;
	late[50] = 3;
	few[70] = 7;
	CHECK_INT(harm_compare(late, early), 1);
	CHECK_INT(harm_compare(early, late), -1);
	CHECK_INT(harm_compare(early, early), 0);
	CHECK_INT(harm_compare(few, early), 0);
	/* two of four hundred are no tail, and the mean tells; it does not where the tail says else
	 */
	late[50] = 2;
	late[3] = 400;
	CHECK_INT(harm_compare(late, early), 1);
	late[50] = 0;
	late[3] = 0;
	late[1] = 197;
	late[4] = 3;
	CHECK_INT(harm_compare(late, early), 0);
}

static void test_clear(void)
{
	CHECK(!harm_is_clear(0, 0));
	CHECK(!harm_is_clear(6, 0));
	CHECK(harm_is_clear(7, 0));
	CHECK(!harm_is_clear(0, 8));
	CHECK(harm_is_clear(14, 2));
	CHECK(!harm_is_clear(12, 4));
	CHECK(!harm_is_clear(32, 30));
}

/* ---- worlds ---- */

/* Whoever is boosted waits as if it were not. */
static void same(unsigned int slot, bool boosted, unsigned int n_boosted, uint64_t now_ns)
{
	(void)boosted;
	(void)n_boosted;
	(void)now_ns;
	waits(slot, below(50) ? 5 : 300 + below(3000));
}

static void test_same_and_same(void)
{
	uint64_t held = 0, all = 0;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		begin(4, seed);
		live(same, T0, 300 * SEC);
		for (unsigned int i = 0; i < n_slots; i++)
			held += held_ns[i], all += 300 * SEC;
		CHECK(off_ns <= 300 * SEC * HARM_OFF_PERMILLE / 1000 + HARM_OFF_BURST_NS + SEC / 2);
	}
	printf("# A/A: let alone for %llu permille of the time\n",
	       (unsigned long long)(held * 1000 / all));
	CHECK(held * 1000 <= 50 * all);
}

/* More than four boosted ones are too many: all that are not boosted wait for them. */
static void crowd(unsigned int slot, bool boosted, unsigned int n_boosted, uint64_t now_ns)
{
	(void)now_ns;
	if (n_boosted > 4 && below(10) == 0)
		waits(slot, 5000 + below(5000));
	else
		waits(slot, boosted ? 5 : 50 + below(200));
}

static void test_crowd_makes_room(void)
{
	uint64_t too_many = 0, now_ns = T0;
	unsigned int served = 0;

	begin(12, 1);
	now_ns = live(crowd, now_ns, 60 * SEC);
	for (unsigned int i = 0; i < 120000; i++, now_ns += NSEC_PER_MSEC) {
		millisecond(crowd, now_ns);
		too_many += count_boosted() > 4;
		served += count_boosted() > 0;
	}
	printf("# crowd: too many boosted for %llu of 120000 ms, any for %u\n",
	       (unsigned long long)too_many, served);
	CHECK(too_many <= 6000);
	CHECK(served >= 60000);
}

static void calm(unsigned int slot, bool boosted, unsigned int n_boosted, uint64_t now_ns)
{
	(void)n_boosted;
	(void)now_ns;
	waits(slot, boosted ? 5 : 50 + below(100));
}

/* What did harm is boosted again when it does none any more, in a minute or so each. */
static void test_comes_back(void)
{
	uint64_t now_ns;

	begin(6, 2);
	now_ns = live(crowd, T0, 30 * SEC);
	CHECK(count_boosted() < 6);
	now_ns = live(calm, now_ns, 600 * SEC);
	CHECK_INT(count_boosted(), 6);
	CHECK(harm_is_quiet(harm));
	CHECK_U64(harm_next_ns(harm), NSEC_NEVER);
}

/* Where no vCPU waits late nothing is tried. */
static void test_idle_costs_nothing(void)
{
	begin(4, 3);
	live(calm, T0, 60 * SEC);
	CHECK_U64(off_ns, 0);
	CHECK_U64(harm_next_ns(harm), NSEC_NEVER);
}

/* A load that changes every five seconds, and boosts that help with one of the two. */
static void turns(unsigned int slot, bool boosted, unsigned int n_boosted, uint64_t now_ns)
{
	(now_ns / (5 * SEC) % 2 ? crowd : calm)(slot, boosted, n_boosted, now_ns);
}

static void test_changing_load(void)
{
	uint64_t too_many = 0, now_ns = T0;

	begin(12, 4);
	now_ns = live(turns, now_ns, 60 * SEC);
	for (unsigned int i = 0; i < 120000; i++, now_ns += NSEC_PER_MSEC) {
		millisecond(turns, now_ns);
		too_many += count_boosted() > 4 && now_ns / (5 * SEC) % 2;
	}
	printf("# changing: too many boosted for %llu of 60000 ms\n", (unsigned long long)too_many);
	CHECK(too_many <= 9000);
}

/* ---- a hostile neighbour ---- */

/* Slot 0 is within its budget, and so never waits while it is boosted. All others have their vCPUs
 * wait while any is boosted, as they can tell, and not while none is. */
static void hostile(unsigned int slot, bool boosted, unsigned int n_boosted, uint64_t now_ns)
{
	(void)now_ns;
	if (slot == 0)
		waits(slot, boosted ? 5 : 500 + below(2000));
	else
		waits(slot, n_boosted ? 20000 : 5);
	if (slot == 0 && boosted)
		counts[0].boosted_ns -= 20 * NSEC_PER_USEC; /* 30 permille, less than its part */
}

static void test_victim_is_not_harmful(void)
{
	for (unsigned int n = 2; n <= 12; n += 5) {
		begin(n, n);
		live(hostile, T0, 300 * SEC);
		CHECK_U64(held_ns[0], 0);
		CHECK(held_ns[1] > 100 * SEC);
		CHECK(off_ns <= 300 * SEC * HARM_OFF_PERMILLE / 1000 + HARM_OFF_BURST_NS + SEC / 2);
	}
}

/* An ordinary thread keeps vCPUs waiting that are not boosted, when it likes. */
static void ordinary_neighbour(unsigned int slot, bool boosted, unsigned int n_boosted,
                               uint64_t now_ns)
{
	(void)now_ns;
	waits(slot, boosted ? 5 : n_boosted ? 9000 : 500);
}

static void test_boosted_vcpus_are_not_harmed(void)
{
	begin(2, 5);
	live(ordinary_neighbour, T0, 300 * SEC);
	CHECK_U64(held_ns[0] + held_ns[1], 0);
}

/* ---- needless ---- */

/* Slot 0 never waits late, whatever is done; slot 1 gains. */
static void one_of_two(unsigned int slot, bool boosted, unsigned int n_boosted, uint64_t now_ns)
{
	(void)n_boosted;
	(void)now_ns;
	waits(slot, slot == 0 ? 5 : boosted && below(100) ? 5 : 500 + below(1000));
}

static void both_wait(unsigned int slot, bool boosted, unsigned int n_boosted, uint64_t now_ns)
{
	(void)n_boosted;
	(void)now_ns;
	waits(slot, boosted && below(100) ? 5 : 2000);
}

static void test_needless(void)
{
	uint64_t now_ns, needless = 0;

	begin(2, 6);
	now_ns = live(one_of_two, T0, 60 * SEC);
	for (unsigned int i = 0; i < 60000; i++, now_ns += NSEC_PER_MSEC) {
		millisecond(one_of_two, now_ns);
		needless += !!(holds[0] & POLICY_HOLD(POLICY_REASON_NEEDLESS));
		CHECK(!(holds[1] & POLICY_HOLD(POLICY_REASON_NEEDLESS)));
	}
	printf("# needless for %llu of 60000 ms\n", (unsigned long long)needless);
	CHECK(needless > 0);
	now_ns = live(both_wait, now_ns, 30 * SEC);
	CHECK(!(holds[0] & POLICY_HOLD(POLICY_REASON_NEEDLESS)));
}

/* ---- who is compared ---- */

static void test_slots(void)
{
	struct harm_view view;

	begin(2, 7);
	CHECK(harm_read(harm, 0, &view));
	CHECK(!harm_read(harm, 5, &view));
	live(hostile, T0, 10 * SEC);
	CHECK(holds[1] & POLICY_HOLD(POLICY_REASON_HARMFUL));
	harm_drop(harm, 1, false);
	carry_out();
	CHECK_U64(holds[1], 0);
	CHECK(!harm_read(harm, 1, &view));
	CHECK_INT(harm_put(harm, 1, 1, 0), 0);
	CHECK(harm_read(harm, 1, &view));
	CHECK_U64(view.alone_total, 0);
	harm_drop(harm, 0, true);
	harm_drop(harm, 1, true);
	harm_drop(harm, 1, true);
	CHECK_U64(harm_next_ns(harm), NSEC_NEVER);
	carry_out();
}

TEST_MAIN(TEST(test_compare), TEST(test_clear), TEST(test_same_and_same),
          TEST(test_crowd_makes_room), TEST(test_comes_back), TEST(test_idle_costs_nothing),
          TEST(test_changing_load), TEST(test_victim_is_not_harmful),
          TEST(test_boosted_vcpus_are_not_harmed), TEST(test_needless), TEST(test_slots))
