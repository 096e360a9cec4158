// SPDX-License-Identifier: GPL-2.0-or-later
/* The list of elevated slots. */
#include "boost/raised.h"

#include "test.h"

/* Every slot is where its place says, and nobody else is there. */
static void check(const struct raised *raised, const bool *expected)
{
	unsigned int n = 0;

	for (unsigned int slot = 0; slot < PVS_VCPUS_MAX; slot++) {
		CHECK_INT(raised_has(raised, slot), expected[slot]);
		n += expected[slot];
		if (expected[slot])
			CHECK_INT(raised->slots[raised->places[slot] - 1], slot);
	}
	CHECK_INT(raised->n, n);
}

static void test_adds_and_drops(void)
{
	static const unsigned int drops[] = {7, 4095, 0, 7, 3};
	static bool expected[PVS_VCPUS_MAX];
	static struct raised raised;

	check(&raised, expected);
	for (unsigned int slot = 0; slot < 8; slot++) {
		raised_add(&raised, slot);
		expected[slot] = true;
	}
	raised_add(&raised, PVS_VCPUS_MAX - 1);
	raised_add(&raised, 5); /* is there */
	expected[PVS_VCPUS_MAX - 1] = true;
	check(&raised, expected);
	for (size_t i = 0; i < ARRAY_SIZE(drops); i++) {
		raised_drop(&raised, drops[i]);
		expected[drops[i]] = false;
		check(&raised, expected);
	}
}

static void test_all(void)
{
	static bool expected[PVS_VCPUS_MAX];
	static struct raised raised;

	for (unsigned int slot = 0; slot < PVS_VCPUS_MAX; slot++) {
		raised_add(&raised, PVS_VCPUS_MAX - 1 - slot);
		expected[slot] = true;
	}
	check(&raised, expected);
	for (unsigned int slot = 0; slot < PVS_VCPUS_MAX; slot++) {
		raised_drop(&raised, slot);
		expected[slot] = false;
	}
	check(&raised, expected);
}

/* As the booster does: each is seen once, whatever becomes of it meanwhile. */
static void test_walk(void)
{
	static unsigned int seen[PVS_VCPUS_MAX];
	static struct raised raised;

	for (unsigned int slot = 0; slot < 100; slot++)
		raised_add(&raised, slot);
	for (unsigned int i = raised.n; i-- > 0;) {
		unsigned int slot = raised.slots[i];

		seen[slot]++;
		if (slot % 3)
			raised_drop(&raised, slot);
		if (slot % 3 == 1)
			raised_add(&raised, slot);
	}
	for (unsigned int slot = 0; slot < 100; slot++) {
		CHECK_INT(seen[slot], 1);
		CHECK_INT(raised_has(&raised, slot), slot % 3 != 2);
	}
}

TEST_MAIN({"adds_and_drops", test_adds_and_drops}, {"all", test_all}, {"walk", test_walk})
