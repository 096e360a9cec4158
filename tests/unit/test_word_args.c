/* SPDX-License-Identifier: GPL-2.0-or-later */

/* How long a word after a verb of pvschedctl may be. */

#include "ctl/word_args.h"

#include "test.h"

static void test_lengths(void)
{
	static const struct {
		enum ctl_word word;
		size_t max;
		const char *why;
	} table[] = {
	        {CTL_WORD_PROFILE, 31, "the name of a profile must be 1 to 31 bytes"},
	        {CTL_WORD_POLICY, 47, "the name of a policy must be 1 to 47 bytes"},
	        {CTL_WORD_DOMAIN, 255, "the name of a domain must be 1 to 255 bytes"},
	};
	char text[512];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		memset(text, 'a', sizeof(text));
		text[table[i].max + 1] = '\0';
		CHECK_CONTAINS(word_args_check(table[i].word, text), table[i].why);
		text[table[i].max] = '\0';
		CHECK(!word_args_check(table[i].word, text));
		CHECK_CONTAINS(word_args_check(table[i].word, ""), table[i].why);
		CHECK_CONTAINS(word_args_check(table[i].word, "\xff"), table[i].why);
	}
}

TEST_MAIN(TEST(test_lengths))
