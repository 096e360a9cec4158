/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text tables: wide characters, hostile text, widths, colours. In the locale C, as of a service. */
#include "ctl/table.h"

#include "test.h"

static const struct table_column columns[] = {
        {"NAME", .cut = true}, {"N", .right = true}, {"TEXT", false}};

static struct table *make(const char *name)
{
	struct table *table = table_new(columns, ARRAY_SIZE(columns));

	CHECK(table);
	table_add(table, name);
	table_addf(table, "%d", 7);
	table_add(table, "x");
	table_add(table, "ab");
	table_add(table, "100");
	table_add(table, "");
	return table;
}

static const char *printed(struct table *table, struct table_style style)
{
	static char *text;
	size_t size;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	table_print_styled(table, out, &style);
	fclose(out);
	table_free(table);
	return text;
}

static void test_columns(void)
{
	CHECK_STR(printed(make("web"), (struct table_style){0}), "NAME    N  TEXT\n"
	                                                         "web     7  x\n"
	                                                         "ab    100  \n");
	CHECK_STR(printed(make("web"), (struct table_style){.narrow = true, .no_titles = true}),
	          "web    7 x\n"
	          "ab   100 \n");
	CHECK_STR(printed(table_new(columns, 3), (struct table_style){0}), "");
	CHECK_CONTAINS(printed(NULL, (struct table_style){0}), "out of memory");
}

/* Two columns for each CJK character, none for a combining accent. */
static void test_wide_characters(void)
{
	CHECK_STR(printed(make("\xe4\xbb\xae\xe6\x83\xb3\xe6\xa9\x9f"), (struct table_style){0}),
	          "NAME      N  TEXT\n"
	          "\xe4\xbb\xae\xe6\x83\xb3\xe6\xa9\x9f    7  x\n"
	          "ab      100  \n");
	CHECK_STR(printed(make("e\xcc\x81t\xc3\xa9"), (struct table_style){0}),
	          "NAME    N  TEXT\n"
	          "e\xcc\x81t\xc3\xa9     7  x\n"
	          "ab    100  \n");
}

static void test_hostile_text(void)
{
	const char *text =
	        printed(make("\033[31m\n\xff\xe2\x80\xae\\x41"), (struct table_style){0});

	CHECK_CONTAINS(text, "\n\\x1b[31m\\x0a\\xff\\xe2\\x80\\xae\\x41  ");
	CHECK_INT(strcspn(text, "\n"),
	          strlen("\\x1b[31m\\x0a\\xff\\xe2\\x80\\xae\\x41    N  TEXT"));
}

/* What may be cut is cut, between characters; without a width nothing is. */
static void test_width(void)
{
	static const char name[] = "a-long-name-\xe4\xbb\xae\xe6\x83\xb3";

	CHECK_CONTAINS(printed(make(name), (struct table_style){0}), name);
	CHECK_STR(printed(make(name), (struct table_style){.width = 25}),
	          "NAME              N  TEXT\n"
	          "a-long-name-\xe4\xbb\xae    7  x\n"
	          "ab              100  \n");
	CHECK_STR(printed(make(name), (struct table_style){.width = 24}),
	          "NAME             N  TEXT\n"
	          "a-long-name-     7  x\n"
	          "ab             100  \n");
}

static void test_colors(void)
{
	struct table *table = table_new(columns, 1);

	table_add(table, "good");
	table_color(table, "green");
	table_add(table, "plain");
	CHECK_STR(printed(table, (struct table_style){.colors = true}),
	          "NAME\n\033[32mgood\033[0m\nplain\n");
	table = table_new(columns, 1);
	table_add(table, "good");
	table_color(table, "green");
	CHECK_STR(printed(table, (struct table_style){0}), "NAME\ngood\n");
	table_color(NULL, "green");
}

TEST_MAIN(TEST(test_columns), TEST(test_wide_characters), TEST(test_hostile_text), TEST(test_width),
          TEST(test_colors))
