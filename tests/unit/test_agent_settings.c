// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent's configuration: what is taken, and what is an error that says where. */
#include "agent/settings.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/json.h"

#include "test.h"

static struct settings settings;
static char why[512];

static int parse(const char *text)
{
	struct json_error error;
	int r = settings_parse(text, strlen(text), &settings, &error);

	why[0] = '\0';
	if (r)
		json_error_format(&error, "f", why, sizeof(why));
	return r;
}

static void test_defaults(void)
{
	CHECK_INT(parse("{}"), 0);
	CHECK_INT(settings.port, PVSCHED_CHANNEL_PORT);
	CHECK(settings.tasks && settings.interrupts);
	CHECK_INT(settings.step_aside, SETTINGS_ASIDE_OFF);
	CHECK_INT(settings.n_policies, 2);
	CHECK_STR(settings.policies[0].name, "pvschedd");
	CHECK_STR(settings.policies[1].name, "urgent-only");
	CHECK_INT(settings.policies[1].version, 1);
	CHECK(settings_user(&settings, 0));
	CHECK(!settings_user(&settings, 1000));
}

static void test_all(void)
{
	CHECK_INT(parse("{\"//\": \"x\", \"channel\": {\"port\": 1968}, \"step_aside\": \"auto\","
	                "\"policies\": [\"urgent-only\"],"
	                "\"hints\": {\"tasks\": true, \"interrupts\": false},"
	                "\"applications\": {\"connections\": 10, \"users\": {"
	                "\"1000\": {\"connections\": 2, \"rt_priority_max\": 20,"
	                "\"urgent_permille\": 300, \"looks_per_s\": 50},"
	                "\"0\": {\"urgent_permille\": 5}, \"*\": {}}}}"),
	          0);
	CHECK_INT(settings.port, 1968);
	CHECK_INT(settings.step_aside, SETTINGS_ASIDE_AUTO);
	CHECK_INT(settings.n_policies, 1);
	CHECK_STR(settings.policies[0].name, "urgent-only");
	CHECK(settings.tasks && !settings.interrupts);
	CHECK_INT(settings.clients_max, 10);
	CHECK_INT(settings_user(&settings, 1000)->urgent_permille, 300);
	CHECK_INT(settings_user(&settings, 1000)->looks_per_s, 50);
	CHECK_INT(settings_user(&settings, 0)->urgent_permille, 5);
	CHECK_INT(settings_user(&settings, 7)->urgent_permille, 100);
}

static void test_refused(void)
{
	static const struct {
		const char *text, *why;
	} table[] = {
	        {"{\"chanel\": {}}", "chanel"},
	        {"{\"channel\": {\"port\": 0}}", ".channel.port"},
	        {"{\"channel\": {\"cid\": 2}}", ".channel"},
	        {"{\"policies\": []}", ".policies"},
	        {"{\"policies\": \"pvschedd\"}", ".policies"},
	        {"{\"policies\": [\"pvschedd\", \"pvschedd\"]}", ".policies[1]"},
	        {"{\"policies\": [\"other\"]}", ".policies[0]"},
	        {"{\"hints\": {\"tasks\": 1}}", ".hints.tasks"},
	        {"{\"hints\": {\"nmi\": true}}", ".hints"},
	        {"{\"applications\": {\"users\": {\"-1\": {}}}}", "user id"},
	        {"{\"applications\": {\"users\": {\"1e3\": {}}}}", "user id"},
	        {"{\"applications\": {\"users\": {\"01\": {}}}}", "user id"},
	        {"{\"applications\": {\"users\": {\"4294967295\": {}}}}", "user id"},
	        {"{\"applications\": {\"users\": {\"root\": {}}}}", "user id"},
	        {"{\"applications\": {\"users\": {\"1\": {\"urgent_permille\": 1001}}}}",
	         "urgent_permille"},
	        {"{\"applications\": {\"users\": {\"1\": {\"x\": 1}}}}", "users"},
	        {"{\"applications\": {\"connections\": 65}}", ".applications.connections"},
	        {"[]", "object"},
	        {"{} {}", "f:1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CHECK_INT(parse(table[i].text), -EBADMSG);
		CHECK_CONTAINS(why, table[i].why);
	}
}

static void test_many_users(void)
{
	char text[8192] = "{\"applications\": {\"users\": {";
	size_t n = strlen(text);

	for (int i = 1; i <= SETTINGS_USERS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"%d\": {}", i > 1 ? "," : "",
		                      i);
	snprintf(text + n, sizeof(text) - n, "}}}");
	CHECK_INT(parse(text), -EBADMSG); /* root has an entry, too */
	CHECK_CONTAINS(why, ".applications.users.64");
}

static void test_files(void)
{
	char path[] = "/tmp/test_agent_settings.XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	CHECK_INT(write(fd, "{\"x\": 1}", 8), 8);
	CHECK_INT(settings_load(path, true, &settings, why, sizeof(why)), -EBADMSG);
	CHECK_CONTAINS(why, path);
	CHECK_INT(ftruncate(fd, 2), 0);
	CHECK_INT(pwrite(fd, "{}", 2, 0), 2);
	CHECK_INT(settings_load(path, true, &settings, why, sizeof(why)), 0);
	CHECK_INT(fchmod(fd, 0666), 0);
	CHECK_INT(settings_load(path, true, &settings, why, sizeof(why)), -EPERM);
	CHECK_CONTAINS(why, "chmod");
	CHECK_INT(fchmod(fd, 0600), 0);
	CHECK_INT(ftruncate(fd, SETTINGS_FILE_MAX + 1), 0);
	CHECK_INT(settings_load(path, true, &settings, why, sizeof(why)), -EFBIG);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(settings_load(path, true, &settings, why, sizeof(why)), -ENOENT);
	CHECK_INT(settings_load(path, false, &settings, why, sizeof(why)), 0);
	CHECK_INT(settings_load("/tmp", false, &settings, why, sizeof(why)), -EINVAL);
	close(fd);
}

TEST_MAIN(TEST(test_defaults), TEST(test_all), TEST(test_refused), TEST(test_many_users),
          TEST(test_files))
