/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Assertions for the unit tests, and the main() that runs a table of them:
 *
 *	static void test_adds(void)
 *	{
 *		CHECK(sum(1, 2) == 3);
 *		CHECK_INT(sum(1, 2), 3);
 *		CHECK_STR(name(), "web");
 *	}
 *
 *	TEST_MAIN(TEST(test_adds), TEST(test_other))
 *
 * One line per test ("ok NAME", "skipped NAME: why", "not ok NAME"); the last line counts them. The
 * first check that does not hold ends the program with status 1, since what follows would only be
 * its consequences. An argument on the command line runs the test of that name only.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
};

struct test_state {
	const char *name; /* of the running test */
	unsigned int passed;
	unsigned int skipped;
	bool skip; /* the running test asked to be skipped */
};

static struct test_state test_state;

static inline void test_summary(unsigned int failed)
{
	printf("%u passed, %u failed, %u skipped\n", test_state.passed, failed, test_state.skipped);
	fflush(stdout);
}

static inline void __attribute__((noreturn)) test_fail(void)
{
	fflush(stderr);
	printf("not ok %s\n", test_state.name ? test_state.name : "?");
	test_summary(1);
	exit(1);
}

/** Fails the test unless the condition holds. */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, \
			        #cond);                                                            \
			test_fail();                                                               \
		}                                                                                  \
	} while (0)

#define TEST_COMPARE_(a, op, b, type, format)                                                      \
	do {                                                                                       \
		type test_a_ = (type)(a);                                                          \
		type test_b_ = (type)(b);                                                          \
		if (!(test_a_ op test_b_)) {                                                       \
			fprintf(stderr,                                                            \
			        "%s:%d: %s: %s is %" format ", not " #op " %" format " (%s)\n",    \
			        __FILE__, __LINE__, __func__, #a, test_a_, test_b_, #b);           \
			test_fail();                                                               \
		}                                                                                  \
	} while (0)

/** Signed integers, shown when they differ from what was expected. */
#define CHECK_INT(a, b) TEST_COMPARE_(a, ==, b, intmax_t, PRIdMAX)

/** Unsigned integers: equal, at most, at least. */
#define CHECK_U64(a, b) TEST_COMPARE_(a, ==, b, uint64_t, PRIu64)
#define CHECK_LE(a, b)  TEST_COMPARE_(a, <=, b, uint64_t, PRIu64)
#define CHECK_GE(a, b)  TEST_COMPARE_(a, >=, b, uint64_t, PRIu64)

/** Zero terminated strings; NULL equals only NULL. */
#define CHECK_STR(a, b)                                                                            \
	do {                                                                                       \
		const char *test_a_ = (a);                                                         \
		const char *test_b_ = (b);                                                         \
		if (test_a_ == test_b_)                                                            \
			break;                                                                     \
		if (!test_a_ || !test_b_ || strcmp(test_a_, test_b_) != 0) {                       \
			fprintf(stderr, "%s:%d: %s: %s is\n  \"%s\", not\n  \"%s\" (%s)\n",        \
			        __FILE__, __LINE__, __func__, #a, test_a_ ? test_a_ : "(null)",    \
			        test_b_ ? test_b_ : "(null)", #b);                                 \
			test_fail();                                                               \
		}                                                                                  \
	} while (0)

/** The string contains the other one. */
#define CHECK_CONTAINS(a, b)                                                                       \
	do {                                                                                       \
		const char *test_a_ = (a);                                                         \
		const char *test_b_ = (b);                                                         \
		if (!test_a_ || !strstr(test_a_, test_b_)) {                                       \
			fprintf(stderr, "%s:%d: %s: %s is\n  \"%s\", without\n  \"%s\" (%s)\n",    \
			        __FILE__, __LINE__, __func__, #a, test_a_ ? test_a_ : "(null)",    \
			        test_b_, #b);                                                      \
			test_fail();                                                               \
		}                                                                                  \
	} while (0)

/** Leaves the test function at once: it cannot be run here. */
#define TEST_SKIP(why)                                                                             \
	do {                                                                                       \
		printf("skipped %s: %s\n", test_state.name, (why));                                \
		test_state.skip = true;                                                            \
		return;                                                                            \
	} while (0)

/** Built with a sanitizer: mlock() does nothing, and each function has more code and stack. */
#ifdef __SANITIZE_THREAD__
#define TEST_THREAD_SANITIZER true
#else
#define TEST_THREAD_SANITIZER false
#endif
#ifdef __SANITIZE_ADDRESS__
#define TEST_SANITIZED true
#else
#define TEST_SANITIZED TEST_THREAD_SANITIZER
#endif

static inline void test_run(const struct test *test)
{
	test_state.name = test->name;
	test_state.skip = false;
	test->run();
	if (test_state.skip) {
		test_state.skipped++;
	} else {
		test_state.passed++;
		printf("ok %s\n", test->name);
	}
	fflush(stdout);
}

static inline int test_run_all(const struct test *tests, size_t n, const char *only)
{
	for (size_t i = 0; i < n; i++)
		if (!only || strcmp(only, tests[i].name) == 0)
			test_run(&tests[i]);
	test_summary(0);
	return test_state.passed + test_state.skipped > 0 ? 0 : 1;
}

/* Of a function test_NAME: the test NAME. */
#define TEST(function)                                                                             \
	{                                                                                          \
#function + sizeof("test_") - 1, function                                          \
	}

#define TEST_MAIN(...)                                                                             \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		static const struct test tests[] = {__VA_ARGS__};                                  \
                                                                                                   \
		return test_run_all(tests, sizeof(tests) / sizeof(tests[0]),                       \
		                    argc > 1 ? argv[1] : NULL);                                    \
	}
