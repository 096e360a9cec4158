/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of top: rates between two answers, their order, and what is printed. */
#include "ctl/top_rows.h"

#include <errno.h>

#include "ctl/verbs.h"
#include "test.h"
#include "util/cleanup.h"

#define ROW(uuid, boosts, boosted_ns, denied, p99)                                                 \
	"{\"domain\":\"" uuid "\",\"uuid\":\"" uuid                                                \
	"\",\"state\":\"running\",\"profile\":\"latency\","                                        \
	"\"reason\":\"within\",\"vcpus\":2,\"boosts_total\":" boosts ",\"boosted_ns\":" boosted_ns \
	",\"run_ns\":1000000000,\"wait_ns\":5,\"denied_sum\":" denied                              \
	",\"windows\":{\"now\":{\"seconds\":10,\"wait_us\":{\"p50\":4,\"p99\":" p99                \
	",\"max\":900,\"count\":9}},\"before\":{\"profile\":\"observe\",\"seconds\":99,"           \
	"\"wait_us\":{\"p50\":8,\"p99\":3328,\"max\":5000}}}}"

static const char before_json[] =
        "{\"taken_us\":1000000,\"rows\":[" ROW("a", "10", "0", "0", "40") "," ROW(
                "b", "5", "100", "7", "70") "," ROW("gone", "1", "1", "1", "1") "]}";
static const char now_json[] =
        "{\"taken_us\":3000000,\"rows\":[" ROW("new", "1", "1", "1", "5000") "," ROW(
                "a", "15", "200000000", "1", "41") "," ROW("b", "5", "100", "9", "70") "]}";

static struct json_doc *docs[2];
static struct top_rows rows;

static int make(const char *before, const char *now)
{
	struct json_error error;

	for (int i = 0; i < 2; i++) {
		const char *text = i ? now : before;

		json_free(docs[i]);
		docs[i] = NULL;
		if (text)
			CHECK_INT(json_parse(text, strlen(text), &docs[i], &error), 0);
	}
	top_rows_free(&rows);
	return top_rows_make(docs[0] ? json_root(docs[0]) : NULL, json_root(docs[1]), &rows);
}

static const char *printed_in(unsigned int width, size_t limit, bool json)
{
	static char *text;
	size_t size;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	if (json)
		CHECK_INT(top_rows_print_json(&rows, limit, out), 0);
	else
		top_rows_print(&rows, limit, width, out);
	fclose(out);
	return text;
}

static const char *printed(size_t limit, bool json)
{
	return printed_in(0, limit, json);
}

static void test_rates(void)
{
	CHECK_INT(make(before_json, now_json), 0);
	CHECK_INT(rows.n, 3);
	CHECK_INT(rows.took_us, 2000000);
	CHECK(!rows.of_vcpus);
	/* new: no rates yet */
	CHECK_INT(rows.rows[0].boosts_per_10s, -1);
	CHECK_INT(rows.rows[0].p99_us, 5000);
	CHECK_INT(rows.rows[0].before_p99_us, 3328);
	/* 5 boosts and 200 ms boosted in 2 s */
	CHECK_INT(rows.rows[1].boosts_per_10s, 25);
	CHECK_INT(rows.rows[1].boosted_permille, 100);
	CHECK_INT(rows.rows[1].run_permille, 0);
	CHECK_INT(rows.rows[1].denied_per_10s, 5);
	CHECK_INT(rows.rows[2].boosts_per_10s, 0);
	CHECK_INT(rows.rows[2].denied_per_10s, 10);
}

static void test_order(void)
{
	CHECK_INT(make(before_json, now_json), 0);
	top_rows_sort(&rows, TOP_SORT_WAIT);
	CHECK_INT(rows.rows[0].p99_us, 5000);
	CHECK_INT(rows.rows[1].p99_us, 70);
	top_rows_sort(&rows, TOP_SORT_BOOST);
	CHECK_INT(rows.rows[0].boosted_permille, 100);
	CHECK_INT(rows.rows[2].boosted_permille, -1);
	top_rows_sort(&rows, TOP_SORT_DENIED);
	CHECK_INT(rows.rows[0].denied_per_10s, 10);
}

/* What --sort offers is what top sorts by. */
static void test_sort_names(void)
{
	char offered[64] = "";

	for (int i = 0; i < _TOP_SORT_MAX; i++)
		snprintf(offered + strlen(offered), sizeof(offered) - strlen(offered), "%s%s",
		         i ? " " : "", top_sort_names[i]);
	CHECK_STR(ctl_options[CTL_OPTION_SORT].offers, offered);
}

static void test_first_look(void)
{
	CHECK_INT(make(NULL, now_json), 0);
	CHECK_INT(rows.took_us, -1);
	for (size_t i = 0; i < rows.n; i++)
		CHECK_INT(rows.rows[i].boosted_permille, -1);
	CHECK_CONTAINS(printed(0, false), "-  ");
}

/* A counter that went back, times that did not pass, nothing at all: no rate, and no crash. */
static void test_odd_answers(void)
{
	CHECK_INT(make(now_json, before_json), 0);
	CHECK_INT(rows.rows[0].boosts_per_10s, -1);
	CHECK_INT(make(now_json, now_json), 0);
	CHECK_INT(rows.rows[1].boosts_per_10s, -1);
	CHECK_INT(make(before_json, "{\"rows\":[{},7,{\"windows\":{\"now\":{\"wait_us\":3},"
	                            "\"before\":7}},{\"windows\":[]},{\"windows\":{\"now\":{"
	                            "\"wait_us\":{\"p99\":0,\"count\":0}}}}]}"),
	          0);
	CHECK_INT(rows.n, 5);
	CHECK_INT(rows.rows[4].p99_us, -1); /* no wait is no short one */
	printed(0, false);
	printed(0, true);
	CHECK_INT(make(before_json, "{\"rows\":[]}"), 0);
	CHECK_CONTAINS(printed(0, false), "No domain runs here");
	CHECK_INT(make(before_json, "{}"), -EBADMSG);
	CHECK_INT(make(before_json, "[]"), -EBADMSG);
	CHECK_INT(make("{\"taken_us\":1,\"rows\":[{\"uuid\":\"a\",\"run_ns\":0}]}",
	               "{\"taken_us\":2,\"rows\":[{\"uuid\":\"a\",\"run_ns\":9007199254740991}]}"),
	          0);
}

static void test_text(void)
{
	const char *text;

	CHECK_INT(make(before_json, now_json), 0);
	top_rows_sort(&rows, TOP_SORT_WAIT);
	text = printed(1, false);
	CHECK_CONTAINS(text, "DOMAIN  VCPUS  STATE    BOOST/s  BOOST%  READY%  p50 us   p99  max  "
	                     "BEFORE  DENY/s  WHY");
	CHECK_CONTAINS(text, "new");
	CHECK(!strstr(text, "\na "));
	CHECK_CONTAINS(text, "and 2 more\n");
	text = printed(0, false);
	CHECK_CONTAINS(
	        text,
	        "a           2  running      2.5    10.0     0.0       4    41  900    3328   "
	        "  0.5  within");
}

static size_t widest(const char *text)
{
	size_t most = 0;

	for (size_t length; *text; text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		most = MAX(most, length);
	}
	return most;
}

/* Every width has the state, the waits and the reason; the name gives way. */
static void test_widths(void)
{
	const char *text;

	CHECK_INT(make(before_json, now_json), 0);
	for (unsigned int width = 80; width <= 132; width++) {
		text = printed_in(width, 0, false);
		CHECK_LE(widest(text), width);
		CHECK_CONTAINS(text, "DENY/s");
		CHECK_CONTAINS(text, "within");
		CHECK_INT(!strstr(text, "BEFORE"), width < TOP_WIDTH_ALL);
	}
	CHECK_INT(make(NULL, "{\"rows\":[{\"domain\":\"A-name-that-has-"
	                     "forty-five-characters-and-more\",\"state\":\"migrating\","
	                     "\"reason\":\"housekeeping\",\"windows\":{\"now\":{\"wait_us\":{"
	                     "\"p50\":10240,\"p99\":163840,\"max\":2097152}}}},"
	                     "{\"domain\":\"\\u001b[2J\"}]}"),
	          0);
	text = printed_in(80, 0, false);
	CHECK_LE(widest(text), 80);
	CHECK_CONTAINS(text, "\nA-name");
	CHECK_CONTAINS(text, "10240 163840 2097152");
	CHECK_CONTAINS(text, "\\x1b[2J");
	CHECK_CONTAINS(text, "housekeeping\n");
	CHECK(!strchr(text, '\033'));
	CHECK_CONTAINS(printed(0, false), "-characters-and-more ");
}

static void test_json(void)
{
	CHECK_INT(make(before_json, now_json), 0);
	top_rows_sort(&rows, TOP_SORT_BOOST);
	CHECK_STR(printed(1, true),
	          "{\"seconds\":2,\"rows\":[{\"domain\":\"a\",\"uuid\":\"a\",\"state\":\"running\","
	          "\"profile\":\"latency\",\"reason\":\"within\",\"vcpus\":2,\"boosts_per_s\":2.5,"
	          "\"boosted_permille\":100,\"run_permille\":0,\"ready_permille\":0,"
	          "\"denied_per_s\":0.5,\"windows\":{\"now\":{\"wait_us\":{\"p50\":4,\"p99\":41,"
	          "\"max\":900},"
	          "\"seconds\":10},\"before\":{\"wait_us\":{\"p50\":8,\"p99\":3328,\"max\":5000},"
	          "\"profile\":\"observe\",\"seconds\":99}}}]}"
	          "\n");
}

TEST_MAIN(TEST(test_rates), TEST(test_order), TEST(test_sort_names), TEST(test_first_look),
          TEST(test_odd_answers), TEST(test_text), TEST(test_widths), TEST(test_json))
