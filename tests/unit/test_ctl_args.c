/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "ctl/args.h"
#include "ctl/help.h"
#include "test.h"

static struct ctl_args args;
static char error[512];

/** Parses the words up to NULL, as if typed after "pvschedctl". */
static int parse(char *const words[])
{
	char *argv[16] = {(char *)"pvschedctl"};
	int argc = 1;

	for (; *words; words++)
		argv[argc++] = *words;
	memset(&args, 0xff, sizeof(args));
	error[0] = '\0';
	return ctl_args_parse(argc, argv, &args, error, sizeof(error));
}

#define PARSE(...) parse((char *const[]){__VA_ARGS__, NULL})

static void test_verbs(void)
{
	CHECK_INT(PARSE("status"), 0);
	CHECK_INT(args.verb, CTL_STATUS);
	CHECK(!args.json && !args.persist && !args.domain && !args.profile);
	CHECK_INT(args.vcpu, -1);
	CHECK_STR(args.socket, CTL_SOCKET_DEFAULT);
	CHECK_STR(args.state_dir, CTL_STATE_DIR_DEFAULT);
	CHECK_INT(PARSE("list", "--json"), 0);
	CHECK(args.verb == CTL_LIST && args.json);
	CHECK_INT(PARSE("--socket", "/tmp/s", "show", "a b:1"), 0);
	CHECK(args.verb == CTL_SHOW);
	CHECK_STR(args.domain, "a b:1");
	CHECK_STR(args.socket, "/tmp/s");
	CHECK_INT(PARSE("release"), 0);
	CHECK(args.verb == CTL_RELEASE && !args.domain);
	CHECK_INT(PARSE("release", "web"), 0);
	CHECK_STR(args.domain, "web");
	CHECK_INT(PARSE("disable", "--state-dir=/tmp/x"), 0);
	CHECK_STR(args.state_dir, "/tmp/x");
	CHECK_INT(PARSE("doctor"), 0);
	CHECK_INT(PARSE("reload"), 0);
	CHECK_INT(PARSE("enable"), 0);
}

static void test_explain(void)
{
	CHECK_INT(PARSE("explain", "web", "--vcpu", "3"), 0);
	CHECK(args.verb == CTL_EXPLAIN && args.vcpu == 3);
	CHECK_INT(PARSE("explain", "--vcpu=0", "web"), 0);
	CHECK_INT(args.vcpu, 0);
	CHECK_INT(PARSE("explain", "web", "--vcpu", "512"), -EINVAL);
	CHECK_INT(PARSE("explain", "web", "--vcpu", "-1"), -EINVAL);
	CHECK_INT(PARSE("explain", "web", "--vcpu", "1x"), -EINVAL);
	CHECK_INT(PARSE("explain", "web", "--vcpu", ""), -EINVAL);
	CHECK_INT(PARSE("explain", "web", "--vcpu"), -EINVAL);
	CHECK_CONTAINS(error, "--vcpu needs a value");
	CHECK_INT(PARSE("show", "web", "--vcpu", "1"), -EINVAL);
	CHECK_CONTAINS(error, "--vcpu is no option of \"show\"");
}

static void test_policy(void)
{
	CHECK_INT(PARSE("policy", "get", "web"), 0);
	CHECK(args.verb == CTL_POLICY_GET);
	CHECK_STR(args.domain, "web");
	CHECK_INT(PARSE("policy", "set", "web", "latency", "--for", "10m"), 0);
	CHECK(args.verb == CTL_POLICY_SET);
	CHECK_STR(args.profile, "latency");
	CHECK_U64(args.for_s, 600);
	CHECK_INT(PARSE("policy", "set", "web", "latency", "--for", "500ms"), 0);
	CHECK_U64(args.for_s, 1);
	CHECK_INT(PARSE("policy", "set", "--persist", "web", "off"), 0);
	CHECK(args.persist);
	CHECK_INT(PARSE("policy", "set", "web", "off", "--persist", "--for=1s"), -EINVAL);
	CHECK_INT(PARSE("policy", "set", "web"), -EINVAL);
	CHECK_CONTAINS(error, "which profile");
	CHECK_INT(PARSE("policy", "set"), -EINVAL);
	CHECK_CONTAINS(error, "which domain");
	CHECK_INT(PARSE("policy"), -EINVAL);
	CHECK_CONTAINS(error, "\"unset\" or \"list\"");
	CHECK_INT(PARSE("policy", "assign", "web", "urgent-only@1", "--persist"), 0);
	CHECK(args.verb == CTL_POLICY_ASSIGN && args.persist && !args.profile);
	CHECK_STR(args.policy, "urgent-only@1");
	CHECK_INT(PARSE("policy", "assign", "web", "urgent-only", "--for", "1s"), -EINVAL);
	CHECK_INT(PARSE("policy", "assign", "web"), -EINVAL);
	CHECK_CONTAINS(error, "which policy?");
	CHECK_INT(PARSE("policies", "--json"), 0);
	CHECK(args.verb == CTL_POLICIES && args.json && !args.domain);
	CHECK_INT(PARSE("policies", "web"), -EINVAL);
	CHECK_INT(PARSE("policy", "unset", "web"), 0);
	CHECK(args.verb == CTL_POLICY_UNSET);
	CHECK_STR(args.domain, "web");
	CHECK_INT(PARSE("policy", "unset"), -EINVAL);
	CHECK_INT(PARSE("policy", "list", "--json"), 0);
	CHECK(args.verb == CTL_POLICY_LIST && args.json && !args.domain);
	CHECK_INT(PARSE("policy", "list", "web"), -EINVAL);
	CHECK_INT(PARSE("config"), 0);
	CHECK(args.verb == CTL_CONFIG);
	CHECK_INT(PARSE("config", "x"), -EINVAL);
	CHECK_INT(PARSE("policy", "put", "web"), -EINVAL);
	CHECK_INT(PARSE("policy", "set", "web", "a-name-of-more-than-thirty-two-bytes"), -EINVAL);
}

static void test_boost(void)
{
	CHECK_INT(PARSE("avoid", "web", "2-3"), 0);
	CHECK(args.verb == CTL_AVOID);
	CHECK_STR(args.vcpus, "2-3");
	CHECK_INT(PARSE("avoid", "web", "auto"), 0);
	CHECK_INT(PARSE("avoid", "web", "all"), -EINVAL);
	CHECK_CONTAINS(error, "which vCPUs?");
	CHECK_INT(PARSE("avoid", "web"), -EINVAL);
	CHECK_CONTAINS(error, "which vCPUs?");
	CHECK_INT(PARSE("avoid", "web", ""), -EINVAL);
	CHECK_INT(PARSE("boost", "web", "--vcpu", "3", "--for", "5ms"), 0);
	CHECK(args.verb == CTL_BOOST);
	CHECK_STR(args.domain, "web");
	CHECK_INT(args.vcpu, 3);
	CHECK_U64(args.for_us, 5000);
	CHECK_U64(args.for_s, 0);
	CHECK_INT(PARSE("boost", "web", "--for=250us"), 0);
	CHECK_U64(args.for_us, 250);
	CHECK_INT(args.vcpu, -1);
	CHECK_INT(PARSE("boost", "web"), -EINVAL);
	CHECK_CONTAINS(error, "--for 5ms");
	CHECK_INT(PARSE("boost", "--for", "5ms"), -EINVAL);
	CHECK_CONTAINS(error, "which domain");
	CHECK_INT(PARSE("boost", "web", "--for", "11s"), -EINVAL);
	CHECK_CONTAINS(error, "10 s at most");
	CHECK_INT(PARSE("boost", "web", "--for", "5"), -EINVAL);
	CHECK_INT(PARSE("boost", "web", "--for", "5ms", "--persist"), -EINVAL);
	CHECK_INT(PARSE("status", "--for", "5ms"), -EINVAL);
}

static void test_attach(void)
{
	CHECK_INT(PARSE("attach", "web"), 0);
	CHECK(args.verb == CTL_ATTACH && !args.live && !args.persist && !args.dry_run);
	CHECK_STR(args.domain, "web");
	CHECK_INT(PARSE("attach", "--live", "web", "--persist", "--dry-run", "--json"), 0);
	CHECK(args.live && args.persist && args.dry_run && args.json);
	CHECK_INT(PARSE("detach", "--live", "--", "-x"), 0);
	CHECK(args.verb == CTL_DETACH && args.live && !args.persist);
	CHECK_STR(args.domain, "-x");
	CHECK_INT(PARSE("attach"), -EINVAL);
	CHECK_CONTAINS(error, "which domain");
	CHECK_INT(PARSE("attach", "web", "db"), -EINVAL);
	CHECK_INT(PARSE("attach", "web", "--live=1"), -EINVAL);
	CHECK_INT(PARSE("attach", "web", "--for", "1s"), -EINVAL);
	CHECK_CONTAINS(error, "--for is no option of \"attach\"");
	CHECK_INT(PARSE("show", "web", "--live"), -EINVAL);
	CHECK_CONTAINS(error, "--live is no option of \"show\"");
	CHECK_INT(PARSE("policy", "set", "web", "off", "--dry-run"), 0);
	CHECK(args.dry_run && !args.absent && !args.name);
	CHECK_INT(PARSE("policy", "get", "web", "--dry-run"), -EINVAL);
}

static void test_status(void)
{
	CHECK_INT(PARSE("status"), 0);
	CHECK(args.columns.n == 0 && !args.long_form && !args.no_header);
	CHECK_INT(PARSE("status", "-l"), 0);
	CHECK(args.long_form);
	CHECK_INT(PARSE("status", "-o", "domain,P99,why", "--no-header"), 0);
	CHECK(args.no_header);
	CHECK_INT(args.columns.n, 3);
	CHECK_INT(args.columns.columns[1], STATUS_P99);
	CHECK_INT(PARSE("status", "-o", "domain,nonsense,why"), -EINVAL);
	CHECK_CONTAINS(error, "no column \"nonsense\"; --output takes, with commas: domain uuid");
	CHECK_INT(PARSE("status", "--output=domain,"), -EINVAL);
	CHECK_CONTAINS(error, "no column \"\"");
	CHECK_INT(PARSE("status", "-o", ""), -EINVAL);
	CHECK_INT(PARSE("status", "-o"), -EINVAL);
	CHECK_INT(PARSE("status", "-l", "-o", "why"), -EINVAL);
	CHECK_CONTAINS(error, "--output and --long exclude each other");
	CHECK_INT(PARSE("list", "-l"), -EINVAL);
}

static void test_probe(void)
{
	CHECK_INT(PARSE("doctor"), 0);
	CHECK(args.verb == CTL_DOCTOR && !args.probe && !args.report);
	CHECK_INT(PARSE("doctor", "--report", "bug.txt"), 0);
	CHECK_STR(args.report, "bug.txt");
	CHECK_INT(PARSE("doctor", "--probe", "--json"), 0);
	CHECK(args.probe && args.json);
	CHECK_INT(PARSE("status", "--probe"), -EINVAL);
	CHECK_CONTAINS(error, "--probe is no option of \"status\"");
}

static void test_looks(void)
{
	CHECK_INT(PARSE("top"), 0);
	CHECK(args.verb == CTL_TOP && !args.batch && !args.domain && !args.count && !args.limit);
	CHECK_U64(args.delay_ms, 2000);
	CHECK_INT(PARSE("top", "web", "-b", "-n", "3", "-d", "0.25", "--sort", "denied"), 0);
	CHECK(args.batch && args.count == 3 && args.sort == 2);
	CHECK_U64(args.delay_ms, 250);
	CHECK_STR(args.domain, "web");
	CHECK_INT(PARSE("watch", "--sort=boost", "--limit=5", "--delay=10"), 0);
	CHECK(args.verb == CTL_WATCH && args.sort == 1 && args.limit == 5);
	CHECK_U64(args.delay_ms, 10000);
	CHECK_INT(PARSE("watch", "-b"), -EINVAL);
	CHECK_CONTAINS(error, "--batch is no option of \"watch\"");
	CHECK_INT(PARSE("top", "-d"), -EINVAL);
	CHECK_CONTAINS(error, "--delay needs a value");
	CHECK_INT(PARSE("top", "--sort", "cpu"), -EINVAL);
	CHECK_CONTAINS(error, "--sort must be one of: wait boost denied");
	CHECK_INT(PARSE("top", "--sort", "wait boost"), -EINVAL);
	CHECK_INT(PARSE("top", "--sort", ""), -EINVAL);
}

static void test_latency(void)
{
	CHECK_INT(PARSE("latency"), -EINVAL);
	CHECK_INT(PARSE("latency", "web"), 0);
	CHECK(args.verb == CTL_LATENCY && !args.over_us && !args.for_ms && !args.plot);
	CHECK_INT(args.vcpu, -1);
	CHECK_INT(PARSE("latency", "web", "--vcpu", "2", "--for", "250ms", "--plot", "a.svg"), 0);
	CHECK(args.vcpu == 2 && args.for_ms == 250);
	CHECK_STR(args.plot, "a.svg");
	CHECK_INT(PARSE("latency", "web", "--for", "100us", "--over", "1500us"), 0);
	CHECK(args.for_ms == 1 && args.over_us == 1500);
	CHECK_INT(PARSE("latency", "web", "--over", "10s"), 0);
	CHECK_INT(PARSE("latency", "web", "--over", "11s"), -EINVAL);
	CHECK_INT(PARSE("latency", "web", "--over", "0"), -EINVAL);
	CHECK_INT(PARSE("latency", "web", "--over", ""), -EINVAL);
	CHECK_INT(PARSE("latency", "web", "--over", "1ms", "--plot", "a.svg"), -EINVAL);
	CHECK_CONTAINS(error, "--plot and --over exclude each other");
	CHECK_INT(PARSE("show", "web", "--over", "1ms"), -EINVAL);
}

static void test_recommend(void)
{
	CHECK_INT(PARSE("recommend"), 0);
	CHECK(args.verb == CTL_RECOMMEND && !args.domain && !args.all && !args.apply);
	CHECK_INT(PARSE("recommend", "web", "--apply", "--persist"), 0);
	CHECK(args.apply && args.persist);
	CHECK_STR(args.domain, "web");
	CHECK_INT(PARSE("recommend", "--all", "--apply"), 0);
	CHECK(args.all && args.apply && !args.persist);
	CHECK_INT(PARSE("recommend", "web", "--all"), -EINVAL);
	CHECK_CONTAINS(error, "exclude each other");
	CHECK_INT(PARSE("recommend", "--apply"), -EINVAL);
	CHECK_CONTAINS(error, "to which domain?");
	CHECK_INT(PARSE("recommend", "web", "--persist"), -EINVAL);
	CHECK_CONTAINS(error, "give both");
}

static void test_trial(void)
{
	CHECK_INT(PARSE("trial", "web"), 0);
	CHECK(args.verb == CTL_TRIAL && !args.profile && !args.plot && !args.follow && !args.stop);
	CHECK_U64(args.for_s + args.window_min_ms + args.window_max_ms, 0);
	CHECK_INT(PARSE("trial", "web", "--for", "10m", "--profile", "mine", "--window", "1s..3s"),
	          0);
	CHECK_U64(args.for_s, 600);
	CHECK_STR(args.profile, "mine");
	CHECK_U64(args.window_min_ms, 1000);
	CHECK_U64(args.window_max_ms, 3000);
	CHECK_INT(PARSE("trial", "--all", "--for", "1h", "--window=500ms"), 0);
	CHECK(args.all && args.window_min_ms == 500 && args.window_max_ms == 500);
	CHECK_INT(PARSE("trial", "web", "--follow", "--plot", "a.svg"), 0);
	CHECK(args.follow && strcmp(args.plot, "a.svg") == 0);
	CHECK_INT(PARSE("trial"), -EINVAL);
	CHECK_CONTAINS(error, "of which domain?");
	CHECK_INT(PARSE("trial", "web", "--all"), -EINVAL);
	CHECK_INT(PARSE("trial", "--all", "--stop"), -EINVAL);
	CHECK_INT(PARSE("trial", "--all", "--plot", "x"), -EINVAL);
	CHECK_INT(PARSE("trial", "web", "--stop", "--for", "10m"), -EINVAL);
	CHECK_CONTAINS(error, "give a domain alone");
	CHECK_INT(PARSE("trial", "web", "--stop", "--follow"), -EINVAL);
	CHECK_CONTAINS(error, "exclude each other");
	CHECK_INT(PARSE("status", "--profile", "x"), -EINVAL);
}

static void test_trial_windows(void)
{
	static const char *const bad[] = {"",        "5",         "5s..",      "..5s",
	                                  "20s..5s", "5s...6s",   "499ms..1s", "1s..601s",
	                                  "1s-3s",   "1s..2s..3s"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_INT(PARSE("trial", "web", "--window", (char *)bad[i]), -EINVAL);
		CHECK_CONTAINS(error, "--window must be");
	}
}

static void test_figures(void)
{
	static const char *const bursts[] = {"", "49us", "11ms", "500", "1s", "-1us"};
	static const char *const shares[] = {"", "0", "1001", "10%", "-5"};

	CHECK_INT(PARSE("policy", "set", "web", "latency", "--burst", "700us", "--share=250"), 0);
	CHECK_U64(args.burst_us, 700);
	CHECK_INT(args.share_permille, 250);
	CHECK_INT(PARSE("policy", "set", "web", "latency", "--burst", "1ms"), 0);
	CHECK_U64(args.burst_us, 1000);
	CHECK_INT(args.share_permille, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bursts); i++)
		CHECK_INT(PARSE("policy", "set", "web", "x", "--burst", (char *)bursts[i]),
		          -EINVAL);
	CHECK_CONTAINS(error, "from 50us to 10ms");
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++)
		CHECK_INT(PARSE("policy", "set", "web", "x", "--share", (char *)shares[i]),
		          -EINVAL);
	CHECK_CONTAINS(error, "from 1 to 1000");
	CHECK_INT(PARSE("show", "web", "--share", "100"), -EINVAL);
}

static void test_numbers(void)
{
	static const char *const delays[] = {"",   "0",      "0.05", "3601", "1s",
	                                     "-1", "1.2345", ".5",   "1.",   "99999"};
	static const char *const counts[] = {"", "0", "-1", "1000000", "1x", "1.5"};

	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		CHECK_INT(PARSE("top", "-d", (char *)delays[i]), -EINVAL);
		CHECK_CONTAINS(error, "seconds from 0.1 to 3600");
	}
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		CHECK_INT(PARSE("top", "-n", (char *)counts[i]), -EINVAL);
	CHECK_INT(PARSE("top", "-d", "3600", "-n", "999999"), 0);
	CHECK_INT(PARSE("top", "-d", "0.1"), 0);
	CHECK_U64(args.delay_ms, 100);
}

static void test_odd_names(void)
{
	char longest[257];

	CHECK_INT(PARSE("show", "--", "--json"), 0);
	CHECK_STR(args.domain, "--json");
	CHECK(!args.json);
	CHECK_INT(PARSE("show", "-"), 0);
	CHECK_STR(args.domain, "-");
	CHECK_INT(PARSE("show", ""), -EINVAL);
	CHECK_INT(PARSE("show", "\xff"), -EINVAL);
	CHECK_INT(PARSE("show", "Gr\xc3\xb6\xc3\x9f"
	                        "e"),
	          0);
	memset(longest, 'x', sizeof(longest));
	longest[256] = '\0';
	CHECK_INT(PARSE("show", longest), -EINVAL);
	longest[255] = '\0';
	CHECK_INT(PARSE("show", longest), 0);
}

static void test_wrong_usage(void)
{
	CHECK_INT(parse((char *const[]){NULL}), -EINVAL);
	CHECK_CONTAINS(error, "no command is given");
	CHECK_INT(PARSE("frobnicate"), -EINVAL);
	CHECK_STR(error, "there is no command \"frobnicate\"");
	CHECK_INT(PARSE("show"), -EINVAL);
	CHECK_INT(PARSE("show", "a", "b"), -EINVAL);
	CHECK_CONTAINS(error, "unexpected argument \"b\"");
	CHECK_INT(PARSE("a", "b", "c", "d", "e"), -EINVAL);
	CHECK_INT(PARSE("status", "--colour"), -EINVAL);
	CHECK_STR(error, "there is no option \"--colour\"");
	CHECK_INT(PARSE("status", "--json", "--json"), -EINVAL);
	CHECK_STR(error, "--json is given twice");
	CHECK_INT(PARSE("status", "--json=yes"), -EINVAL);
	CHECK_STR(error, "--json takes no value");
	CHECK_INT(PARSE("policy", "set", "web", "off", "--pe"), 0);
	CHECK(args.persist);
	CHECK_INT(PARSE("policy", "set", "web", "off", "--p"), -EINVAL);
	CHECK_STR(error, "\"--p\" may be --persist or --probe");
	CHECK_INT(PARSE("status", "-x"), -EINVAL);
	CHECK_STR(error, "there is no option \"-x\"");
	CHECK_INT(PARSE("--socket"), -EINVAL);
	CHECK_STR(error, "--socket needs a value");
}

static void check_meant(const char *given, const char *meant)
{
	char expected[128];

	CHECK_INT(PARSE((char *)given, "web"), -EINVAL);
	snprintf(expected, sizeof(expected), "did you mean \"%s\"?", meant);
	CHECK_CONTAINS(error, expected);
}

static void test_did_you_mean(void)
{
	check_meant("bost", "boost");
	check_meant("stauts", "status");
	check_meant("polciy", "policy");
	check_meant("dsiable", "disable");
	check_meant("hepl", "help");
	check_meant("--presist", "--persist");
	check_meant("--josn", "--json");
	/* too far away, or far too long */
	CHECK_INT(PARSE("x"), -EINVAL);
	CHECK(!strstr(error, "mean"));
	CHECK_INT(PARSE("a-word-that-is-longer-than-any-verb-could-be-called"), -EINVAL);
	CHECK(!strstr(error, "mean"));
}

static void test_help_and_version(void)
{
	CHECK_INT(PARSE("--help"), CTL_ARGS_HELP);
	CHECK_INT(args.verb, _CTL_VERB_MAX);
	CHECK_INT(PARSE("help"), CTL_ARGS_HELP);
	CHECK_INT(args.verb, _CTL_VERB_MAX);
	CHECK_INT(PARSE("help", "policy", "set"), CTL_ARGS_HELP);
	CHECK_INT(args.verb, CTL_POLICY_SET);
	CHECK_INT(PARSE("boost", "--help"), CTL_ARGS_HELP);
	CHECK_INT(args.verb, CTL_BOOST);
	CHECK_INT(PARSE("boost", "web", "-h"), CTL_ARGS_HELP);
	CHECK_INT(args.verb, CTL_BOOST);
	CHECK_INT(PARSE("-h", "nonsense"), -EINVAL);
	CHECK_INT(PARSE("help", "policy"), -EINVAL);
	CHECK_INT(PARSE("--version"), CTL_ARGS_VERSION);
	CHECK_INT(PARSE("-V"), CTL_ARGS_VERSION);
}

static char *help(enum ctl_verb verb)
{
	static char text[8192];
	FILE *out = fmemopen(text, sizeof(text), "w");

	memset(text, 0, sizeof(text));
	help_print(out, verb);
	fclose(out);
	return text;
}

/* Within 80 columns, and each verb with what it takes and two examples that can be parsed. */
static void test_help_texts(void)
{
	CHECK_CONTAINS(help(_CTL_VERB_MAX), "policy set DOM PROFILE [OPTION...]\n");
	CHECK_CONTAINS(help(_CTL_VERB_MAX), "  boost DOM [--vcpu N] --for TIME\n");
	CHECK_CONTAINS(help(_CTL_VERB_MAX), "  release [DOM]             end all boosts");
	CHECK_CONTAINS(help(_CTL_VERB_MAX), "  -h, --help  ");
	CHECK_CONTAINS(help(CTL_POLICY_SET),
	               "[--for TIME | --persist] [--burst TIME] [--share PERMILLE] [--dry-run]");
	CHECK_CONTAINS(help(CTL_DOCTOR), "Usage: pvschedctl doctor [--probe] [--report PATH]\n");
	for (int verb = 0; verb <= _CTL_VERB_MAX; verb++) {
		const char *text = help((enum ctl_verb)verb);

		for (size_t n; *text; text += n + (text[n] == '\n')) {
			n = strcspn(text, "\n");
			CHECK_LE(n, 80);
		}
	}
	for (int verb = 0; verb < _CTL_VERB_MAX; verb++) {
		const struct ctl_verb_info *info = &ctl_verbs[verb];

		CHECK(info->request && info->brief);
		for (int i = 0; i < CTL_EXAMPLES_MAX; i++) {
			char line[128], *words[8] = {NULL}, *save = NULL;
			size_t n = 0;

			snprintf(line, sizeof(line), "%s %s", info->name, info->examples[i][0]);
			line[strcspn(line, "|")] = '\0';
			for (char *w = strtok_r(line, " ", &save); w;
			     w = strtok_r(NULL, " ", &save))
				words[n++] = w;
			CHECK_INT(parse(words), 0);
			CHECK_INT(args.verb, verb);
			CHECK(info->examples[i][1]);
		}
	}
}

static void test_durations(void)
{
	static const char *const bad[] = {"",     "0s",   "10",    "s",     "-1s",
	                                  "1.5s", "10 s", "1d",    "10sec", "99999999999s",
	                                  "745h", "+1s",  "0x10s", "1S"};
	uint64_t ns = 0;

	CHECK_INT(ctl_duration_parse("500ms", &ns), 0);
	CHECK_U64(ns, 500 * NSEC_PER_MSEC);
	CHECK_INT(ctl_duration_parse("10s", &ns), 0);
	CHECK_U64(ns, 10 * NSEC_PER_SEC);
	CHECK_INT(ctl_duration_parse("10m", &ns), 0);
	CHECK_U64(ns, 600 * NSEC_PER_SEC);
	CHECK_INT(ctl_duration_parse("744h", &ns), 0);
	CHECK_U64(ns, 744 * 3600 * NSEC_PER_SEC);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(ctl_duration_parse(bad[i], &ns), -EINVAL);
}

TEST_MAIN({"verbs", test_verbs}, {"explain", test_explain}, {"policy", test_policy},
          {"boost", test_boost}, {"attach", test_attach}, TEST(test_status), {"probe", test_probe},
          TEST(test_looks), TEST(test_numbers), TEST(test_latency), TEST(test_recommend),
          TEST(test_trial), TEST(test_trial_windows), TEST(test_figures),
          {"odd_names", test_odd_names}, {"wrong_usage", test_wrong_usage},
          {"help_and_version", test_help_and_version}, TEST(test_help_texts),
          TEST(test_did_you_mean), {"durations", test_durations})
