/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/match.h"
#include "util/cleanup.h"

#include "test.h"

#define UUID_A "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define UUID_B "00000000-0000-4000-8000-00000000000b"

static char message[1024]; /* of the last refuse() */

static int parse_text(const char *text, struct config **ret, char *error, size_t error_size)
{
	const struct config_text file = {"f", text, strlen(text)};

	return config_parse_all(&file, 1, ret, error, error_size);
}

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	int r = parse_text(text, &config, message, sizeof(message));

	if (r < 0)
		fprintf(stderr, "%s\n%s\n", text, message);
	CHECK_INT(r, 0);
	return config;
}

static void refuse(const char *text, const char *why)
{
	struct config *config = NULL;

	message[0] = '\0';
	CHECK_INT(parse_text(text, &config, message, sizeof(message)), -EBADMSG);
	CHECK(!config);
	CHECK_STR(message, why);
}

/* Refuses a value of a key of "host". */
static void refuse_host(const char *key, const char *value, const char *why)
{
	char text[256], all[512];

	snprintf(text, sizeof(text), "{\"version\":1,\n\"host\":{\n\"%s\":%s}}", key, value);
	snprintf(all, sizeof(all), "f:3: .host.%s: %s", key, why);
	refuse(text, all);
}

static void test_defaults(void)
{
	struct config *built_in CLEANUP(config_cleanup) = config_default();
	struct config *least CLEANUP(config_cleanup) = parse("{\"version\":1}");
	const struct config_host *host = config_host(least);
	struct config_choice choice;

	CHECK(built_in);
	CHECK(memcmp(config_host(built_in), host, sizeof(*host)) == 0);
	CHECK(host->enabled && !host->round_robin && !host->grant_rt_budget);
	CHECK_INT(host->metadata, CONFIG_METADATA_HONOUR);
	CHECK_INT(host->rt_priority, 1);
	CHECK_INT(host->caps.cpu_share_permille, 300);
	CHECK_INT(host->caps.cpu_burst_ns, 3 * NSEC_PER_MSEC);
	CHECK_INT(host->caps.domain_share_permille, 500);
	CHECK_INT(host->caps.domain_burst_ns, 2 * NSEC_PER_MSEC);
	CHECK_INT(host->caps.max_changes_per_s, 500);
	CHECK_INT(host->summary_interval_ns, 300 * NSEC_PER_SEC);
	CHECK(cpu_set_bits_empty(&host->housekeeping));
	CHECK(cpu_set_bits_empty(&host->booster_cpus));
	CHECK_STR(host->metrics_file, "");
	CHECK_INT(host->metrics_interval_ns, 15 * NSEC_PER_SEC);
	CHECK_INT(host->booster_wait, CONFIG_BOOSTER_WAIT_AUTO);
	config_choose(built_in, &(struct config_subject){.uuid = UUID_A, .name = "web"}, &choice);
	CHECK_INT(choice.match, CONFIG_MATCH_DEFAULT);
	CHECK_STR(choice.profile.name, "observe");
	CHECK_INT(choice.profile.mode, PROFILE_OBSERVE);
	CHECK_STR(choice.source, "built-in configuration: no entry, built-in default");
	CHECK_INT(config_profile(least, "latency")->mode, PROFILE_BOOST);
	CHECK_INT(config_profile(least, "off")->mode, PROFILE_OFF);
	CHECK(!config_profile(least, "Latency") && !config_profile(least, ""));
	CHECK(!config_free(NULL));
}

static void test_host(void)
{
	struct config *config CLEANUP(config_cleanup) =
	        parse("{\"version\":1,\"enabled\":false,\"summary_interval_s\":0,\"host\":{"
	              "\"cpu_share_permille\":950,\"cpu_burst_us\":20000,"
	              "\"domain_share_permille\":512000,\"domain_burst_us\":50,"
	              "\"max_changes_per_s\":10000,\"rt_policy\":\"rr\",\"rt_priority\":10,"
	              "\"grant_rt_budget\":true,\"housekeeping_cpus\":\"0,2-3\","
	              "\"metadata\":\"ignore\",\"discovery\":[\"procfs\",\"libvirt\"],"
	              "\"metrics_file\":\"/run/x/a.prom\",\"metrics_interval_s\":60,"
	              "\"booster_cpus\":\"1,4-5\",\"booster_wait\":\"io_uring\","
	              "\"qemu_executables\":[\"/opt/q\"],\"qemu_users\":[\"a\",\"7\"]}}");
	const struct config_host *host = config_host(config);

	CHECK(!host->enabled && host->round_robin && host->grant_rt_budget);
	CHECK_INT(host->rt_priority, 10);
	CHECK_INT(host->caps.cpu_share_permille, 950);
	CHECK_INT(host->caps.cpu_burst_ns, 20 * NSEC_PER_MSEC);
	CHECK_INT(host->caps.domain_share_permille, 512000);
	CHECK_INT(host->caps.domain_burst_ns, 50 * NSEC_PER_USEC);
	CHECK_INT(host->caps.max_changes_per_s, 10000);
	CHECK_INT(host->summary_interval_ns, 0);
	CHECK_INT(host->metadata, CONFIG_METADATA_IGNORE);
	CHECK_INT(host->n_discovery, 2);
	CHECK_INT(host->discovery[0], DOMAIN_SOURCE_PROCFS);
	CHECK_INT(host->qemu_executables.n, 1);
	CHECK_STR(host->qemu_executables.items[0], "/opt/q");
	CHECK_STR(host->qemu_users.items[1], "7");
	CHECK_STR(host->housekeeping_cpus, "0,2-3");
	CHECK_INT(cpu_set_bits_count(&host->housekeeping), 3);
	CHECK_INT(cpu_set_bits_count(&host->booster_cpus), 3);
	CHECK(cpu_set_bits_has(&host->booster_cpus, 4));
	CHECK_INT(host->booster_wait, CONFIG_BOOSTER_WAIT_IO_URING);
	CHECK_STR(host->metrics_file, "/run/x/a.prom");
	CHECK_INT(host->metrics_interval_ns, 60 * NSEC_PER_SEC);
}

#define PROM  "must be an absolute path that ends in \".prom\", or \"\""
#define WHOLE "must be a whole number from 1 to 10000, written without fraction and exponent"

static void test_host_refused(void)
{
	refuse_host("max_changes_per_s", "-1", "is -1; must be from 1 to 10000");
	refuse_host("max_changes_per_s", "10001", "is 10001; must be from 1 to 10000");
	refuse_host("max_changes_per_s", "4294967297", "is 4294967297; must be from 1 to 10000");
	refuse_host("max_changes_per_s", "1e400", WHOLE);
	refuse_host("max_changes_per_s", "1e2", WHOLE);
	refuse_host("max_changes_per_s", "1.5", WHOLE);
	refuse_host("max_changes_per_s", "9007199254740993",
	            "is beyond 2^53; must be from 1 to 10000");
	refuse_host("max_changes_per_s", "\"5\"", "must be a whole number, not a string");
	refuse_host("max_changes_per_s", "null", "must be a whole number, not null");
	refuse_host(
	        "cpu_share_permille", "951",
	        "is 951; must be from 1 to 950 (of any second a CPU gives real-time threads 700 at "
	        "most up to Linux 6.11, else 900, whatever its share)");
	refuse_host("rt_policy", "\"FIFO\"", "\"FIFO\" is not one of: fifo, rr");
	refuse_host("rt_policy", "1", "must be a string, not a number");
	refuse_host("grant_rt_budget", "1", "must be true or false, not a number");
	refuse_host("discovery", "\"procfs\"", "must be an array");
	refuse_host("discovery", "[]", "must not be empty");
	refuse("{\"version\":1,\"host\":{\"discovery\":[\"procfs\",\"procfs\"]}}",
	       "f:1: .host.discovery[1]: is listed twice; remove one");
	refuse("{\"version\":1,\"host\":{\"discovery\":[\"xen\"]}}",
	       "f:1: .host.discovery[0]: \"xen\" is not one of: libvirt, procfs");
	refuse("{\"version\":1,\"host\":{\"qemu_executables\":[\"/usr/bin/kvm\",\"kvm\"]}}",
	       "f:1: .host.qemu_executables[1]: is not an absolute path such as "
	       "\"/usr/bin/qemu-system-*\"");
	refuse("{\"version\":1,\"host\":{\"qemu_users\":[\"\"]}}",
	       "f:1: .host.qemu_users[0]: must have 1 to 255 bytes");
	refuse("{\"version\":1,\"host\":{\"qemu_users\":[0]}}",
	       "f:1: .host.qemu_users[0]: must be a string, not a number");
	refuse_host("housekeeping_cpus", "\"0-\"",
	            "\"0-\" is not a list of CPUs such as \"0,2-3\"");
	refuse_host("metrics_file", "\"a.prom\"", PROM);
	refuse_host("metrics_file", "\"/run/a.txt\"", PROM);
	refuse_host("metrics_file", "\"/run/.prom\"", PROM);
	refuse_host("metrics_file", "\"/run/.a.prom\"", PROM);
	refuse_host("metrics_file", "\"/\"", PROM);
	refuse_host("metrics_file", "7", "must be a string, not a number");
	refuse_host("metrics_interval_s", "0", "is 0; must be from 1 to 3600");
	refuse_host("housekeeping_cpus", "\"0-4096\"", "names a CPU above 4095");
	refuse_host("housekeeping_cpus", "[0]", "must be a string, not an array");
	refuse_host("booster_cpus", "\"3-1\"", "\"3-1\" is not a list of CPUs such as \"0,2-3\"");
	refuse_host("booster_cpus", "\"4096\"", "names a CPU above 4095");
	refuse_host("booster_wait", "\"poll\"", "\"poll\" is not one of: auto, epoll, io_uring");
	refuse_host("cpu_share_permile", "1",
	            "unknown key; known keys: cpu_share_permille, cpu_burst_us, "
	            "domain_share_permille, domain_burst_us, max_changes_per_s, rt_policy, "
	            "rt_priority, grant_rt_budget, housekeeping_cpus, metadata, guest_pages, "
	            "discovery, qemu_executables, qemu_users, booster_cpus, booster_wait, "
	            "booster_permille, metrics_file, metrics_interval_s, agents, compare");
	refuse_host("metadata", "\"obey\"", "\"obey\" is not one of: ignore, observe, honour");
	refuse_host("guest_pages", "\"bpf\"", "\"bpf\" is not one of: off, poll, auto");
	refuse_host("agents", "true", "must be a string, not true or false");
	refuse_host("agents", "\"on\"", "\"on\" is not one of: off, auto, listen");
	refuse_host("metadata", "true", "must be a string, not true or false");
}

static void test_version(void)
{
	refuse("{}", "f:1: .: the key \"version\" is missing; add \"version\": 1");
	refuse("[]", "f:1: .: must be an object, not an array");
	refuse("{\"new\":1,\n\"version\":2}", "f:2: .version: is 2; this pvschedd reads version 1: "
	                                      "the file was written for a newer pvschedd");
	refuse("{\"version\":0}", "f:1: .version: is 0; this pvschedd reads version 1");
	refuse("{\"version\":\"1\"}", "f:1: .version: must be a whole number, not a string");
	refuse("{\"Version\":1}", "f:1: .: the key \"version\" is missing; add \"version\": 1");
	refuse("{\"version\":1,\"Enabled\":1}", "f:1: .Enabled: unknown key; known keys: version, "
	                                        "enabled, host, summary_interval_s, "
	                                        "default_profile, profiles, domains");
	refuse("{\"version\":1}}", "f:1: column 14: expected the end of the text, found '}'");
	refuse("{\"version\":1,\n\"version\":1}", "f:2: .version: this key is already on line 1");
	refuse("{\"version\":1,\"$schema\":1}",
	       "f:1: .[\"$schema\"]: must be a string, not a number");
}

static void test_profiles(void)
{
	struct config *config CLEANUP(config_cleanup) =
	        parse("{\"version\":1,\"default_profile\":\"my-own\",\"profiles\":{\"//\":[\"x\"],"
	              "\"latency\":{\"share_permille\":250,\"mode\":\"boost\"},\"plain\":{},"
	              "\"my-own\":{\"$schema\":\"s\",\"mode\":\"boost\",\"burst_us\":50},"
	              "\"levers\":{\"levers\":[\"uclamp\",\"slice\"],\"slice_us\":700,"
	              "\"util_min\":1024,\"util_permille\":50},"
	              "\"quiet\":{\"mode\":\"off\"}}}");
	const struct profile *latency = config_profile(config, "latency");
	const struct profile *own = config_profile(config, "my-own");
	struct config_choice choice;

	CHECK_INT(latency->share_permille, 250);
	CHECK_INT(latency->burst_ns, 500 * NSEC_PER_USEC);
	CHECK_INT(own->mode, PROFILE_BOOST);
	CHECK_INT(own->share_permille, 200);
	CHECK_INT(own->burst_ns, 50 * NSEC_PER_USEC);
	CHECK_INT(config_profile(config, "plain")->mode, PROFILE_OBSERVE);
	CHECK_INT(config_profile(config, "quiet")->mode, PROFILE_OFF);
	CHECK_INT(own->levers, PROFILE_LEVER_RT | PROFILE_LEVER_SLICE);
	CHECK_U64(own->slice_ns, 100 * NSEC_PER_USEC);
	CHECK_INT(config_profile(config, "levers")->levers,
	          PROFILE_LEVER_SLICE | PROFILE_LEVER_UCLAMP);
	CHECK_U64(config_profile(config, "levers")->slice_ns, 700 * NSEC_PER_USEC);
	CHECK_INT(config_profile(config, "levers")->util_min, 1024);
	CHECK_INT(config_profile(config, "levers")->util_permille, 50);
	config_choose(config, &(struct config_subject){.name = NULL}, &choice);
	CHECK_STR(choice.profile.name, "my-own");
	CHECK_STR(choice.source, "f:1: .default_profile");
}

static void test_profiles_refused(void)
{
	refuse("{\"version\":1,\"profiles\":{\"off\":{}}}",
	       "f:1: .profiles.off: is built in and cannot be changed");
	refuse("{\"version\":1,\"profiles\":{\"observe\":{\"mode\":\"boost\"}}}",
	       "f:1: .profiles.observe.mode: the built-in profile observe keeps its mode "
	       "\"observe\"; for another mode, define a profile with another name");
	refuse("{\"version\":1,\"profiles\":{\"My\":{}}}",
	       "f:1: .profiles.My: a profile name has 1 to 31 characters from a-z, 0-9 and -");
	refuse("{\"version\":1,\"profiles\":{\"a2345678901234567890123456789012\":{}}}",
	       "f:1: .profiles.a2345678901234567890123456789012: a profile name has 1 to 31 "
	       "characters from a-z, 0-9 and -");
	refuse("{\"version\":1,\"profiles\":{\"a\":{\"mode\":\"on\"}}}",
	       "f:1: .profiles.a.mode: \"on\" is not one of: off, observe, boost, auto");
	refuse("{\"version\":1,\"profiles\":{\"a\":{\"burst_us\":49}}}",
	       "f:1: .profiles.a.burst_us: is 49; must be from 50 to 10000");
	refuse("{\"version\":1,\"profiles\":{\"a\":{\"share\":49}}}",
	       "f:1: .profiles.a.share: unknown key; known keys: mode, share_permille, burst_us, "
	       "burst_max_us, guest_requests, on_interrupt, levers, slice_us, util_min, "
	       "util_permille, avoid, yield_order, policy, help, helpers");
	refuse("{\"version\":1,\"profiles\":{\"auto\":{\"burst_us\":500}}}",
	       "f:1: .profiles.auto.burst_us: a profile of mode \"auto\" learns its burst; write "
	       "burst_max_us, the most that it may be");
	refuse("{\"version\":1,\"profiles\":{\"a\":{\"on_interrupt\":1}}}",
	       "f:1: .profiles.a.on_interrupt: must be true or false, not a number");
	refuse("{\"version\":1,\"profiles\":{\"a\":{\"levers\":\"rt\"}}}",
	       "f:1: .profiles.a.levers: must be an array of \"rt\", \"slice\" and \"uclamp\"");
	refuse("{\"version\":1,\"profiles\":{\"a\":{\"levers\":[]}}}",
	       "f:1: .profiles.a.levers: must be an array of \"rt\", \"slice\" and \"uclamp\"");
	refuse("{\"version\":1,\"profiles\":{\"a\":{\"levers\":[\"rt\",\"nice\"]}}}",
	       "f:1: .profiles.a.levers[1]: \"nice\" is not one of: rt, slice, uclamp");
	refuse("{\"version\":1,\"profiles\":{\"a\":{\"levers\":[\"rt\",\"rt\"]}}}",
	       "f:1: .profiles.a.levers[1]: is listed twice; remove one");
	refuse("{\"version\":1,\"profiles\":{\"a\":{\"slice_us\":99}}}",
	       "f:1: .profiles.a.slice_us: is 99; must be from 100 to 100000");
	refuse("{\"version\":1,\"profiles\":{\"a\":{\"util_min\":1025}}}",
	       "f:1: .profiles.a.util_min: is 1025; must be from 1 to 1024");
	refuse("{\"version\":1,\"profiles\":{\"a\":{\"util_permille\":0}}}",
	       "f:1: .profiles.a.util_permille: is 0; must be from 1 to 1000");
	refuse("{\"version\":1,\"profiles\":{\"a\":1}}",
	       "f:1: .profiles.a: must be an object, not a number");
	refuse("{\"version\":1,\"profiles\":[]}",
	       "f:1: .profiles: must be an object, not an array");
	refuse("{\"version\":1,\"default_profile\":\"fast\\u001b\",\"profiles\":{\"a\":{}}}",
	       "f:1: .default_profile: there is no profile \"fast\\u001b\"; profiles: off, "
	       "observe, "
	       "interactive, latency, auto, throughput, a");
}

static const char choices[] =
        "{\"version\":1,\n"
        "\"domains\":{\"//\":0,\"$schema\":\"s\",\n"
        "\"glob\":{\"*\":{\"profile\":\"off\"},\"db-*\":{\"profile\":\"interactive\"},\n"
        "\"db-?1\":{\"profile\":\"latency\",\"burst_us\":60},\"*b-x1\":{\"share_permille\":7},\n"
        "\"d?-x1\":{\"share_permille\":8}},\n"
        "\"name\":{\"web\":{\"profile\":\"latency\",\"share_permille\":150,\"burst_us\":300},\n"
        "\"a b:1\":{\"profile\":\"interactive\"}},\n"
        "\"uuid\":{\"6695EB01-f6a4-8304-79AA-97f2502e193f\":{\"profile\":\"observe\"}}}}";

static struct config_choice choose(const char *uuid, const char *name)
{
	struct config *config CLEANUP(config_cleanup) = parse(choices);
	struct config_choice choice;

	config_choose(config, &(struct config_subject){.uuid = uuid, .name = name}, &choice);
	return choice;
}

static void test_precedence(void)
{
	struct config_choice choice = choose(UUID_A, "web");

	CHECK_INT(choice.match, CONFIG_MATCH_UUID);
	CHECK_STR(choice.profile.name, "observe");
	CHECK_STR(choice.source, "f:8: .domains.uuid.6695EB01-f6a4-8304-79AA-97f2502e193f");
	choice = choose("6695EB01-F6A4-8304-79AA-97F2502E193F", "web");
	CHECK_INT(choice.match, CONFIG_MATCH_UUID);
	choice = choose(UUID_B, "web");
	CHECK_INT(choice.match, CONFIG_MATCH_NAME);
	CHECK_INT(choice.profile.share_permille, 150);
	CHECK_INT(choice.profile.burst_ns, 300 * NSEC_PER_USEC);
	CHECK_STR(choice.source, "f:6: .domains.name.web");
	choice = choose("not a uuid", "a b:1");
	CHECK_STR(choice.source, "f:7: .domains.name[\"a b:1\"]");
	CHECK_INT(choice.profile.share_permille, 100);
}

static void test_precedence_of_globs(void)
{
	struct config_choice choice = choose(NULL, "Web");

	CHECK_INT(choice.match, CONFIG_MATCH_GLOB);
	CHECK_STR(choice.profile.name, "off");
	choice = choose(UUID_B, "db-long");
	CHECK_STR(choice.source, "f:3: .domains.glob[\"db-*\"]");
	choice = choose(UUID_B, "db-y1");
	CHECK_STR(choice.source, "f:4: .domains.glob[\"db-?1\"]");
	CHECK_INT(choice.profile.burst_ns, 60 * NSEC_PER_USEC);
	CHECK_INT(choice.profile.share_permille, 200);
	/* Three globs with four literals match: the least string decides. */
	choice = choose(UUID_B, "db-x1");
	CHECK_STR(choice.source, "f:4: .domains.glob[\"*b-x1\"]");
	CHECK_STR(choice.profile.name, "observe");
	choice = choose(UUID_B, NULL);
	CHECK_INT(choice.match, CONFIG_MATCH_DEFAULT);
	CHECK_STR(choice.source, "f: no entry, built-in default");
}

static void test_domains_refused(void)
{
	refuse("{\"version\":1,\"domains\":{\"name\":{\n\"web\":{\n\"share_permile\":1}}}}",
	       "f:3: .domains.name.web.share_permile: unknown key; known keys: profile, "
	       "share_permille, burst_us, policy");
	refuse("{\"version\":1,\"domains\":{\"name\":{\"web\":{\"profile\":\"fast\"}}}}",
	       "f:1: .domains.name.web.profile: there is no profile \"fast\"; profiles: off, "
	       "observe, interactive, latency, auto, throughput");
	refuse("{\"version\":1,\"domains\":{\"name\":{\"web\":\"latency\"}}}",
	       "f:1: .domains.name.web: must be an object, not a string");
	refuse("{\"version\":1,\"domains\":{\"name\":{\"\":{}}}}",
	       "f:1: .domains.name[\"\"]: a domain name has 1 to 255 bytes");
	refuse("{\"version\":1,\"domains\":{\"glob\":{\"a[b\":{}}}}",
	       "f:1: .domains.glob[\"a[b\"]: a [ without a ]; write a literal [ as \\[ "
	       "(in JSON \\\\[)");
	refuse("{\"version\":1,\"domains\":{\"uuid\":{\"6695eb01\":{}}}}",
	       "f:1: .domains.uuid.6695eb01: is not a uuid such as "
	       "\"6695eb01-f6a4-8304-79aa-97f2502e193f\"; `virsh domuuid NAME` shows it");
	refuse("{\"version\":1,\"domains\":{\"uuid\":{\n\"" UUID_A "\":{},\n\"" UUID_B "\":{},\n"
	       "\"6695EB01-f6a4-8304-79aa-97f2502e193f\":{}}}}",
	       "f:4: .domains.uuid.6695EB01-f6a4-8304-79aa-97f2502e193f: the same uuid is already "
	       "on line 2; remove one of the entries");
}

static void test_globs(void)
{
	static const struct {
		const char *pattern, *yes, *no;
	} globs[] = {
	        {"*", "", NULL},
	        {"a*b*c", "a--b-c-b-c", "a--b-c-b"},
	        {"?", "\xc3\xa9", "ab"},
	        {"a?", "a\xf0\x9f\x98\x80", "a"},
	        {"[a-c]x", "bx", "dx"},
	        {"[!a-c]x", "\xc3\xa9x", "bx"},
	        {"[]-]", "]", "a"},
	        {"[a-]", "-", "b"},
	        {"\\*", "*", "a"},
	        {"\\\\", "\\", "\\\\"},
	        {"web", "web", "Web"},
	        {"*.db", "x.db", "x.dbs"},
	        {"**a", "ba", "ab"},
	        {"[ab][cd]", "ad", "a"},
	        {"a b:*", "a b:1", "a b"},
	        {"\xc3\xa9*", "\xc3\xa9t\xc3\xa9", "e"},
	        {"*[0-9]", "web9", "web9x"},
	};
	static const char *const bad[] = {
	        "", "[", "a[", "[]", "[!]", "[a", "[z-a]", "[\xc3\xa9]", "a\\",
	};

	for (size_t i = 0; i < ARRAY_SIZE(globs); i++) {
		CHECK_STR(glob_problem(globs[i].pattern), NULL);
		CHECK(glob_match(globs[i].pattern, globs[i].yes));
		CHECK(!globs[i].no || !glob_match(globs[i].pattern, globs[i].no));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(glob_problem(bad[i]));
	CHECK_INT(glob_literals("a*b?[x-z]\\*"), 3);
}

/* A pattern that sends backtracking matchers away for years. */
static void test_glob_is_bounded(void)
{
	char pattern[255], name[255];

	for (size_t i = 0; i < sizeof(pattern) - 2; i++)
		pattern[i] = i % 2 ? 'a' : '*';
	strcpy(pattern + sizeof(pattern) - 2, "b");
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CHECK_STR(glob_problem(pattern), NULL);
	CHECK(!glob_match(pattern, name));
}

/* --- Files --- */

static char *path_in(const char *dir, const char *name)
{
	char *path = NULL;

	CHECK(asprintf(&path, "%s/%s", dir, name) > 0);
	return path;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd CLEANUP(cleanup_fd) = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_INT(write(fd, text, strlen(text)), strlen(text));
	CHECK_INT(fchmod(fd, mode), 0);
}

static void check_load(const char *path, int expected, const char *why)
{
	struct config *config CLEANUP(config_cleanup) = NULL;

	message[0] = '\0';
	CHECK_INT(config_load(path, &config, message, sizeof(message)), expected);
	CHECK_CONTAINS(message, why);
	CHECK(!config == (expected != 0));
}

static void test_files(void)
{
	char dir[] = "/tmp/pvschedd-test-XXXXXX";
	char *path CLEANUP(cleanup_free) = NULL;

	CHECK(mkdtemp(dir));
	path = path_in(dir, "c.json");
	check_load(path, -ENOENT, "c.json: cannot be opened: No such file or directory");
	check_load(dir, -EINVAL, "is not a regular file");
	write_file(path, "{\"version\":1}", 0640);
	check_load(path, 0, "");
	write_file(path, "{\"version\":1}", 0666);
	check_load(path, -EPERM, "every user may write this file");
	write_file(path, "{\"version\":1,\n\"x\":1}", 0644);
	check_load(path, -EBADMSG, "c.json:2: .x: unknown key");
	write_file(path, "", 0644);
	check_load(path, -EBADMSG, "c.json:1: column 1: the text ends where a value is expected");
	CHECK_INT(truncate(path, CONFIG_FILE_MAX + 1), 0);
	check_load(path, -EFBIG, "is larger than 1048576 bytes");
	CHECK_INT(unlink(path), 0);
	CHECK_INT(mkfifo(path, 0600), 0);
	check_load(path, -EINVAL, "is not a regular file");
	CHECK_INT(unlink(path), 0);
	CHECK_INT(rmdir(dir), 0);
}

/* Whatever the place for the message: it is cut, never overrun. */
static void test_short_messages(void)
{
	static const char text[] = "{\"version\":1,\"x\":1}";
	struct config *config = NULL;

	for (size_t size = 1; size < 100; size++) {
		char *error CLEANUP(cleanup_free) = malloc(size);

		CHECK(error);
		CHECK_INT(parse_text(text, &config, error, size), -EBADMSG);
		CHECK(memchr(error, '\0', size));
		CHECK(config_load("/nonexistent/file", &config, error, size) < 0);
		CHECK(memchr(error, '\0', size));
	}
}

TEST_MAIN({"defaults", test_defaults}, {"host", test_host}, {"host refused", test_host_refused},
          {"version", test_version}, {"profiles", test_profiles},
          {"profiles refused", test_profiles_refused}, {"precedence", test_precedence},
          {"precedence of globs", test_precedence_of_globs},
          {"domains refused", test_domains_refused}, {"globs", test_globs},
          {"glob is bounded", test_glob_is_bounded}, {"files", test_files},
          {"short messages", test_short_messages})
