/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What status tells a person, and its columns for scripts. */
#include "ctl/render_overview.h"

#include <errno.h>

#include "ctl/args.h"
#include "test.h"

#define WINDOW(boosted, p99, count)                                                                \
	"{\"seconds\":11,\"boosted_permille\":" boosted                                            \
	",\"boosts\":3,\"wait_us\":{\"p50\":1,\"p99\":" p99 ",\"max\":9,\"count\":" count "}}"
#define GAINS "{\"now\":" WINDOW("125", "40", "9") ",\"before\":" WINDOW("0", "3328", "9") "}"
#define IDLES "{\"now\":" WINDOW("0", "0", "0") "}"
#define LOSES "{\"now\":" WINDOW("0", "5000", "1") ",\"before\":" WINDOW("0", "50", "1") "}"

static const char overview_json[] =
        "{\"enabled\":true,\"breaker\":\"closed\",\"caps\":{\"cpu_share_permille\":300},"
        "\"cpus\":[{},{},{},{}],\"domains\":["
        "{\"domain\":\"gains \\u001b[2J\",\"profile\":\"latency\",\"vcpus\":2,"
        "\"boosted_vcpus\":0,\"why\":\"budget\",\"windows\":" GAINS "},"
        "{\"domain\":\"a-name-of-an-instance-0123456789-0123456789-0123456789-0123456789\","
        "\"profile\":\"latency\",\"vcpus\":16,\"boosted_vcpus\":1,\"why\":\"\","
        "\"windows\":" IDLES "},{\"domain\":\"loses\",\"profile\":\"observe\",\"vcpus\":1,"
        "\"why\":\"profile\",\"windows\":" LOSES "}],"
        "\"wrong\":3,\"checks\":[{\"name\":\"libvirt\",\"status\":\"warn\",\"detail\":"
        "\"no libvirt daemon answers on this host, so domains of libvirt are not found until "
        "it is there\",\"fix\":\"systemctl start libvirtd\"},{\"name\":\"domain \\u001b[31m\","
        "\"status\":\"fail\",\"detail\":\"short\",\"fix\":\"\"}]}";

static const char *overview(struct ctl_args args, struct terminal terminal, const char *json)
{
	static char *text;
	struct json_error error;
	struct json_doc *doc = NULL;
	size_t size;
	FILE *out;

	CHECK_INT(json_parse(json, strlen(json), &doc, &error), 0);
	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	if (args.columns.n)
		render_domains(json_root(doc), &args.columns, !args.no_header, out, &terminal);
	else
		render_overview(json_root(doc), !args.no_header, out, &terminal);
	fclose(out);
	json_free(doc);
	return text;
}

/* What a person sees: 80 columns, whatever a domain is called. */
static void test_overview(void)
{
	const char *text = overview((struct ctl_args){0}, (struct terminal){0}, overview_json);

	CHECK_CONTAINS(text,
	               "On: 2 of 3 domains boosted; boosts take 3.1 % of 4 CPUs (cap 30.0 %)\n"
	               "\nDOMAIN                   VCPUS  PROFILE  BOOST%  p99 us  BEFORE us  "
	               "WHY NOT MORE\n");
	CHECK_CONTAINS(text,
	               "\ngains \\x1b[2J                2  latency    12.5      40       3328  "
	               "budget\n");
	CHECK_CONTAINS(text,
	               "\na-name-of-an-instance-0     16  latency     0.0       -          -  "
	               "-\n");
	CHECK_CONTAINS(text,
	               "\nloses                        1  observe     0.0    5000         50  "
	               "profile\n");
	CHECK_CONTAINS(text,
	               "\n\nwarn  libvirt: no libvirt daemon answers on this host, so domains "
	               "of libvirt are\n"
	               "      not found until it is there\n"
	               "      fix: systemctl start libvirtd\n"
	               "fail  domain \\x1b[31m: short\n"
	               "and 1 more: pvschedctl doctor\n");
	CHECK(!strstr(
	        overview((struct ctl_args){.no_header = true}, (struct terminal){0}, overview_json),
	        "DOMAIN"));
	CHECK_CONTAINS(
	        overview((struct ctl_args){0}, (struct terminal){.columns = 140}, overview_json),
	        "-0123456789-0123456789-0123456789-0123456789     16");
}

static void test_overview_on_a_terminal(void)
{
	const char *text =
	        overview((struct ctl_args){0}, (struct terminal){.columns = 80, .colors = true},
	                 overview_json);

	CHECK_CONTAINS(text, "\033[32mOn\033[0m: 2 of 3");
	CHECK_CONTAINS(text, "\033[32m    40\033[0m");
	CHECK_CONTAINS(text, "\033[31m  5000\033[0m");
	CHECK_CONTAINS(text, "\033[33mwarn\033[0m  libvirt");
	CHECK_CONTAINS(text, "\033[31mfail\033[0m  domain \\x1b[31m");
	CHECK(!strstr(text, "\033[2J"));
}

static void test_overview_of_odd_states(void)
{
	struct ctl_args args = {0};
	struct terminal none = {0};

	CHECK_STR(overview(args, none, "{}"),
	          "Off: nothing is boosted; 0 domains run\nNo domain runs here, or none was found "
	          "yet.\n");
	CHECK_CONTAINS(overview(args, none, "{\"enabled\":true,\"breaker\":\"open\"}"),
	               "On, but the circuit breaker is open: 0 of 0 domains boosted; boosts take "
	               "0.0 % of 0 CPUs (cap -)\n");
	CHECK_CONTAINS(
	        overview(args, none, "{\"enabled\":true,\"sources\":{\"bpf\":{\"ok\":false}}}"),
	        "On, without a tracer: nothing is measured or boosted\n");
	overview(args, none,
	         "{\"enabled\":true,\"domains\":[3,{\"windows\":[]},{\"windows\":{\"now\":7,"
	         "\"before\":{\"wait_us\":1}}}],\"checks\":[1,{}],\"cpus\":3,\"caps\":[]}");
	overview(args, none, "[1]");
	overview(args, none, "7");
}

static void test_columns(void)
{
	struct ctl_args args = {.no_header = true};
	const char *bad;
	size_t length;

	CHECK_INT(
	        status_columns_parse("domain,P99,before,was,boosts", &args.columns, &bad, &length),
	        0);
	/* for a script: nothing is cut, and nothing is said besides */
	CHECK_STR(
	        overview(args, (struct terminal){0}, overview_json),
	        "gains \\x1b[2J                                                          40       "
	        "3328  -         3\n"
	        "a-name-of-an-instance-0123456789-0123456789-0123456789-0123456789       -       "
	        "   -  -         3\n"
	        "loses                                                                5000       "
	        "  50  -         3\n");
	args.no_header = false;
	CHECK_CONTAINS(overview(args, (struct terminal){0}, overview_json),
	               "p99 us  BEFORE us  WAS  BOOSTS\n");
}

/* What -o offers are the columns that there are. */
static void test_column_names(void)
{
	struct status_columns all;
	char offered[256] = "", text[256];
	const char *bad;
	size_t length;

	for (int i = 0; i < _STATUS_COLUMN_MAX; i++)
		snprintf(offered + strlen(offered), sizeof(offered) - strlen(offered), "%s%s",
		         i ? " " : "", status_column_names[i]);
	CHECK_STR(ctl_options[CTL_OPTION_OUTPUT].offers, offered);
	for (char *c = strcpy(text, offered); *c; c++)
		*c = *c == ' ' ? ',' : *c;
	CHECK_INT(status_columns_parse(text, &all, &bad, &length), 0);
	CHECK_INT(all.n, _STATUS_COLUMN_MAX);
	overview((struct ctl_args){.columns = all}, (struct terminal){0}, overview_json);
	strcat(text, ",why");
	CHECK_INT(status_columns_parse(text, &all, &bad, &length), -E2BIG);
}

TEST_MAIN(TEST(test_overview), TEST(test_overview_on_a_terminal), TEST(test_overview_of_odd_states),
          TEST(test_columns), TEST(test_column_names))
