/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strict JSON reader: whatever it accepts can be walked, asked and named. */
#include <errno.h>

#include "fuzz.h"

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

	/* -ENOMEM here would mean that cJSON refuses what the scan accepts. */
	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r == 0) {
		visit(json_root(doc), 1);
		FUZZ_CHECK(!json_free(doc));
		return 0;
	}
	FUZZ_CHECK(!doc);
	json_error_format(&error, "f", message, sizeof(message));
	fuzz_check_message(message);
	return 0;
}
