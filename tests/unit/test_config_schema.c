/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shipped configuration and its JSON Schema against the parser: whatever the schema offers is
 * accepted, its limits are the parser's, and the parser knows no key that the schema does not.
 * CONF_DIR, from the build or the environment, is where the two files are.
 */
#include <errno.h>
#include <fcntl.h>

#include "config/config.h"
#include "util/cleanup.h"
#include "util/json.h"

#include "test.h"

#ifndef CONF_DIR
#define CONF_DIR "conf"
#endif

#define TEXT_MAX 4096

static unsigned int n_accepted;
static unsigned int n_refused;

static char *conf_path(const char *name)
{
	const char *dir = getenv("CONF_DIR");
	char *path = NULL;

	CHECK(asprintf(&path, "%s/%s", dir ? dir : CONF_DIR, name) > 0);
	return path;
}

static struct json_doc *load_schema(void)
{
	char *path CLEANUP(cleanup_free) = conf_path("pvschedd.schema.json");
	char *text CLEANUP(cleanup_free) = malloc(CONFIG_FILE_MAX);
	FILE *file CLEANUP(cleanup_file) = fopen(path, "re");
	struct json_error error;
	struct json_doc *doc = NULL;

	CHECK(file && text);
	if (json_parse(text, fread(text, 1, CONFIG_FILE_MAX, file), &doc, &error) < 0)
		fprintf(stderr, "%s:%u: %s\n", path, error.line, error.message);
	CHECK(doc);
	return doc;
}

static const char *string_of(const struct json_value *value)
{
	const char *string = NULL;
	struct json_error error;

	CHECK_INT(json_as_string(value, &string, &error), 0);
	return string;
}

static int64_t integer_of(const struct json_value *value)
{
	struct json_error error;
	int64_t n = 0;

	CHECK_INT(json_as_integer(value, -JSON_INTEGER_MAX, JSON_INTEGER_MAX, &n, &error), 0);
	return n;
}

/* --- A value as JSON text again --- */

static void print_value(FILE *out, const struct json_value *value);

static void print_list(FILE *out, const struct json_value *list)
{
	char key[128];

	JSON_FOREACH(child, list)
	{
		if (child != json_first(list))
			fputc(',', out);
		if (json_key(child)) {
			json_quote(json_key(child), key, sizeof(key));
			fprintf(out, "%s:", key);
		}
		print_value(out, child);
	}
}

static void print_value(FILE *out, const struct json_value *value)
{
	struct json_error error;
	char quoted[128];
	bool flag;

	switch (json_type(value)) {
	case JSON_NULL:
		fputs("null", out);
		break;
	case JSON_BOOL:
		CHECK_INT(json_as_bool(value, &flag, &error), 0);
		fputs(flag ? "true" : "false", out);
		break;
	case JSON_NUMBER:
		fprintf(out, "%" PRId64, integer_of(value));
		break;
	case JSON_STRING:
		json_quote(string_of(value), quoted, sizeof(quoted));
		fputs(quoted, out);
		break;
	case JSON_ARRAY:
		fputc('[', out);
		print_list(out, value);
		fputc(']', out);
		break;
	case JSON_OBJECT:
		fputc('{', out);
		print_list(out, value);
		fputc('}', out);
		break;
	}
}

static void value_text(const struct json_value *value, char *buffer, size_t size)
{
	FILE *out CLEANUP(cleanup_file) = fmemopen(buffer, size, "w");

	CHECK(out);
	print_value(out, value);
	CHECK_INT(fflush(out), 0);
}

/* --- Where a value of the schema would stand in a configuration --- */

struct place {
	char before[TEXT_MAX];
	char after[TEXT_MAX];
};

static int try_config(const struct place *place, const char *value, char *error, size_t error_size)
{
	struct config *config CLEANUP(config_cleanup) = NULL;
	struct config_text file = {.name = "f"};
	char text[3 * TEXT_MAX];
	int r;

	snprintf(text, sizeof(text), "%s%s%s", place->before, value, place->after);
	file.text = text;
	file.size = strlen(text);
	r = config_parse_all(&file, 1, &config, error, error_size);
	if (r < 0 && r != -EBADMSG)
		fprintf(stderr, "%s\n", text);
	CHECK(r == 0 || r == -EBADMSG);
	return r;
}

static void check_accepted(const struct place *place, const char *value)
{
	char error[1024] = "";
	int r = try_config(place, value, error, sizeof(error));

	if (r < 0)
		fprintf(stderr, "%s%s%s\n%s\n", place->before, value, place->after, error);
	CHECK_INT(r, 0);
	n_accepted++;
}

static void check_refused(const struct place *place, const char *value, const char *why)
{
	char error[1024] = "";

	CHECK_INT(try_config(place, value, error, sizeof(error)), -EBADMSG);
	CHECK_CONTAINS(error, why);
	n_refused++;
}

static void check_limits(const struct json_value *node, const struct place *place)
{
	const struct json_value *least = json_member(node, "minimum");
	const struct json_value *most = json_member(node, "maximum");
	char text[32];

	if (!least || !most)
		return;
	snprintf(text, sizeof(text), "%" PRId64, integer_of(least) - 1);
	check_refused(place, text, "; must be from ");
	snprintf(text, sizeof(text), "%" PRId64, integer_of(most) + 1);
	check_refused(place, text, "; must be from ");
	snprintf(text, sizeof(text), "%" PRId64, integer_of(least));
	check_accepted(place, text);
	snprintf(text, sizeof(text), "%" PRId64, integer_of(most));
	check_accepted(place, text);
}

/* The keys that the parser names as known are the schema's. */
static void check_known_keys(const struct json_value *properties, const struct place *place)
{
	char error[1024] = "", wanted[64];
	size_t n_known = 1, n_schema = 0;
	const char *known;

	CHECK_INT(try_config(place,
	                     place->before[0] ? "{\"no such key\":1}"
	                                      : "{\"version\":1,\"no such key\":1}",
	                     error, sizeof(error)),
	          -EBADMSG);
	known = strstr(error, "unknown key; known keys: ");
	CHECK(known);
	known += strlen("unknown key; known keys:");
	JSON_FOREACH(property, properties)
	{
		if (json_is_annotation(property))
			continue;
		n_schema++;
		snprintf(wanted, sizeof(wanted), " %s", json_key(property));
		CHECK_CONTAINS(known, wanted);
	}
	for (const char *p = known; *p; p++)
		n_known += *p == ',';
	CHECK_INT(n_known, n_schema);
}

static const struct json_value *resolve(const struct json_value *schema,
                                        const struct json_value *node)
{
	const struct json_value *ref = json_member(node, "$ref");
	const char prefix[] = "#/$defs/";

	if (!ref)
		return node;
	CHECK(strncmp(string_of(ref), prefix, strlen(prefix)) == 0);
	node = json_member(json_member(schema, "$defs"), string_of(ref) + strlen(prefix));
	CHECK(node);
	return node;
}

static void check_node(const struct json_value *schema, const struct json_value *node,
                       const struct place *place);

static void check_member(const struct json_value *schema, const struct json_value *node,
                         const char *key, const struct place *place)
{
	bool root = place->before[0] == '\0' && strcmp(key, "version") != 0;
	struct place inside;

	if (json_type(node) != JSON_OBJECT)
		return; /* "off": false */
	snprintf(inside.before, sizeof(inside.before), "%.3000s{%s\"%s\":", place->before,
	         root ? "\"version\":1," : "", key);
	snprintf(inside.after, sizeof(inside.after), "}%.3000s", place->after);
	check_node(schema, node, &inside);
}

/* An object whose keys are names: its example has one to try. */
static void check_map(const struct json_value *schema, const struct json_value *node,
                      const struct place *place)
{
	const struct json_value *patterns = json_member(node, "patternProperties");
	const struct json_value *others = json_member(node, "additionalProperties");
	const struct json_value *example;

	if (patterns)
		others = json_first(patterns);
	if (!others || json_type(others) != JSON_OBJECT)
		return;
	CHECK(json_member(node, "examples"));
	example = json_first(json_first(json_member(node, "examples")));
	check_member(schema, others, json_key(example), place);
}

static void check_node(const struct json_value *schema, const struct json_value *node,
                       const struct place *place)
{
	const struct json_value *examples = json_member(node, "examples");
	const struct json_value *properties, *others;
	char text[TEXT_MAX] = "";

	node = resolve(schema, node);
	if (!examples)
		examples = json_member(node, "examples");
	for (const struct json_value *e = examples ? json_first(examples) : NULL; e;
	     e = json_next(e)) {
		value_text(e, text, sizeof(text));
		check_accepted(place, text);
	}
	check_limits(node, place);
	check_map(schema, node, place);
	properties = json_member(node, "properties");
	if (!properties)
		return;
	JSON_FOREACH(property, properties)
	check_member(schema, property, json_key(property), place);
	others = json_member(node, "additionalProperties");
	if (others && json_type(others) == JSON_BOOL && !json_member(node, "patternProperties"))
		check_known_keys(properties, place);
}

static void test_schema(void)
{
	struct json_doc *doc CLEANUP(json_cleanup) = load_schema();
	const struct place outside = {"", ""};

	check_node(json_root(doc), json_root(doc), &outside);
	CHECK_GE(n_accepted, 100);
	CHECK_GE(n_refused, 20);
}

/* What is shipped is what holds without a file. */
static void test_shipped(void)
{
	char *path CLEANUP(cleanup_free) = conf_path("pvschedd.json");
	struct config *config CLEANUP(config_cleanup) = NULL;
	struct config *built_in CLEANUP(config_cleanup) = config_default();
	struct config_choice choice;
	char error[1024] = "";

	if (config_load(path, &config, error, sizeof(error)) < 0)
		fprintf(stderr, "%s\n", error);
	CHECK(config && built_in);
	CHECK(memcmp(config_host(config), config_host(built_in), sizeof(struct config_host)) == 0);
	config_choose(config, &(struct config_subject){.name = "any"}, &choice);
	CHECK_STR(choice.profile.name, "observe");
	CHECK_INT(choice.match, CONFIG_MATCH_DEFAULT);
	CHECK_INT(config_profile(config, "latency")->burst_ns,
	          config_profile(built_in, "latency")->burst_ns);
	CHECK_INT(config_profile(config, "interactive")->share_permille,
	          config_profile(built_in, "interactive")->share_permille);
}

/* What pvschedd-proxmox ships: a tag is enough, and without one nothing is changed. */
static void test_shipped_for_proxmox(void)
{
	char *path CLEANUP(cleanup_free) = conf_path("proxmox.json");
	struct config *config CLEANUP(config_cleanup) = NULL;
	struct domain_labels vm = {.vmid = 101, .n_tags = 2, .tags = {"web", "pvsched-latency"}};
	struct config_subject subject = {.name = "101", .labels = &vm};
	struct config_choice choice;
	char error[1024] = "";

	if (config_load(path, &config, error, sizeof(error)) < 0)
		fprintf(stderr, "%s\n", error);
	CHECK(config);
	CHECK_INT(config_host(config)->n_discovery, 1);
	CHECK_INT(config_host(config)->discovery[0], DOMAIN_SOURCE_PROCFS);
	config_choose(config, &subject, &choice);
	CHECK_STR(choice.profile.name, "latency");
	vm.n_tags = 1;
	config_choose(config, &subject, &choice);
	CHECK_STR(choice.profile.name, "observe");
	CHECK_INT(choice.match, CONFIG_MATCH_DEFAULT);
}

TEST_MAIN({"shipped", test_shipped}, {"shipped for Proxmox", test_shipped_for_proxmox},
          {"schema", test_schema})
