/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/value.h"

#include <inttypes.h>
#include <string.h>

const char *value_text(const struct json_value *object, const char *key, const char *otherwise)
{
	return value_string(object ? json_member(object, key) : NULL, otherwise);
}

const char *value_string(const struct json_value *value, const char *otherwise)
{
	struct json_error error;
	const char *text;

	if (!value || json_as_string(value, &text, &error) != 0)
		return otherwise;
	return text;
}

bool value_bool(const struct json_value *object, const char *key)
{
	struct json_error error;
	bool value = false;

	if (!object || json_get_bool(object, key, &value, &error) != 0)
		return false;
	return value;
}

/** Returns -1 for anything but a number of at least 0. */
static int64_t as_number(const struct json_value *value)
{
	struct json_error error;
	int64_t number;

	if (!value || json_as_integer(value, 0, JSON_INTEGER_MAX, &number, &error) != 0)
		return -1;
	return number;
}

int64_t value_number(const struct json_value *object, const char *key)
{
	return object ? as_number(json_member(object, key)) : -1;
}

int64_t value_sum(const struct json_value *object)
{
	int64_t sum = 0;

	if (!object || json_type(object) != JSON_OBJECT)
		return -1;
	JSON_FOREACH(member, object)
	{
		int64_t number = as_number(member);

		if (number > 0 && number <= JSON_INTEGER_MAX - sum)
			sum += number;
	}
	return sum;
}

void value_list(const struct json_value *object, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	if (!object || json_type(object) != JSON_OBJECT)
		return;
	JSON_FOREACH(member, object)
	{
		int64_t number = as_number(member);
		int n;

		if (number <= 0)
			continue;
		n = snprintf(buffer + used, size - used, "%s%s %" PRId64, used ? ", " : "",
		             json_key(member), number);
		if (n < 0 || (size_t)n >= size - used) {
			buffer[used] = '\0';
			return;
		}
		used += (size_t)n;
	}
}

void format_duration(int64_t ns, char *buffer, size_t size)
{
	int64_t s = ns / (int64_t)NSEC_PER_SEC;

	if (ns < (int64_t)NSEC_PER_MSEC)
		snprintf(buffer, size, "%" PRId64 " us", ns / (int64_t)NSEC_PER_USEC);
	else if (ns < (int64_t)NSEC_PER_SEC)
		snprintf(buffer, size, "%.2f ms", (double)ns / (double)NSEC_PER_MSEC);
	else if (s < 60)
		snprintf(buffer, size, "%.1f s", (double)ns / (double)NSEC_PER_SEC);
	else if (s < 3600)
		snprintf(buffer, size, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
	else
		snprintf(buffer, size, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
}

void cell_text(struct table *table, const struct json_value *object, const char *key)
{
	const char *text = value_text(object, key, "-");

	table_add(table, text[0] ? text : "-");
}

void cell_number(struct table *table, const struct json_value *object, const char *key)
{
	int64_t number = value_number(object, key);

	if (number < 0)
		table_add(table, "-");
	else
		table_addf(table, "%" PRId64, number);
}

void cell_duration(struct table *table, const struct json_value *object, const char *key)
{
	int64_t ns = value_number(object, key);
	char text[64] = "-";

	if (ns >= 0)
		format_duration(ns, text, sizeof(text));
	table_add(table, text);
}

void cell_share(struct table *table, const struct json_value *object, const char *key)
{
	int64_t permille = value_number(object, key);

	if (permille < 0)
		table_add(table, "-");
	else
		table_addf(table, "%" PRId64 ".%" PRId64 " %%", permille / 10, permille % 10);
}

int64_t value_ns_of_us(const struct json_value *object, const char *key)
{
	int64_t us = value_number(object, key);

	return us < 0 || us > INT64_MAX / 1000 ? -1 : us * 1000;
}
