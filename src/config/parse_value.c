// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/parse_value.h"

#include <errno.h>

int config_get_u32(const struct json_value *object, const char *key, int64_t min, int64_t max,
                   uint32_t *ret, struct json_error *error)
{
	int64_t value = *ret;
	int r;

	r = json_get_integer(object, key, min, max, &value, error);
	if (r == 0)
		*ret = (uint32_t)value;
	return r;
}

int config_get_duration(const struct json_value *object, const char *key, uint64_t unit_ns,
                        int64_t min, int64_t max, uint64_t *ret_ns, struct json_error *error)
{
	int64_t value = (int64_t)(*ret_ns / unit_ns);
	int r;

	r = json_get_integer(object, key, min, max, &value, error);
	if (r == 0)
		*ret_ns = (uint64_t)value * unit_ns;
	return r;
}

struct config_where config_where(const struct json_value *value)
{
	if (!value)
		return (struct config_where){0};
	return (struct config_where){.file = json_file(value), .line = json_line(value)};
}

size_t config_count_members(const struct json_value *value)
{
	size_t n = 0;

	JSON_FOREACH(member, value)
	n += !json_is_annotation(member);
	return n;
}

int config_out_of_memory(struct json_error *error)
{
	json_fail(NULL, error, "out of memory");
	return -ENOMEM;
}
