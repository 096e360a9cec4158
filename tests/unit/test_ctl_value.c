// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/value.h"

#include "test.h"

static void test_durations(void)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {{0, "0 us"},
	             {999999, "999 us"},
	             {1500000, "1.50 ms"},
	             {59900000000, "59.9 s"},
	             {61000000000, "1 min 1 s"},
	             {7500000000000, "2 h 5 min"}};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		format_duration(cases[i].ns, text, sizeof(text));
		CHECK_STR(text, cases[i].text);
	}
}

TEST_MAIN({"durations", test_durations})
