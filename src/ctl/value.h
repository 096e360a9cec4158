/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Members of an answer as text for people. The daemon may be older or newer than we are, so a
 * member that is missing or of another type is "-" and no error.
 */

#include "ctl/table.h"
#include "util/json.h"

/** A string member, or @otherwise. Not escaped. */
const char *value_text(const struct json_value *object, const char *key, const char *otherwise);

bool value_bool(const struct json_value *object, const char *key);

/** Outcomes: -1 when there is no such number, or it is negative. */
int64_t value_number(const struct json_value *object, const char *key);

/** Sum of all numbers in an object such as "denied_total"; -1 if there is no object. */
int64_t value_sum(const struct json_value *object);

/** "budget 3, rate limit 1": the numbers above 0 of an object, "" if there are none. */
void value_list(const struct json_value *object, char *buffer, size_t size);

/** A duration as people read it: "250 us", "1.50 ms", "12.3 s", "2 h 5 min". */
void format_duration(int64_t ns, char *buffer, size_t size);

/*
 * The next cell of a table: the member, or "-".
 */
void cell_text(struct table *table, const struct json_value *object, const char *key);
void cell_number(struct table *table, const struct json_value *object, const char *key);
/** Of nanoseconds, as a duration. */
void cell_duration(struct table *table, const struct json_value *object, const char *key);
/** Of permille, as "12.3 %". */
void cell_share(struct table *table, const struct json_value *object, const char *key);
