// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said of a domain that has more of something than a table holds: each with its number. */
#include "daemon/left_out.h"

#include "test.h"

static void test_nothing(void)
{
	struct domain_left_out left_out = {0};
	char text[LEFT_OUT_TEXT] = "x";

	CHECK(!left_out_text(&left_out, text, sizeof(text)));
	CHECK_STR(text, "");
}

static void test_numbers(void)
{
	struct domain_left_out left_out = {.vcpus = 12, .threads = 104};
	char text[LEFT_OUT_TEXT];

	CHECK(left_out_text(&left_out, text, sizeof(text)));
	CHECK_CONTAINS(text, "12 vCPUs are left out: a domain may have 512");
	CHECK_CONTAINS(text, "; QEMU has 104 more threads than the 4096");
	left_out = (struct domain_left_out){.unproven = 7, .helpers = 8, .descriptors = true};
	CHECK(left_out_text(&left_out, text, sizeof(text)));
	CHECK_CONTAINS(text, "7 more threads have the name of a vCPU");
	CHECK_CONTAINS(text, "8 iothreads or vhost threads are not watched");
	CHECK_CONTAINS(text, "more descriptors than the 16384");
}

/* All of it with the largest numbers fits. */
static void test_room(void)
{
	struct domain_left_out left_out = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, true};
	char text[LEFT_OUT_TEXT], less[40];

	CHECK(left_out_text(&left_out, text, sizeof(text)));
	CHECK(strlen(text) < sizeof(text) - 1);
	CHECK(left_out_text(&left_out, less, sizeof(less)));
	CHECK(memcmp(less, text, sizeof(less) - 1) == 0);
}

TEST_MAIN(TEST(test_nothing), TEST(test_numbers), TEST(test_room))
