// SPDX-License-Identifier: GPL-2.0-or-later
/* The audio thread of the test guest: which of its periods were missed. */
#include "../rig/guest/audio.h"

#include "test.h"

#define T0 (int64_t)1700000000123456789
#define MS (int64_t)1000000

static const struct audio fast = {96, 48000, 1, T0};

static void test_a_period_of_96_frames_takes_two_milliseconds(void)
{
	CHECK_INT(audio_due_ns(&fast, 0), T0);
	CHECK_INT(audio_due_ns(&fast, 7) - T0, 14 * MS);
	CHECK_INT(audio_deadline_ns(&fast, 7) - T0, 16 * MS);
	CHECK_INT(audio_due_ns(&(struct audio){96, 48000, 20, T0}, 1) - T0, 40 * MS);
}

/* 256 frames at 48 kHz are no whole number of nanoseconds: after an hour they still are in step. */
static void test_no_error_adds_up(void)
{
	static const struct audio odd = {256, 48000, 1, T0};

	CHECK_INT(audio_due_ns(&odd, 3) - T0, 16 * MS);
	CHECK_INT(audio_due_ns(&odd, 1) - T0, 5333333);
	CHECK_INT(audio_due_ns(&odd, 675000) - T0, 3600 * 1000 * MS);
}

static void test_limits_do_not_overflow(void)
{
	static const struct audio most = {1, AUDIO_RATE_MAX, 1, T0};
	static const struct audio slow = {AUDIO_FRAMES_MAX, AUDIO_RATE_MAX, AUDIO_SLOW_MAX, T0};
	int64_t end_ns = T0 + AUDIO_SECONDS_MAX * 1000 * MS;

	CHECK_INT(audio_due_ns(&most, (int64_t)AUDIO_SECONDS_MAX * AUDIO_RATE_MAX), end_ns);
	CHECK_INT(audio_open(&most, 0, end_ns), (int64_t)AUDIO_SECONDS_MAX * AUDIO_RATE_MAX - 1);
	CHECK(audio_deadline_ns(&slow, audio_open(&slow, 0, end_ns)) >= end_ns);
}

/* The deadline itself is no glitch, the nanosecond after it is. */
static void test_late_is_after_the_deadline(void)
{
	struct audio_count count = {0};

	CHECK_INT(audio_ended(&fast, &count, 4, T0 + 8 * MS + 600000), 5);
	CHECK_INT(audio_ended(&fast, &count, 5, T0 + 12 * MS), 6);
	CHECK_INT(count.periods, 2);
	CHECK_INT(count.glitches, 0);
	CHECK_INT(audio_ended(&fast, &count, 6, T0 + 14 * MS + 1), 7);
	CHECK_INT(count.periods, 3);
	CHECK_INT(count.glitches, 1);
	CHECK_INT(count.gaps, 1);
}

/* A stall of 9 ms: the device had nothing to play in four periods, and wants the fifth still. */
static void test_each_period_of_a_stall_is_missed(void)
{
	struct audio_count count = {0};
	int64_t next = audio_ended(&fast, &count, 10, T0 + 20 * MS + 9 * MS);

	CHECK_INT(next, 14);
	CHECK_INT(count.glitches, 4);
	CHECK_INT(count.gaps, 1);
	CHECK_INT(count.longest, 4);
	CHECK_INT(audio_ended(&fast, &count, next, T0 + 29 * MS + 600000), 15);
	CHECK_INT(count.periods, 5);
	CHECK_INT(count.glitches, 4);
}

/* What is late because the one before it was is the same gap; what is late later is another. */
static void test_gaps_end_with_a_period_in_time(void)
{
	struct audio_count count = {0};
	int64_t next = audio_ended(&fast, &count, 0, T0 + 3 * MS);

	CHECK_INT(next, 1);
	next = audio_ended(&fast, &count, next, T0 + 5 * MS);
	CHECK_INT(next, 2);
	CHECK_INT(count.gaps, 1);
	CHECK_INT(count.longest, 2);
	next = audio_ended(&fast, &count, next, T0 + 5500000);
	next = audio_ended(&fast, &count, next, T0 + 9 * MS);
	CHECK_INT(next, 4);
	CHECK_INT(count.gaps, 2);
	CHECK_INT(count.glitches, 3);
	CHECK_INT(count.longest, 2);
	CHECK_INT(count.periods, 4);
}

/* Whatever happens, each period is counted once, in its order. */
static void test_every_period_counts_once(void)
{
	static const struct audio odd = {512, 44100, 3, T0};
	struct audio_count count = {0};
	uint64_t seed = 1;
	int64_t period = 0, now = T0;

	for (int i = 0; i < 20000; i++) {
		int64_t due_ns = audio_due_ns(&odd, period), before = period;

		now = now < due_ns ? due_ns : now;
		seed = seed * 6364136223846793005 + 1442695040888963407;
		now += (int64_t)(seed >> 33) % (seed >> 63 ? 300 * MS : 40 * MS);
		period = audio_ended(&odd, &count, period, now);
		CHECK(period >= before);
		CHECK(audio_deadline_ns(&odd, period) >= now);
		CHECK_INT(count.periods, period);
	}
	CHECK(count.glitches > 0 && count.glitches < count.periods);
	CHECK(count.gaps <= count.glitches && count.longest >= 1);
}

TEST_MAIN(TEST(test_a_period_of_96_frames_takes_two_milliseconds), TEST(test_no_error_adds_up),
          TEST(test_limits_do_not_overflow), TEST(test_late_is_after_the_deadline),
          TEST(test_each_period_of_a_stall_is_missed), TEST(test_gaps_end_with_a_period_in_time),
          TEST(test_every_period_counts_once))
