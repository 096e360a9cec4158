/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The heap of timers, against a plain array that is searched from end to end. */
#include "policy/timers.h"

#include "test.h"

static void test_empty(void)
{
	struct timers *timers = timers_new(4);
	unsigned int id = 77;

	CHECK(timers);
	CHECK_U64(timers_first(timers, &id), NSEC_NEVER);
	CHECK_U64(timers_first(timers, NULL), NSEC_NEVER);
	for (unsigned int i = 0; i < 4; i++)
		CHECK_U64(timers_get(timers, i), NSEC_NEVER);
	timers_set(timers, 3, NSEC_NEVER); /* taking out what is not in */
	CHECK_U64(timers_first(timers, NULL), NSEC_NEVER);
	CHECK(!timers_free(timers));
	CHECK(!timers_free(NULL));
}

static void test_replace_and_take_out(void)
{
	struct timers *timers = timers_new(3);
	unsigned int id;

	timers_set(timers, 0, 30);
	timers_set(timers, 1, 20);
	timers_set(timers, 2, 10);
	CHECK_U64(timers_first(timers, &id), 10);
	CHECK_INT(id, 2);
	timers_set(timers, 2, 40); /* later */
	CHECK_U64(timers_first(timers, &id), 20);
	CHECK_INT(id, 1);
	timers_set(timers, 0, 5); /* sooner */
	CHECK_U64(timers_first(timers, &id), 5);
	CHECK_INT(id, 0);
	timers_set(timers, 0, NSEC_NEVER);
	timers_set(timers, 1, NSEC_NEVER);
	CHECK_U64(timers_get(timers, 1), NSEC_NEVER);
	CHECK_U64(timers_first(timers, &id), 40);
	CHECK_INT(id, 2);
	timers_set(timers, 2, NSEC_NEVER);
	CHECK_U64(timers_first(timers, NULL), NSEC_NEVER);
	timers_set(timers, 1, 0); /* and in again */
	CHECK_U64(timers_first(timers, &id), 0);
	CHECK_INT(id, 1);
	timers_free(timers);
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void test_random(void)
{
	enum { N = 61 };
	struct timers *timers = timers_new(N);
	uint64_t model[N], state = 1;

	for (unsigned int i = 0; i < N; i++)
		model[i] = NSEC_NEVER;
	for (unsigned int step = 0; step < 50000; step++) {
		unsigned int id = (unsigned int)(next_random(&state) % N), first;
		uint64_t at = next_random(&state) % 100, least = NSEC_NEVER;

		if (at >= 60)
			at = NSEC_NEVER;
		timers_set(timers, id, at);
		model[id] = at;
		for (unsigned int i = 0; i < N; i++) {
			CHECK_U64(timers_get(timers, i), model[i]);
			least = MIN(least, model[i]);
		}
		CHECK_U64(timers_first(timers, &first), least);
		if (least != NSEC_NEVER)
			CHECK_U64(model[first], least);
	}
	timers_free(timers);
}

TEST_MAIN({"empty", test_empty}, {"replace_and_take_out", test_replace_and_take_out},
          {"random", test_random})
