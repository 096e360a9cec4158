/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Members of an answer as text. The daemon may be older or newer than pvschedctl, so a member that
 * is missing or has another type becomes "-" and is no error.
 */

#include "ctl/table.h"
#include "util/json.h"

/** Returns a string member, not escaped, or @otherwise. */
const char *value_text(const struct json_value *object, const char *key, const char *otherwise);

/** Returns a string, such as an item of an array, not escaped, or @otherwise. */
const char *value_string(const struct json_value *value, const char *otherwise);

bool value_bool(const struct json_value *object, const char *key);

/** Returns -1 if there is no such number, or if it is negative. */
int64_t value_number(const struct json_value *object, const char *key);

/** Sums all numbers in an object such as "denied_total". Returns -1 if there is no object. */
int64_t value_sum(const struct json_value *object);

/** Writes the numbers above 0 in an object, as "budget 3, rate 1", or "" if there are none. */
void value_list(const struct json_value *object, char *buffer, size_t size);

/** Writes a duration with a unit: "250 us", "1.50 ms", "12.3 s", "2 h 5 min". */
void format_duration(int64_t ns, char *buffer, size_t size);

/* These add the next cell of a table: the member, or "-". */
void cell_text(struct table *table, const struct json_value *object, const char *key);
void cell_number(struct table *table, const struct json_value *object, const char *key);
/** The member is in nanoseconds; the cell is a duration. */
void cell_duration(struct table *table, const struct json_value *object, const char *key);
/** The member is in permille; the cell is a percentage such as "12.3 %". */
void cell_share(struct table *table, const struct json_value *object, const char *key);

/** A member in microseconds, as nanoseconds; -1 if it is missing. */
int64_t value_ns_of_us(const struct json_value *object, const char *key);
