/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strict JSON reader: whatever it accepts can be walked, asked and named, and is what cJSON
 * reads there. */
#include <cjson/cJSON.h>
#include <errno.h>

#include "fuzz.h"

static void check_same_string(const char *ours, const char *theirs)
{
	FUZZ_CHECK(!ours == !theirs && (!ours || strcmp(ours, theirs) == 0));
}

static void check_same_integer(const struct json_value *value, const cJSON *item)
{
	struct json_error error;
	int64_t n;

	FUZZ_CHECK(cJSON_IsNumber(item));
	if (json_as_integer(value, -JSON_INTEGER_MAX, JSON_INTEGER_MAX, &n, &error) == 0)
		FUZZ_CHECK((double)n == item->valuedouble);
}

/* The same values in the same order. */
static void check_same(const struct json_value *value, const cJSON *item)
{
	const struct json_value *child = json_first(value);
	struct json_error error;
	const char *string;
	bool flag;

	check_same_string(json_key(value), item->string);
	if (json_as_string(value, &string, &error) == 0)
		check_same_string(string, item->valuestring);
	if (json_as_bool(value, &flag, &error) == 0)
		FUZZ_CHECK(flag ? cJSON_IsTrue(item) : cJSON_IsFalse(item));
	if (json_type(value) == JSON_NUMBER)
		check_same_integer(value, item);
	FUZZ_CHECK((json_type(value) == JSON_NULL) == cJSON_IsNull(item));
	FUZZ_CHECK((json_type(value) == JSON_ARRAY) == cJSON_IsArray(item));
	FUZZ_CHECK((json_type(value) == JSON_OBJECT) == cJSON_IsObject(item));
	for (item = item->child; item; item = item->next, child = json_next(child)) {
		FUZZ_CHECK(child);
		check_same(child, item);
	}
	FUZZ_CHECK(!child);
}

static unsigned int visit(const struct json_value *value, unsigned int line)
{
	static const char *const words[] = {"a", "b"};
	struct json_error error;
	const char *string;
	char path[JSON_PATH_MAX], small[5];
	int64_t n = 0;
	size_t word;
	bool flag;

	FUZZ_CHECK(json_line(value) >= line);
	line = json_line(value);
	json_path(value, path, sizeof(path));
	FUZZ_CHECK(path[0] == '.');
	fuzz_check_message(path);
	json_path(value, small, sizeof(small));
	if (json_as_integer(value, -1000, 1000, &n, &error) == 0)
		FUZZ_CHECK(n >= -1000 && n <= 1000);
	else
		fuzz_check_message(error.message);
	if (json_as_string(value, &string, &error) == 0) {
		json_quote(string, path, sizeof(path));
		fuzz_check_message(path);
		json_quote(string, small, sizeof(small));
	}
	if (json_as_word(value, words, ARRAY_SIZE(words), &word, &error) < 0)
		fuzz_check_message(error.message);
	if (json_as_bool(value, &flag, &error) < 0)
		fuzz_check_message(error.message);
	if (json_check_keys(value, words, ARRAY_SIZE(words), &error) < 0)
		fuzz_check_message(error.path);
	JSON_FOREACH(child, value)
	{
		if (json_key(child))
			FUZZ_CHECK(json_member(value, json_key(child)) == child);
		line = visit(child, line);
	}
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_doc *doc = NULL;
	struct json_error error;
	char message[1024];
	int r = json_parse((const char *)data, size, &doc, &error);

	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r == 0) {
		cJSON *tree = cJSON_ParseWithLengthOpts((const char *)data, size, NULL, false);

		FUZZ_CHECK(tree);
		check_same(json_root(doc), tree);
		cJSON_Delete(tree);
		visit(json_root(doc), 1);
		FUZZ_CHECK(!json_free(doc));
		return 0;
	}
	FUZZ_CHECK(!doc);
	json_error_format(&error, "f", message, sizeof(message));
	fuzz_check_message(message);
	return 0;
}
