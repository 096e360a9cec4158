// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration in force, value by value, with what sets it; and that none is left out. */
#include "config/effective.h"

#include "util/cleanup.h"
#include "util/json.h"

#include "test.h"

#ifndef CONF_DIR
#define CONF_DIR "conf"
#endif

#define SETTINGS_MAX 256

static struct {
	char key[128], value[512], source[CONFIG_SOURCE_MAX], entry[64];
	bool built_in;
} told[SETTINGS_MAX];
static size_t n_told, left_out;

static void on_setting(void *userdata, const struct config_setting *setting)
{
	CHECK(userdata == told && n_told < SETTINGS_MAX);
	snprintf(told[n_told].key, sizeof(told->key), "%s", setting->key);
	snprintf(told[n_told].value, sizeof(told->value), "%s", setting->value);
	snprintf(told[n_told].source, sizeof(told->source), "%s", setting->source);
	snprintf(told[n_told].entry, sizeof(told->entry), "%s", setting->entry ?: "");
	told[n_told++].built_in = setting->built_in;
}

static void tell_some(const struct config_text *files, size_t n, size_t max)
{
	CLEANUP(config_cleanup) struct config *config = NULL;
	char error[512] = "";

	if (n == 0)
		config = config_default();
	else if (config_parse_all(files, n, &config, error, sizeof(error)) < 0)
		fprintf(stderr, "%s\n", error);
	CHECK(config);
	n_told = 0;
	CHECK_INT(config_each_setting(config, max, on_setting, told, &left_out), 0);
}

static void tell(const struct config_text *files, size_t n)
{
	tell_some(files, n, SETTINGS_MAX);
	CHECK_INT(left_out, 0);
}

static size_t place(const char *key)
{
	for (size_t i = 0; i < n_told; i++)
		if (strcmp(told[i].key, key) == 0)
			return i;
	fprintf(stderr, "no setting %s\n", key);
	test_fail();
}

static void check_setting(const char *key, const char *value, const char *source)
{
	size_t i = place(key);

	CHECK_STR(told[i].value, value);
	CHECK_STR(told[i].source, source);
	CHECK_INT(told[i].built_in, strncmp(source, "built in", 8) == 0);
}

static void test_default(void)
{
	tell(NULL, 0);
	check_setting(".enabled", "true", "built in");
	check_setting(".default_profile", "\"observe\"", "built in");
	check_setting(".host.compare", "\"off\"", "built in");
	check_setting(".host.discovery", "[\"libvirt\"]", "built in");
	check_setting(".host.qemu_users", "[\"root\", \"libvirt-qemu\", \"qemu\"]", "built in");
	check_setting(".host.booster_cpus", "\"\"", "built in");
	check_setting(".host.metrics_file", "\"\"", "built in");
	check_setting(".host.metrics_interval_s", "15", "built in");
	check_setting(".profiles.latency.mode", "\"boost\"", "built in: profile latency");
	check_setting(".profiles.off.levers", "[]", "built in: profile off");
}

/* Two files: each value has the file and line that won. */
static void test_sources(void)
{
	static const char main_text[] =
	        "{\"version\": 1,\n"
	        "\"host\": {\"cpu_share_permille\": 300,\n"
	        "\"booster_cpus\": \"0,2-3\"},\n"
	        "\"profiles\": {\"mine\": {\"mode\": \"boost\",\n"
	        "\"burst_us\": 400}},\n"
	        "\"domains\": {\"name\": {\"w \\\"b\": {\"profile\": \"mine\"}}}}\n";
	static const char drop_in[] = "{\"version\": 1, \"//\": \"why\",\n"
	                              "\"enabled\": false, \"host\": {\n"
	                              "\"compare\": \"auto\", \"cpu_share_permille\": 250}}\n";
	const struct config_text files[] = {{"a.json", main_text, sizeof(main_text) - 1},
	                                    {"b.json", drop_in, sizeof(drop_in) - 1}};

	tell(files, 2);
	check_setting(".host.cpu_share_permille", "250", "b.json:3");
	check_setting(".host.compare", "\"auto\"", "b.json:3");
	check_setting(".enabled", "false", "b.json:2");
	check_setting(".host.booster_cpus", "\"0,2-3\"", "a.json:3");
	check_setting(".host.rt_priority", "1", "built in");
	check_setting(".profiles.mine.mode", "\"boost\"", "a.json:4");
	check_setting(".profiles.mine.burst_us", "400", "a.json:5");
	check_setting(".profiles.mine.share_permille", "200", "built in: profile observe");
	check_setting(".profiles.auto.mode", "\"auto\"", "built in: profile auto");
	check_setting(".profiles.auto.burst_max_us", "2000", "built in: profile auto");
	check_setting(".domains.name[\"w \\\"b\"].profile", "\"mine\"", "a.json:6");
	check_setting(".domains.name[\"w \\\"b\"].burst_us", "400",
	              "a.json:5: .profiles.mine.burst_us");
	check_setting(".profiles.mine.policy", "\"guest\"", "built in: profile observe");
	check_setting(".domains.name[\"w \\\"b\"].policy", "\"guest\"",
	              "built in: profile observe");
	check_setting(".domains.name[\"w \\\"b\"].share_permille", "200",
	              "built in: profile observe");
	CHECK_STR(told[place(".domains.name[\"w \\\"b\"].profile")].entry, "w \"b");
	CHECK_STR(told[place(".enabled")].entry, "");
}

/* Entries beyond a limit are counted, whole ones. */
static void test_bounded(void)
{
	static const char text[] =
	        "{\"version\": 1, \"domains\": {\"name\": {\"a\": {}, \"b\": {}, "
	        "\"c\": {}}}}";
	const struct config_text file = {"a.json", text, sizeof(text) - 1};
	size_t all;

	tell(&file, 1);
	all = n_told;
	tell_some(&file, 1, all - 4);
	CHECK_INT(n_told, all - 4);
	CHECK_INT(left_out, 4);
	tell_some(&file, 1, 0);
	CHECK_INT(n_told, all - 12);
	CHECK_INT(left_out, 12);
}

static const struct json_value *member(const struct json_value *object, const char *a,
                                       const char *b)
{
	object = json_member(object, a);
	CHECK(object);
	object = json_member(object, b);
	CHECK(object);
	return object;
}

/** Each key that the schema has there is told, under @prefix. */
static size_t check_keys(const struct json_value *properties, const char *prefix)
{
	char key[128];
	size_t n = 0;

	JSON_FOREACH(property, properties)
	{
		if (json_is_annotation(property))
			continue;
		snprintf(key, sizeof(key), "%s.%s", prefix, json_key(property));
		n++;
		if (json_member(property, "properties"))
			check_keys(json_member(property, "properties"), key);
		else
			place(key);
	}
	return n;
}

/* A key that is added to the configuration, and not here, is missed. */
static void test_complete(void)
{
	CLEANUP(cleanup_free) char *text = malloc(CONFIG_FILE_MAX), *path = NULL;
	struct json_doc *doc CLEANUP(json_cleanup) = NULL;
	const char *dir = getenv("CONF_DIR");
	const struct json_value *host, *profile;
	struct json_error error;
	FILE *file;

	CHECK(asprintf(&path, "%s/pvschedd.schema.json", dir ? dir : CONF_DIR) > 0);
	file = fopen(path, "re");
	CHECK(file && text);
	CHECK_INT(json_parse(text, fread(text, 1, CONFIG_FILE_MAX, file), &doc, &error), 0);
	fclose(file);
	tell(NULL, 0);
	host = json_member(member(json_root(doc), "properties", "host"), "properties");
	profile = json_member(member(json_root(doc), "$defs", "profile"), "properties");
	CHECK(host && profile);
	CHECK(check_keys(host, ".host") >= 17);
	CHECK(check_keys(profile, ".profiles.latency") >= 10);
}

TEST_MAIN(TEST(test_default), TEST(test_sources), TEST(test_bounded), TEST(test_complete))
