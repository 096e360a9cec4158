/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a value must be: the typed, range-checked accessors of util/json.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/json.h"
#include "util/json_scan.h"

static const char *type_name(const struct json_value *value)
{
	switch (value->type) {
	case JSON_NULL:
		return "null";
	case JSON_BOOL:
		return "true or false";
	case JSON_NUMBER:
		return "a number";
	case JSON_STRING:
		return "a string";
	case JSON_ARRAY:
		return "an array";
	case JSON_OBJECT:
		return "an object";
	}
	return "?";
}

static int check_type(const struct json_value *value, enum json_type type, const char *what,
                      struct json_error *error)
{
	if (value->type == type)
		return 0;
	return json_fail(value, error, "must be %s, not %s", what, type_name(value));
}

/* "a, b, c"; cut when there are more than a line can hold. */
static void list_words(const char *const words[], size_t n_words, char *buffer, size_t size)
{
	size_t length = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < n_words && length < size; i++) {
		int n = snprintf(buffer + length, size - length, "%s%s", i ? ", " : "", words[i]);

		length += n > 0 ? (size_t)n : 0;
	}
}

int json_check_object(const struct json_value *value, struct json_error *error)
{
	const struct json_value *schema = json_member(value, "$schema");
	int r;

	r = check_type(value, JSON_OBJECT, "an object", error);
	if (r < 0)
		return r;
	return schema ? check_type(schema, JSON_STRING, "a string", error) : 0;
}

static bool is_known(const char *key, const char *const keys[], size_t n_keys)
{
	for (size_t i = 0; i < n_keys; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

int json_check_keys(const struct json_value *value, const char *const keys[], size_t n_keys,
                    struct json_error *error)
{
	char known[384];
	int r;

	r = json_check_object(value, error);
	if (r < 0)
		return r;
	JSON_FOREACH(member, value)
	{
		if (json_is_annotation(member) || is_known(json_key(member), keys, n_keys))
			continue;
		list_words(keys, n_keys, known, sizeof(known));
		return json_fail(member, error, "unknown key; known keys: %s", known);
	}
	return 0;
}

int json_as_integer(const struct json_value *value, int64_t min, int64_t max, int64_t *ret,
                    struct json_error *error)
{
	int r;

	r = check_type(value, JSON_NUMBER, "a whole number", error);
	if (r < 0)
		return r;
	if (value->number == JSON_NUMBER_FRACTION)
		return json_fail(value, error,
		                 "must be a whole number from %" PRId64 " to %" PRId64
		                 ", written without fraction and exponent",
		                 min, max);
	if (value->number == JSON_NUMBER_HUGE)
		return json_fail(value, error,
		                 "is beyond 2^53; must be from %" PRId64 " to %" PRId64, min, max);
	if (value->integer < min || value->integer > max)
		return json_fail(value, error,
		                 "is %" PRId64 "; must be from %" PRId64 " to %" PRId64,
		                 value->integer, min, max);
	*ret = value->integer;
	return 0;
}

int json_as_bool(const struct json_value *value, bool *ret, struct json_error *error)
{
	int r;

	r = check_type(value, JSON_BOOL, "true or false", error);
	if (r < 0)
		return r;
	*ret = value->integer != 0;
	return 0;
}

int json_as_string(const struct json_value *value, const char **ret, struct json_error *error)
{
	int r;

	r = check_type(value, JSON_STRING, "a string", error);
	if (r < 0)
		return r;
	*ret = value->string;
	return 0;
}

int json_as_word(const struct json_value *value, const char *const words[], size_t n_words,
                 size_t *ret, struct json_error *error)
{
	char known[256], quoted[128];
	const char *string;
	int r;

	r = json_as_string(value, &string, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_words; i++) {
		if (strcmp(string, words[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	json_quote(string, quoted, sizeof(quoted));
	list_words(words, n_words, known, sizeof(known));
	return json_fail(value, error, "%s is not one of: %s", quoted, known);
}

int json_get_integer(const struct json_value *object, const char *key, int64_t min, int64_t max,
                     int64_t *ret, struct json_error *error)
{
	const struct json_value *value = json_member(object, key);

	return value ? json_as_integer(value, min, max, ret, error) : 0;
}

int json_get_bool(const struct json_value *object, const char *key, bool *ret,
                  struct json_error *error)
{
	const struct json_value *value = json_member(object, key);

	return value ? json_as_bool(value, ret, error) : 0;
}

int json_get_word(const struct json_value *object, const char *key, const char *const words[],
                  size_t n_words, size_t *ret, struct json_error *error)
{
	const struct json_value *value = json_member(object, key);

	return value ? json_as_word(value, words, n_words, ret, error) : 0;
}

int json_get_string(const struct json_value *object, const char *key, char *buffer, size_t size,
                    struct json_error *error)
{
	const struct json_value *value = json_member(object, key);
	const char *string;
	int r;

	if (!value)
		return 0;
	r = json_as_string(value, &string, error);
	if (r < 0)
		return r;
	if (strlen(string) >= size)
		return json_fail(value, error, "is %zu bytes long; at most %zu are allowed",
		                 strlen(string), size - 1);
	memcpy(buffer, string, strlen(string) + 1);
	return 0;
}
