/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drop-ins: what is merged, what is replaced, who is named, and which files count. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/config.h"
#include "util/cleanup.h"
#include "util/json.h"

#include "test.h"

#define FILES_MAX 4
#define UUID_A    "6695eb01-f6a4-8304-79aa-97f2502e193f"

static char message[1024];

static int parse_all(const char *const texts[FILES_MAX], struct config **ret)
{
	static const char *const names[FILES_MAX] = {"main", "10-a", "20-b", "30-c"};
	struct config_text files[FILES_MAX];
	size_t n = 0;

	for (; n < FILES_MAX && texts[n]; n++)
		files[n] = (struct config_text){names[n], texts[n], strlen(texts[n])};
	message[0] = '\0';
	return config_parse_all(files, n, ret, message, sizeof(message));
}

static struct config *parse(const char *a, const char *b, const char *c)
{
	const char *const texts[FILES_MAX] = {a, b, c};
	struct config *config = NULL;
	int r = parse_all(texts, &config);

	CHECK_STR(message, "");
	CHECK_INT(r, 0);
	return config;
}

static void refuse(const char *a, const char *b, const char *c, const char *why)
{
	const char *const texts[FILES_MAX] = {a, b, c};
	struct config *config = NULL;

	CHECK_INT(parse_all(texts, &config), -EBADMSG);
	CHECK(!config);
	CHECK_STR(message, why);
}

/* --- JSON --- */

static struct json_doc *document(const char *text, unsigned int file)
{
	struct json_doc *doc = NULL;
	struct json_error error;

	CHECK_INT(json_parse(text, strlen(text), &doc, &error), 0);
	json_set_file(doc, file);
	return doc;
}

static void check_path(const struct json_value *value, unsigned int file, unsigned int line,
                       const char *wanted)
{
	char path[JSON_PATH_MAX];

	json_path(value, path, sizeof(path));
	CHECK_STR(path, wanted);
	CHECK_INT(json_file(value), file);
	CHECK_INT(json_line(value), line);
}

static void test_json(void)
{
	struct json_doc *docs[] = {
	        document("{\"a\":1,\n\"b\":{\"x\":[1,2,{\"k\":3}],\n\"y\":2},\"d\":{\"e\":1}}", 0),
	        document("{\"c\":{\"z\":[]},\n\"b\":{\"y\":{\"q\":[7,8]},\"w\":0},\"d\":5}", 1),
	        document("{\n\"d\":{\"f\":2}}", 2),
	};
	struct json_doc *merged = NULL;
	const struct json_value *root, *b;
	struct json_error error;

	CHECK_INT(
	        json_merge((const struct json_doc *const *)docs, ARRAY_SIZE(docs), &merged, &error),
	        0);
	root = json_root(merged);
	check_path(root, 2, 1, ".");
	check_path(json_first(root), 0, 1, ".a");
	b = json_member(root, "b");
	check_path(b, 1, 2, ".b");
	check_path(json_first(json_next(json_next(json_first(json_member(b, "x"))))), 0, 2,
	           ".b.x[2].k");
	check_path(json_next(json_first(json_member(json_member(b, "y"), "q"))), 1, 2, ".b.y.q[1]");
	check_path(json_member(b, "w"), 1, 2, ".b.w");
	check_path(json_first(json_member(root, "c")), 1, 1, ".c.z");
	/* a scalar in between takes away what was before it */
	CHECK(!json_member(json_member(root, "d"), "e"));
	check_path(json_member(json_member(root, "d"), "f"), 2, 2, ".d.f");
	CHECK(!json_next(json_member(root, "d")));
	json_free(merged);
	for (size_t i = 0; i < ARRAY_SIZE(docs); i++)
		json_free(docs[i]);
}

/* --- Merging --- */

static void test_per_key(void)
{
	struct config *config CLEANUP(config_cleanup) =
	        parse("{\"version\":1,\"host\":{\"rt_priority\":2,\"max_changes_per_s\":7},"
	              "\"profiles\":{\"own\":{\"mode\":\"boost\",\"burst_us\":60}},"
	              "\"summary_interval_s\":9}",
	              "{\"version\":1,\"host\":{\"rt_priority\":3,\"rt_policy\":\"rr\"}}",
	              "{\"version\":1,\"host\":{\"rt_priority\":4},\"enabled\":false,"
	              "\"profiles\":{\"own\":{\"share_permille\":11}}}");
	const struct config_host *host = config_host(config);
	const struct profile *own = config_profile(config, "own");

	CHECK_INT(host->rt_priority, 4);
	CHECK(host->round_robin && !host->enabled);
	CHECK_INT(host->caps.max_changes_per_s, 7);
	CHECK_INT(host->summary_interval_ns, 9 * NSEC_PER_SEC);
	CHECK_INT(own->mode, PROFILE_BOOST);
	CHECK_INT(own->burst_ns, 60 * NSEC_PER_USEC);
	CHECK_INT(own->share_permille, 11);
	CHECK_INT(config_n_files(config), 3);
}

static void test_sources(void)
{
	struct config *config CLEANUP(config_cleanup) =
	        parse("{\"version\":1,\n\"domains\":{\"name\":{\"web\":{\"profile\":\"latency\",\n"
	              "\"share_permille\":50}}}}",
	              "{\"version\":1,\"profiles\":{\"latency\":{\n\n\"burst_us\":70}}}",
	              "{\"version\":1,\"domains\":{\"name\":{\n\"web\":{\"share_permille\":40},\n"
	              "\"a b\":{\"burst_us\":80}}},\n\"default_profile\":\"interactive\"}");
	struct config_choice choice;

	config_choose(config, &(struct config_subject){.name = "web"}, &choice);
	CHECK_STR(choice.profile.name, "latency");
	CHECK_INT(choice.profile.share_permille, 40);
	CHECK_INT(choice.profile.burst_ns, 70 * NSEC_PER_USEC);
	CHECK_STR(choice.source, "20-b:2: .domains.name.web");
	CHECK_STR(choice.profile_source, "main:2: .domains.name.web.profile");
	CHECK_STR(choice.share_source, "20-b:2: .domains.name.web.share_permille");
	CHECK_STR(choice.burst_source, "10-a:3: .profiles.latency.burst_us");
	config_choose(config, &(struct config_subject){.name = "a b"}, &choice);
	CHECK_STR(choice.source, "20-b:3: .domains.name[\"a b\"]");
	CHECK_STR(choice.profile_source, "20-b:4: .default_profile");
	CHECK_STR(choice.share_source, "built in: profile interactive");
	CHECK_STR(choice.burst_source, "20-b:3: .domains.name[\"a b\"].burst_us");
	config_choose(config, &(struct config_subject){.name = "other"}, &choice);
	CHECK_STR(choice.profile.name, "interactive");
	CHECK_STR(choice.source, "20-b:4: .default_profile");
	CHECK_STR(choice.profile_source, "20-b:4: .default_profile");
	CHECK(config_choose_profile(config, "latency", "by hand", &choice));
	CHECK_STR(choice.source, "by hand");
	CHECK_STR(choice.profile_source, "by hand");
	CHECK_STR(choice.share_source, "built in: profile latency");
	CHECK_STR(choice.burst_source, "10-a:3: .profiles.latency.burst_us");
	CHECK(!config_choose_profile(config, "none", "by hand", &choice));
	CHECK_STR(choice.profile.name, "latency");
}

/* A reference may go before what it refers to, and to what another file defines. */
static void test_references(void)
{
	struct config *config CLEANUP(config_cleanup) = parse(
	        "{\"version\":1,\"default_profile\":\"late\"}",
	        "{\"version\":1,\"domains\":{\"uuid\":{\"" UUID_A "\":{\"profile\":\"late\"}}}}",
	        "{\"version\":1,\"profiles\":{\"late\":{\"mode\":\"boost\"}}}");
	struct config_choice choice;

	config_choose(config, &(struct config_subject){.uuid = UUID_A}, &choice);
	CHECK_INT(choice.match, CONFIG_MATCH_UUID);
	CHECK_INT(choice.profile.mode, PROFILE_BOOST);
	CHECK_STR(choice.share_source, "built in: profile observe");
}

/* Whether helpers follow: not, unless a file says so. */
static void test_helpers(void)
{
	struct config *config =
	        parse("{\"version\":1,\"profiles\":{\"a\":{\"helpers\":\"follow\"}}}",
	              "{\"version\":1,\"profiles\":{\"b\":{\"helpers\":\"follow\"}}}",
	              "{\"version\":1,\"profiles\":{\"b\":{\"helpers\":\"observe\"}}}");

	CHECK_INT(config_profile(config, "a")->helpers, PROFILE_HELPERS_FOLLOW);
	CHECK_INT(config_profile(config, "b")->helpers, PROFILE_HELPERS_OBSERVE);
	CHECK_INT(config_profile(config, "latency")->helpers, PROFILE_HELPERS_OBSERVE);
	config_free(config);
	refuse("{\"version\":1}", "{\"version\":1,\"profiles\":{\"a\":{\"helpers\":true}}}", NULL,
	       "10-a:1: .profiles.a.helpers: must be a string, not true or false");
	refuse("{\"version\":1}", "{\"version\":1,\"profiles\":{\"a\":{\"helpers\":\"boost\"}}}",
	       NULL, "10-a:1: .profiles.a.helpers: \"boost\" is not one of: observe, follow");
}

/* Whether guests step aside, and in which order: never, and in the middle, unless a file says so.
 */
static void test_avoid(void)
{
	struct config *config = parse("{\"version\":1,\"profiles\":{\"a\":{\"avoid\":\"auto\"}}}",
	                              "{\"version\":1,\"profiles\":{\"a\":{\"yield_order\":0},"
	                              "\"b\":{\"avoid\":\"never\",\"yield_order\":100}}}",
	                              NULL);

	CHECK_INT(config_profile(config, "a")->avoid, PROFILE_AVOID_AUTO);
	CHECK_INT(config_profile(config, "a")->yield_order, 0);
	CHECK_INT(config_profile(config, "b")->avoid, PROFILE_AVOID_NEVER);
	CHECK_INT(config_profile(config, "b")->yield_order, 100);
	CHECK_INT(config_profile(config, "latency")->avoid, PROFILE_AVOID_NEVER);
	CHECK_INT(config_profile(config, "latency")->yield_order, PROFILE_YIELD_ORDER_INIT);
	config_free(config);
	refuse("{\"version\":1}", "{\"version\":1,\"profiles\":{\"a\":{\"avoid\":\"always\"}}}",
	       NULL, "10-a:1: .profiles.a.avoid: \"always\" is not one of: never, auto");
	refuse("{\"version\":1}", "{\"version\":1,\"profiles\":{\"a\":{\"yield_order\":101}}}",
	       NULL, "10-a:1: .profiles.a.yield_order: is 101; must be from 0 to 100");
}

static void test_refused(void)
{
	static const char good[] = "{\"version\":1}";

	refuse(good, "{\n\"host\":{}}", NULL,
	       "10-a:1: .: the key \"version\" is missing; add \"version\": 1");
	refuse(good, "{\"version\":1,\n\"host\":{\"rt\":1}}", good,
	       "10-a:2: .host.rt: unknown key; known keys: cpu_share_permille, cpu_burst_us, "
	       "domain_share_permille, domain_burst_us, max_changes_per_s, rt_policy, "
	       "rt_priority, grant_rt_budget, housekeeping_cpus, metadata, guest_pages, "
	       "discovery, qemu_executables, qemu_users, booster_cpus, booster_wait, "
	       "booster_permille, metrics_file, metrics_interval_s, agents, compare");
	refuse(good, good, "{\"version\":1,\n}", "20-b:2: column 1: a ',' before '}'");
	refuse(good, "{\"version\":1,\"default_profile\":\"x\"}", NULL,
	       "10-a:1: .default_profile: there is no profile \"x\"; profiles: off, observe, "
	       "interactive, latency, auto, throughput");
	refuse(good, "{\"version\":2}", NULL,
	       "10-a:1: .version: is 2; this pvschedd reads version 1: the file was written for "
	       "a newer pvschedd");
	refuse(good, "{\"version\":1,\"host\":{\"compare\":\"on\"}}", NULL,
	       "10-a:1: .host.compare: \"on\" is not one of: off, auto");
	refuse(good, "{\"version\":1,\"host\":{\"compare\":true}}", NULL,
	       "10-a:1: .host.compare: must be a string, not true or false");
	/* what a later file replaces is checked all the same */
	refuse("{\"version\":1,\"host\":{\"rt_priority\":99}}",
	       "{\"version\":1,\"host\":{\"rt_priority\":1}}", NULL,
	       "main:1: .host.rt_priority: is 99; must be from 1 to 10");
	refuse("{\"version\":1,\"host\":3}", "{\"version\":1,\"host\":{}}", NULL,
	       "main:1: .host: must be an object, not a number");
	refuse("{\"version\":1,\"profiles\":{\"p\":{}}}", "{\"version\":1,\"profiles\":[]}",
	       "{\"version\":1,\"profiles\":{}}",
	       "10-a:1: .profiles: must be an object, not an array");
	refuse("{\"version\":1,\"domains\":{\"uuid\":{\"" UUID_A "\":{}}}}", good,
	       "{\"version\":1,\n\"domains\":{\"uuid\":{"
	       "\"6695EB01-f6a4-8304-79aa-97f2502e193f\":{}}}}",
	       "20-b:2: .domains.uuid.6695EB01-f6a4-8304-79aa-97f2502e193f: the same uuid is "
	       "already on line 1 of main, with letters in another case; write it the same way");
}

/* --- Files --- */

static char dir[] = "/tmp/pvschedd-merge-XXXXXX";
static char main_path[128];

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/pvschedd.d/%s", dir, name);
	return path;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd CLEANUP(cleanup_fd) = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_INT(write(fd, text, strlen(text)), strlen(text));
	CHECK_INT(fchmod(fd, mode), 0);
}

static struct config *load(int expected, const char *why)
{
	struct config *config = NULL;

	message[0] = '\0';
	CHECK_INT(config_load(main_path, &config, message, sizeof(message)), expected);
	CHECK_CONTAINS(message, why);
	CHECK(!config == (expected != 0));
	return config;
}

static void check_load(size_t n_files, int rt_priority)
{
	struct config *config CLEANUP(config_cleanup) = load(0, "");

	CHECK_INT(config_n_files(config), n_files);
	CHECK_INT(config_host(config)->rt_priority, rt_priority);
}

static void test_which_files(void)
{
	CHECK(mkdtemp(dir));
	snprintf(main_path, sizeof(main_path), "%s/pvschedd.json", dir);
	load(-ENOENT, "pvschedd.json: cannot be opened");
	CHECK_INT(mkdir(path_of(""), 0755), 0);
	load(-ENOENT, "pvschedd.json: cannot be opened");
	write_file(path_of("9.json"), "{\"version\":1,\"host\":{\"rt_priority\":9}}", 0644);
	check_load(1, 9); /* without the main file */
	write_file(main_path, "{\"version\":1,\"host\":{\"rt_priority\":2}}", 0644);
	check_load(2, 9);
	/* the order is that of the bytes, not of the numbers */
	write_file(path_of("10.json"), "{\"version\":1,\"host\":{\"rt_priority\":10}}", 0644);
	check_load(3, 9);
	write_file(path_of("a.json"), "{\"version\":1,\"host\":{\"rt_priority\":5}}", 0644);
	check_load(4, 5);
	write_file(path_of(".hidden.json"), "x", 0666);
	write_file(path_of("b.json~"), "x", 0666);
	write_file(path_of("README"), "x", 0666);
	write_file(path_of(".json"), "x", 0666);
	check_load(4, 5);
}

static void test_bad_files(void)
{
	write_file(path_of("c.json"), "{\"version\":1}", 0666);
	load(-EPERM, "pvschedd.d/c.json: every user may write this file");
	write_file(path_of("c.json"), "{\"version\":1,\n\"x\":1}", 0644);
	load(-EBADMSG, "pvschedd.d/c.json:2: .x: unknown key");
	CHECK_INT(unlink(path_of("c.json")), 0);
	CHECK_INT(symlink("nowhere", path_of("c.json")), 0);
	load(-EBUSY, "pvschedd.d/c.json: cannot be opened");
	CHECK_INT(unlink(path_of("c.json")), 0);
	CHECK_INT(mkdir(path_of("c.json"), 0755), 0);
	load(-EINVAL, "pvschedd.d/c.json: is not a regular file");
	CHECK_INT(rmdir(path_of("c.json")), 0);
	write_file(path_of("\xff\n.json"), "{\"version\":1}", 0644);
	load(-EINVAL, "pvschedd.d: a file name in it");
	CHECK_INT(unlink(path_of("\xff\n.json")), 0);
	CHECK_INT(chmod(path_of(""), 01777), 0);
	load(-EPERM, "pvschedd.d: every user may write this directory");
	if (geteuid() == 0) {
		CHECK_INT(chmod(path_of(""), 0775), 0);
		CHECK_INT(chown(path_of(""), 0, 65534), 0);
		load(-EPERM, "pvschedd.d: group 65534 may write this directory");
		CHECK_INT(chown(path_of(""), 65534, 0), 0);
		load(-EPERM, "pvschedd.d: this directory belongs to user 65534");
		CHECK_INT(chown(path_of(""), 0, 0), 0);
	}
	CHECK_INT(chmod(path_of(""), 0755), 0);
	check_load(4, 5);
}

/* In mounts of its own: a volume as of a ConfigMap, of mode 1777, with one drop-in. */
static void in_own_mounts(void)
{
	char at[512];

	snprintf(at, sizeof(at), "%s", path_of(""));
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", at, "tmpfs", 0, "mode=1777") < 0)
		_exit(77);
	write_file(path_of("10.json"), "{\"version\":1,\"host\":{\"rt_priority\":7}}", 0644);
	load(-EPERM, "then: chmod o-w");
	/* mounted read-only here, and written elsewhere: advice that can be followed */
	CHECK_INT(mount("none", at, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	load(-EPERM, "copy its files");
	CHECK_INT(mount("none", at, NULL, MS_REMOUNT | MS_RDONLY, "mode=1777"), 0);
	check_load(2, 7);
	_exit(0);
}

/* A directory that every user might write, if anything could be written there. */
static void test_read_only_volume(void)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0)
			_exit(77);
		in_own_mounts();
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		TEST_SKIP("nothing can be mounted here");
	CHECK_INT(WEXITSTATUS(status), 0);
}

/* Files that another user or group may change, or that are not there themselves. */
static void test_trust(void)
{
	char link[600];

	CHECK_INT(chmod(main_path, 0660), 0);
	check_load(4, 5);
	snprintf(link, sizeof(link), "%s.link", main_path);
	CHECK_INT(rename(main_path, link), 0);
	CHECK_INT(symlink("/etc/passwd", main_path), 0);
	load(-ELOOP, "is a symbolic link that leads out of its directory");
	CHECK_INT(unlink(main_path), 0);
	CHECK_INT(symlink("pvschedd.d/../../../etc/passwd", main_path), 0);
	load(-ELOOP, "is a symbolic link that leads out of its directory");
	CHECK_INT(unlink(main_path), 0);
	CHECK_INT(symlink(link, main_path), 0);
	check_load(4, 5);
	/* within its directory, as in a ConfigMap's volume */
	CHECK_INT(unlink(main_path), 0);
	CHECK_INT(symlink("pvschedd.json.link", main_path), 0);
	check_load(4, 5);
	CHECK_INT(rename(link, main_path), 0);
	if (geteuid() != 0)
		return;
	CHECK_INT(chown(main_path, 0, 65534), 0);
	load(-EPERM, "group 65534 may write this file");
	CHECK_INT(chmod(main_path, 0640), 0);
	check_load(4, 5);
	CHECK_INT(chown(main_path, 65534, 0), 0);
	load(-EPERM, "this file belongs to user 65534");
	CHECK_INT(chown(main_path, 0, 0), 0);
}

static void test_too_many(void)
{
	char name[32];

	for (int i = 0; i < CONFIG_DROP_INS_MAX - 3; i++) {
		snprintf(name, sizeof(name), "n-%03d.json", i);
		write_file(path_of(name), "{\"version\":1}", 0644);
	}
	check_load(CONFIG_DROP_INS_MAX + 1, 5);
	write_file(path_of("one-more.json"), "{\"version\":1}", 0644);
	load(-E2BIG, "pvschedd.d: has more than 256 files");
}

static void test_tidy(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	CHECK_INT(system(command), 0);
}

/* In mode auto burst_max_us is the burst, which an entry may limit further. */
static void test_learns(void)
{
	struct config *config CLEANUP(config_cleanup) =
	        parse("{\"version\":1,\"default_profile\":\"auto\",\"profiles\":{"
	              "\"auto\":{\"burst_max_us\":900},\"learns\":{\"mode\":\"auto\"}},"
	              "\"domains\":{\"name\":{"
	              "\"a\":{\"profile\":\"learns\"},\"b\":{\"burst_us\":300}}}}",
	              "{\"version\":1,\"profiles\":{\"auto\":{\n\n\"burst_max_us\":800}}}",
	              "{\"version\":1}");
	struct config_choice choice;

	CHECK_INT(config_profile(config, "learns")->mode, PROFILE_AUTO);
	config_choose(config, &(struct config_subject){.name = "other"}, &choice);
	CHECK_INT(choice.profile.mode, PROFILE_AUTO);
	CHECK_U64(choice.profile.burst_ns, 800 * NSEC_PER_USEC);
	CHECK_STR(choice.burst_source, "10-a:3: .profiles.auto.burst_max_us");
	config_choose(config, &(struct config_subject){.name = "a"}, &choice);
	CHECK_U64(choice.profile.burst_ns, 2000 * NSEC_PER_USEC);
	config_choose(config, &(struct config_subject){.name = "b"}, &choice);
	CHECK_U64(choice.profile.burst_ns, 300 * NSEC_PER_USEC);
	CHECK_STR(choice.burst_source, "main:1: .domains.name.b.burst_us");
}

TEST_MAIN({"json", test_json}, {"avoid", test_avoid}, {"helpers", test_helpers},
          {"learns", test_learns}, {"per key", test_per_key}, {"sources", test_sources},
          {"references", test_references}, {"refused", test_refused},
          {"which files", test_which_files}, {"bad files", test_bad_files}, {"trust", test_trust},
          {"read-only volume", test_read_only_volume}, {"too many", test_too_many},
          {"tidy", test_tidy})
