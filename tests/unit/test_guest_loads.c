// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loads of the test guest that are ours, run here: their arithmetic, and that they end. The
 * answers go into a string instead of a serial port.
 */
#include <stdarg.h>
#include <time.h>

#include "../rig/guest/chunks.h"
#include "../rig/guest/commands.h"
#include "test.h"

static char answers[1 << 20];
static size_t length;

static void say(const char *format, va_list args)
{
	int n = vsnprintf(answers + length, sizeof(answers) - length, format, args);

	CHECK(n >= 0 && (size_t)n < sizeof(answers) - length);
	length += (size_t)n;
}

void answer_part(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void answer(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	answer_part("\n");
}

void fail(const char *what, int error)
{
	answer("failed %s %d", what, error);
}

bool number(const char *word, long min, long max, long *ret)
{
	*ret = atol(word);
	return *ret >= min && *ret <= max;
}

/* The number after "NAME": in what was answered. */
static long answered(const char *name)
{
	char key[64];
	const char *found;

	snprintf(key, sizeof(key), "\"%s\":", name);
	found = strstr(answers, key);
	CHECK(found);
	return atol(found + strlen(key));
}

static void begin(void)
{
	length = 0;
	answers[0] = 0;
}

/* Never more than the latency, and less by at most one in 64. */
static void test_coarse(void)
{
	for (unsigned long us = 0; us < 10 * HISTOGRAM_US; us = us * 9 / 8 + 1) {
		CHECK_LE(summary_coarse(us), us);
		CHECK_LE(us - summary_coarse(us), us / 64);
	}
	CHECK_U64(summary_coarse(127), 127);
	CHECK_U64(summary_coarse(255), 254);
}

static void test_percentiles_of_what_was_merged(void)
{
	static struct summary one, other;

	for (int i = 0; i < 98; i++)
		summary_count(&one, 10000);
	summary_count(&other, 40000);
	summary_count(&other, 90000000); /* beyond the histogram */
	summary_merge(&one, &other);
	one.avg_us /= one.cycles;
	begin();
	summary_print(&one);
	CHECK_INT(answered("cycles"), 100);
	CHECK_INT(answered("avg_us"), (98 * 10 + 40 + 90000) / 100);
	CHECK_INT(answered("p50_us"), 10);
	CHECK_INT(answered("p99_us"), 40);
	CHECK_INT(answered("p999_us"), HISTOGRAM_US);
	CHECK_INT(answered("max_us"), 90000);
	CHECK_INT(answered("40"), 1);
}

static void fill(uint8_t *bytes, size_t n, uint32_t seed, uint32_t letters)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)((seed >> 16) % letters);
	}
}

/* All bytes are in a chunk, and what is put before them moves the cuts but for the first ones. */
static void test_cuts_follow_the_contents(void)
{
	static uint8_t bytes[200000], moved[200100];
	static bool cut[200100];
	size_t n = 0, met = 0;

	fill(bytes, sizeof(bytes), 1, 256);
	fill(moved, 100, 2, 256);
	memcpy(moved + 100, bytes, sizeof(bytes));
	for (size_t at = 0, chunk; at < sizeof(bytes); at += chunk, n++) {
		chunk = chunk_length(bytes + at, sizeof(bytes) - at);
		CHECK(chunk >= CHUNK_BYTES_MIN || at + chunk == sizeof(bytes));
		CHECK_LE(chunk, CHUNK_BYTES_MAX);
		cut[at + chunk] = true;
	}
	for (size_t at = 0, chunk; at < sizeof(moved); at += chunk) {
		chunk = chunk_length(moved + at, sizeof(moved) - at);
		met += at + chunk > 100 && cut[at + chunk - 100];
	}
	CHECK_GE(n, sizeof(bytes) / CHUNK_BYTES_MAX);
	CHECK_GE(met, n * 9 / 10);
	CHECK_U64(chunk_length(bytes, 7), 7);
}

static void test_hashes(void)
{
	static uint8_t bytes[1000];
	uint64_t first;

	fill(bytes, sizeof(bytes), 3, 256);
	first = chunk_hash(bytes, sizeof(bytes));
	CHECK(first == chunk_hash(bytes, sizeof(bytes)));
	bytes[999] ^= 1;
	CHECK(first != chunk_hash(bytes, sizeof(bytes)));
}

static void test_packing(void)
{
	static uint8_t bytes[CHUNK_BYTES_MAX];
	size_t noise, letters;

	fill(bytes, sizeof(bytes), 4, 256);
	noise = chunk_packed(bytes, sizeof(bytes));
	CHECK_GE(noise, sizeof(bytes));
	CHECK_LE(noise, sizeof(bytes) * 9 / 8 + 1);
	fill(bytes, sizeof(bytes), 4, 2);
	letters = chunk_packed(bytes, sizeof(bytes));
	CHECK_LE(letters, noise * 2 / 3);
	memset(bytes, 'a', sizeof(bytes));
	CHECK_LE(chunk_packed(bytes, sizeof(bytes)), 16U);
	CHECK_U64(chunk_packed(bytes, 0), 0);
}

/* Half of each block came before, and the other half is letters: about a third is left. */
static void test_pipeline(void)
{
	begin();
	do_pipeline((char *[]){"pipeline", "1"}, 2);
	CHECK(strncmp(answers, "# start\n# end\n", 14) == 0);
	CHECK_GE(answered("blocks"), 10);
	CHECK_GE(answered("us"), 1000000);
	CHECK_GE(answered("packed"), answered("blocks") * 16384 / 16);
	CHECK_LE(answered("packed"), answered("blocks") * 16384 / 2 + 100 * 16384);
}

/* Each request is one that was waited for, but for those at the end. */
static void test_wakers(void)
{
	begin();
	do_wakers((char *[]){"wakers", "2", "3", "100", "200", "1"}, 6);
	CHECK(strncmp(answers, "# start\n# end\n", 14) == 0);
	CHECK_GE(answered("requests"), 10);
	CHECK_INT(answered("cycles"), answered("requests"));
	CHECK_GE(answered("turns_per_ms"), 1000);
}

static void test_wrong_words(void)
{
	begin();
	do_pipeline((char *[]){"pipeline", "0"}, 2);
	do_wakers((char *[]){"wakers", "1", "1"}, 3);
	CHECK(strstr(answers, "failed pipeline") && strstr(answers, "failed wakers"));
}

TEST_MAIN(TEST(test_coarse), TEST(test_percentiles_of_what_was_merged),
          TEST(test_cuts_follow_the_contents), TEST(test_hashes), TEST(test_packing),
          TEST(test_pipeline), TEST(test_wakers), TEST(test_wrong_words))
