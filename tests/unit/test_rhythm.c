/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a sleeping vCPU will be woken again. Needs only src/core/.
 */
#include "core/rhythm.h"

#include "test.h"

#define US 1000ULL
#define MS 1000000ULL
#define S  1000000000ULL

static struct pvs_rhythm woken_every(__u64 period_ns, unsigned int n)
{
	struct pvs_rhythm rhythm = {};

	for (unsigned int i = 0; i < n; i++)
		pvs_rhythm_learn(&rhythm, S + i * period_ns);
	return rhythm;
}

static void test_nothing_known(void)
{
	struct pvs_rhythm rhythm = {};

	CHECK_U64(pvs_rhythm_next(&rhythm, S), 0);
	/* the first wake-up of all says nothing of a period */
	pvs_rhythm_learn(&rhythm, S);
	CHECK_U64(pvs_rhythm_next(&rhythm, S + US), 0);
}

static void test_regular(void)
{
	struct pvs_rhythm rhythm = woken_every(MS, 40);
	__u64 last = S + 39 * MS, next = pvs_rhythm_next(&rhythm, last + 500 * US);

	CHECK(next >= last + MS && next < last + MS + 200 * US);
	/* as late as that: it is not what was expected */
	CHECK_U64(pvs_rhythm_next(&rhythm, next), 0);
	CHECK_U64(pvs_rhythm_next(&rhythm, next + S), 0);
}

static void test_seldom(void)
{
	struct pvs_rhythm rhythm = woken_every(PVS_RHYTHM_MAX_NS, 10);

	CHECK_U64(pvs_rhythm_next(&rhythm, S + 9 * PVS_RHYTHM_MAX_NS + MS), 0);
}

static void test_sooner_is_learned_faster_than_later(void)
{
	struct pvs_rhythm rhythm = {.woken_ns = S, .period_ns = 4 * MS};

	pvs_rhythm_learn(&rhythm, S + 2 * MS);
	CHECK_U64(rhythm.period_ns, 3 * MS);
	rhythm = (struct pvs_rhythm){.woken_ns = S, .period_ns = 2 * MS};
	pvs_rhythm_learn(&rhythm, S + 10 * MS);
	CHECK_U64(rhythm.period_ns, 3 * MS);
}

/* Whatever the clock says, the next one lies ahead, and not further than the longest period. */
static void test_odd_clocks(void)
{
	static const __u64 odd[] = {0, 1, S, ~0ULL, ~0ULL - PVS_RHYTHM_MAX_NS, 1ULL << 63};

	for (unsigned int i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		for (unsigned int j = 0; j < sizeof(odd) / sizeof(*odd); j++) {
			struct pvs_rhythm rhythm = {.woken_ns = odd[i], .period_ns = MS};
			__u64 next;

			pvs_rhythm_learn(&rhythm, odd[j]);
			CHECK(rhythm.period_ns <= PVS_RHYTHM_MAX_NS);
			next = pvs_rhythm_next(&rhythm, odd[j]);
			CHECK(next == 0 || next - odd[j] <= PVS_RHYTHM_MAX_NS);
		}
	}
}

static void test_due_before_the_tokens_end(void)
{
	CHECK_U64(pvs_rhythm_due(S, 800 * US), S + 700 * US);
}

TEST_MAIN({"nothing_known", test_nothing_known}, {"regular", test_regular}, {"seldom", test_seldom},
          {"sooner_is_learned_faster_than_later", test_sooner_is_learned_faster_than_later},
          {"odd_clocks", test_odd_clocks},
          {"due_before_the_tokens_end", test_due_before_the_tokens_end})
