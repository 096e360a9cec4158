// SPDX-License-Identifier: GPL-2.0-or-later
/* How long real-time threads ran on a CPU in the last second. Needs only src/core/. */
#include "core/sheet.h"

#include <stdlib.h>

#include "util/base.h"

#include "test.h"

#define US       NSEC_PER_USEC
#define MS       NSEC_PER_MSEC
#define T0       (5 * NSEC_PER_SEC)
#define LIMIT_NS (700 * MS)
#define RUNS     3000

/* The most that a sheet covers. */
#define COVERS_NS (PVS_SHEET_PARTS * PVS_SHEET_PART_NS)

/* All that ran, to be counted one by one. */
struct history {
	size_t n;
	uint64_t from_ns[RUNS], to_ns[RUNS];
};

static uint64_t in_window(const struct history *h, uint64_t end_ns, uint64_t length_ns)
{
	uint64_t sum_ns = 0, begin_ns = end_ns - length_ns;

	for (size_t i = 0; i < h->n; i++) {
		uint64_t from_ns = MAX(h->from_ns[i], begin_ns), to_ns = MIN(h->to_ns[i], end_ns);

		sum_ns += to_ns > from_ns ? to_ns - from_ns : 0;
	}
	return sum_ns;
}

static uint64_t random_below(uint64_t limit)
{
	return ((uint64_t)random() << 31 | (uint64_t)random()) % limit;
}

static void add(struct history *h, struct pvs_sheet *sheet, uint64_t from_ns, uint64_t to_ns)
{
	h->from_ns[h->n] = from_ns;
	h->to_ns[h->n++] = to_ns;
	pvs_sheet_charge(sheet, to_ns, to_ns - from_ns);
}

/* At any time it counts no less than what ran in the last second, and no more than in 1.08 s. */
static void test_counts_any_second(void)
{
	for (unsigned int seed = 1; seed <= 20; seed++) {
		struct pvs_sheet sheet = {.limit_ns = (uint32_t)LIMIT_NS};
		struct history h = {0};
		uint64_t now_ns = T0;

		srandom(seed);
		while (h.n < RUNS / 10) {
			/* short ones, long ones over several parts; pauses, now and then long ones
			 */
			uint64_t run_ns = random_below(random() % 8 ? 5 * MS : 300 * MS);
			uint64_t idle_ns = random_below(random() % 50 ? 5 * MS : 2 * NSEC_PER_SEC);
			uint64_t used_ns;

			add(&h, &sheet, now_ns, now_ns + run_ns);
			now_ns += run_ns;
			for (unsigned int k = 0; k < 3; k++, now_ns += idle_ns / 3) {
				used_ns = pvs_sheet_used(&sheet, now_ns);
				CHECK(used_ns >= in_window(&h, now_ns, NSEC_PER_SEC));
				CHECK(used_ns <= in_window(&h, now_ns, COVERS_NS));
			}
		}
	}
}

/* Who runs only while there is something left, and asks again then, keeps the limit. */
static void test_keeps_the_limit_in_any_second(void)
{
	for (unsigned int seed = 1; seed <= 10; seed++) {
		struct pvs_sheet sheet = {.limit_ns = (uint32_t)LIMIT_NS};
		struct history h = {0};
		uint64_t now_ns = T0, most_ns = 0, end_ns = T0 + 20 * NSEC_PER_SEC;

		srandom(seed);
		while (h.n < RUNS && now_ns < end_ns) {
			int64_t left_ns = pvs_sheet_left(&sheet, now_ns);
			uint64_t want_ns = 1 + random_below(30 * MS);
			uint64_t run_ns = left_ns <= 0 ? 0 : MIN(want_ns, (uint64_t)left_ns);

			if (run_ns == 0) {
				now_ns = MAX(now_ns + 1, pvs_sheet_ready_at(&sheet, now_ns, 1));
				CHECK(pvs_sheet_left(&sheet, now_ns) > 0);
				continue;
			}
			add(&h, &sheet, now_ns, now_ns + run_ns);
			now_ns += run_ns + (random() % 4 ? 0 : random_below(3 * MS));
		}
		for (size_t i = 0; i < h.n; i++)
			for (uint64_t later = 0; later < 2; later++)
				most_ns = MAX(most_ns, in_window(&h, h.to_ns[i] + later * 500 * MS,
				                                 NSEC_PER_SEC));
		CHECK(most_ns <= LIMIT_NS);
		CHECK(most_ns > LIMIT_NS * 9 / 10); /* it would take more */
	}
}

static void test_a_run_over_parts(void)
{
	uint64_t start_ns = (T0 >> PVS_SHEET_SHIFT) << PVS_SHEET_SHIFT;
	struct pvs_sheet sheet = {0};

	/* from the middle of one part to the middle of another */
	pvs_sheet_charge(&sheet, start_ns + 4 * PVS_SHEET_PART_NS + 30 * MS,
	                 3 * PVS_SHEET_PART_NS + 50 * MS);
	CHECK_U64(sheet.used_ns, 3 * PVS_SHEET_PART_NS + 50 * MS);
	CHECK_U64(sheet.ns[((start_ns >> PVS_SHEET_SHIFT) + 4) % PVS_SHEET_PARTS], 30 * MS);
	CHECK_U64(sheet.ns[((start_ns >> PVS_SHEET_SHIFT) + 3) % PVS_SHEET_PARTS],
	          PVS_SHEET_PART_NS);
	CHECK_U64(sheet.ns[((start_ns >> PVS_SHEET_SHIFT) + 1) % PVS_SHEET_PARTS],
	          PVS_SHEET_PART_NS);
	CHECK_U64(sheet.ns[(start_ns >> PVS_SHEET_SHIFT) % PVS_SHEET_PARTS], 20 * MS);
	/* one of ten seconds fills it, and no more */
	pvs_sheet_charge(&sheet, start_ns + 20 * NSEC_PER_SEC, 10 * NSEC_PER_SEC);
	CHECK(sheet.used_ns >= NSEC_PER_SEC);
	CHECK(sheet.used_ns <= PVS_SHEET_PARTS * PVS_SHEET_PART_NS);
}

/* Nothing is charged for minutes; then the first charge begins anew. */
static void test_no_look_for_minutes(void)
{
	struct pvs_sheet sheet = {.limit_ns = (uint32_t)LIMIT_NS};

	pvs_sheet_charge(&sheet, T0, 500 * MS);
	CHECK_U64(pvs_sheet_used(&sheet, T0), 500 * MS);
	CHECK_U64(pvs_sheet_used(&sheet, T0 + 500 * NSEC_PER_SEC), 0);
	CHECK_U64(sheet.used_ns, 500 * MS); /* a look changes nothing */
	pvs_sheet_charge(&sheet, T0 + 600 * NSEC_PER_SEC, 2 * MS);
	CHECK_U64(pvs_sheet_used(&sheet, T0 + 600 * NSEC_PER_SEC), 2 * MS);
	CHECK_U64(pvs_sheet_used(&sheet, T0 + 602 * NSEC_PER_SEC), 0);
}

/* An earlier stretch is charged late: it goes where it belongs. */
static void test_late_charges(void)
{
	struct pvs_sheet sheet = {0};

	pvs_sheet_charge(&sheet, T0, MS);
	pvs_sheet_charge(&sheet, T0 - 200 * MS, MS);
	CHECK_U64(pvs_sheet_used(&sheet, T0), 2 * MS);
	CHECK_U64(pvs_sheet_used(&sheet, T0 + 800 * MS), 2 * MS);
	CHECK_U64(pvs_sheet_used(&sheet, T0 + 900 * MS), MS);
	CHECK_U64(pvs_sheet_used(&sheet, T0 + 1200 * MS), 0);
}

/* The monotonic clock never does; the sheet must not stay wrong if it did. */
static void test_clock_jumps(void)
{
	struct pvs_sheet sheet = {.limit_ns = (uint32_t)LIMIT_NS};

	pvs_sheet_charge(&sheet, T0 + 3600 * NSEC_PER_SEC, 300 * MS);
	pvs_sheet_charge(&sheet, T0, 2 * MS);
	CHECK_U64(pvs_sheet_used(&sheet, T0), 2 * MS);
	pvs_sheet_charge(&sheet, T0 + 100 * MS, 90 * MS);
	CHECK_U64(pvs_sheet_used(&sheet, T0 + 100 * MS), 92 * MS);
	CHECK_U64(pvs_sheet_used(&sheet, T0 + 1300 * MS), 0);
	/* a little back: what it counts is only too much */
	CHECK_U64(pvs_sheet_used(&sheet, T0 - 300 * MS), 92 * MS);
	/* the first charge after a boot, in the first part there is */
	sheet = (struct pvs_sheet){0};
	pvs_sheet_charge(&sheet, 2 * MS, MS);
	CHECK_U64(pvs_sheet_used(&sheet, 3 * MS), MS);
}

/* Charged twice by mistake, a part is still no longer than itself. */
static void test_no_part_is_fuller_than_long(void)
{
	struct pvs_sheet sheet = {0};

	for (int i = 0; i < 1000; i++)
		pvs_sheet_charge(&sheet, T0, 60 * MS);
	CHECK(sheet.used_ns <= 2 * PVS_SHEET_PART_NS);
}

static void test_ready_at(void)
{
	struct pvs_sheet sheet = {.limit_ns = (uint32_t)LIMIT_NS};
	uint64_t at_ns;

	CHECK_U64(pvs_sheet_ready_at(&sheet, T0, MS), T0);
	pvs_sheet_charge(&sheet, T0, 699 * MS);
	CHECK_U64(pvs_sheet_ready_at(&sheet, T0, MS), T0);
	at_ns = pvs_sheet_ready_at(&sheet, T0, 50 * MS);
	CHECK(at_ns > T0 + 300 * MS && at_ns < T0 + 500 * MS);
	CHECK(pvs_sheet_left(&sheet, at_ns) >= 50 * (int64_t)MS);
	CHECK(pvs_sheet_left(&sheet, at_ns - 1) < 50 * (int64_t)MS);
	/* all of it, if more is asked for than there is */
	at_ns = pvs_sheet_ready_at(&sheet, T0, 2 * NSEC_PER_SEC);
	CHECK_INT(pvs_sheet_left(&sheet, at_ns), LIMIT_NS);
	CHECK(at_ns < T0 + 1100 * MS);
	/* nothing is allowed at all: that ends, too */
	sheet.limit_ns = 0;
	CHECK(pvs_sheet_ready_at(&sheet, T0, MS) <= T0 + 1100 * MS);
	CHECK_INT(pvs_sheet_left(&sheet, T0 + 9 * NSEC_PER_SEC), 0);
}

TEST_MAIN(TEST(test_counts_any_second), TEST(test_keeps_the_limit_in_any_second),
          TEST(test_a_run_over_parts), TEST(test_no_look_for_minutes), TEST(test_late_charges),
          TEST(test_clock_jumps), TEST(test_no_part_is_fuller_than_long), TEST(test_ready_at))
