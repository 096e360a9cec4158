// SPDX-License-Identifier: GPL-2.0-or-later
/* A trial as a text and as a picture. */
#include "ctl/render_trial.h"
#include "ctl/trial_plot.h"

#include "test.h"

#define TRIAL(state, advice, more)                                                                 \
	"{\"domain\":\"web\",\"uuid\":\"u\",\"profile\":\"latency\",\"state\":\"" state            \
	"\",\"state_text\":\"It ended.\",\"for_ms\":600000,\"elapsed_ms\":125000,\"blocks\":9,"    \
	"\"off\":{\"waits\":90,\"p50_us\":{\"value\":39,\"low\":37,\"high\":41},"                  \
	"\"p99_us\":{\"value\":2414,\"low\":1900,\"high\":3100}},"                                 \
	"\"on\":{\"waits\":91,\"p99_us\":{\"value\":75,\"low\":70,\"high\":81}},"                  \
	"\"price\":{\"verdict\":\"low\",\"boosted_permille\":48,\"worst\":\"cpu-time\","           \
	"\"cpu-time\":{\"value\":12,\"low\":2,\"high\":21},"                                       \
	"\"threads\":{\"value\":-3,\"low\":-9,\"high\":4}},"                                       \
	"\"advice\":\"" advice "\",\"text\":\"It waits less.\"" more "}"

#define COMMAND ",\"command\":\"pvschedctl policy set web latency --persist\""

static struct json_doc *parse(const char *text)
{
	struct json_error error;
	struct json_doc *doc = NULL;

	CHECK_INT(json_parse(text, strlen(text), &doc, &error), 0);
	return doc;
}

/* What @render writes of a trial; until the next call. */
static const char *rendered(void (*render)(const struct json_value *, FILE *), const char *json)
{
	struct json_doc *doc = parse(json);
	static char text[65536];
	FILE *out = fmemopen(text, sizeof(text), "w");

	CHECK(out);
	render(json_root(doc), out);
	fclose(out);
	json_free(doc);
	return text;
}

static void test_verdict(void)
{
	const char *text = rendered(render_trial, TRIAL("clear", "recommend", COMMAND));

	CHECK_CONTAINS(text, "web: recommended. It waits less.\n");
	CHECK_CONTAINS(text, "\nIt ended.\nProfile latency, 2 min 5 s, 9 blocks of two windows\n");
	CHECK_CONTAINS(text, "\nBoosted for 4.8 % of a CPU in windows that boost.\n");
	CHECK_CONTAINS(text, "CPU time          1.2 %    2.1 %\n");
	CHECK_CONTAINS(text, "ordinary threads   none    0.4 %\n");
	CHECK_CONTAINS(text, "p99         2414  1900..3100    75  70..81\n");
	CHECK_CONTAINS(text, "For good: pvschedctl policy set web latency --persist\n");
	text = rendered(render_trial, TRIAL("time", "price-too-high", ""));
	CHECK_CONTAINS(text, "web: price too high.");
	CHECK(!strstr(text, "For good"));
	CHECK_CONTAINS(rendered(render_trial, TRIAL("running", "cannot-tell", "")),
	               "web: so far cannot tell.");
	/* an answer that lacks everything is no error, and what comes from outside is escaped */
	CHECK_CONTAINS(rendered(render_trial, "{\"domain\":\"a\\u001b[1m\"}"), "a\\x1b[1m: cannot");
}

static void test_held(void)
{
	CHECK_CONTAINS(rendered(render_trial,
	                        "{\"domain\":\"web\",\"state\":\"held\",\"state_text\":"
	                        "\"It ended.\",\"explanation\":\"A quota.\"}"),
	               "It ended. A quota.\n");
}

static void test_progress(void)
{
	CHECK_STR(rendered(render_trial_progress,
	                   TRIAL("running", "cannot-tell",
	                         ",\"window\":{\"boosts\":true,\"left_ms\":1}")),
	          "web: boosts, 7 min 55 s left; 9 blocks: p99 2414 -> 75 us, others lose 1.2 %");
	CHECK_STR(rendered(render_trial_progress, "{\"domain\":\"web\",\"for_ms\":2000,"
	                                          "\"elapsed_ms\":9000,\"blocks\":0}"),
	          "web: does not boost, less than 1 s left; 0 blocks");
	CHECK_CONTAINS(rendered(render_trial_progress, "{\"domain\":\"web\",\"for_ms\":20000,"
	                                               "\"elapsed_ms\":9000,\"blocks\":1}"),
	               " left; 1 block: p99");
}

static void print_two(const struct json_value *both, FILE *out)
{
	const struct json_value *trials[2] = {json_first(both), json_next(json_first(both))};

	CHECK(trial_compare(trials[0], trials[1]) > 0);
	CHECK(trial_compare(trials[1], trials[0]) < 0);
	CHECK_INT(trial_compare(trials[0], trials[0]), 0);
	render_trials(trials, 2, out);
}

static void test_several(void)
{
	const char *text = rendered(print_two, "[" TRIAL("time", "not-worth-it", "") "," TRIAL(
	                                               "clear", "recommend", COMMAND) "]");

	CHECK_CONTAINS(text, "DOMAIN  VERDICT       p99 us  WITH us   LOST  BOOSTED\n");
	CHECK_CONTAINS(text, "web     not worth it    2414       75  1.2 %    4.8 %\n");
	CHECK_CONTAINS(text, "\npvschedctl policy set web latency --persist\n");
}

/* Curves go down from all waits to none, within the axes; a name is no markup. */
static void test_plot(void)
{
	const char *text = rendered(
	        trial_plot, "{\"domain\":\"a<b>&c\",\"profile\":\"<l>\",\"off\":{\"p50_us\":"
	                    "{\"value\":8},\"p99_us\":{\"value\":900}},\"histogram\":["
	                    "{\"below_us\":10,\"off\":50,\"on\":100},"
	                    "{\"below_us\":1000,\"off\":40,\"on\":0},"
	                    "{\"below_us\":99999999,\"off\":10,\"on\":0}]}");

	CHECK_CONTAINS(text, "<title>a&lt;b&gt;&amp;c: how long it waits");
	CHECK_CONTAINS(text, "points=\"80.0,60.0 172.9,60.0 172.9,78.1 358.6,78.1 358.6,120.0 "
	                     "730.0,120.0 730.0,360.0\"");
	CHECK_CONTAINS(text, "points=\"80.0,60.0 172.9,60.0 172.9,360.0\"");
	CHECK_CONTAINS(text, ">without boosts: 100 waits; p50 8 us, p99 900 us<");
	CHECK_CONTAINS(text, ">with profile &lt;l&gt;: 100 waits<");
	CHECK_CONTAINS(text, "</svg>\n");
	CHECK_CONTAINS(rendered(trial_plot, "{}"), "</svg>\n");
}

TEST_MAIN(TEST(test_verdict), TEST(test_held), TEST(test_progress), TEST(test_several),
          TEST(test_plot))
