/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/json_scan.h"

/* Longer keys and strings are cut in messages: a line must stay readable. */
#define QUOTE_MAX 64

/* A string built up to a limit: what does not fit is dropped. */
struct text {
	char *buffer;
	size_t size;
	size_t length;
};

static void PRINTF_FORMAT(2, 3) text_add(struct text *text, const char *format, ...)
{
	va_list args;
	int n;

	if (text->length + 1 >= text->size)
		return;
	va_start(args, format);
	n = vsnprintf(text->buffer + text->length, text->size - text->length, format, args);
	va_end(args);
	if (n > 0)
		text->length = MIN(text->length + (size_t)n, text->size - 1);
}

static struct text text_on(char *buffer, size_t size)
{
	if (size > 0)
		buffer[0] = '\0';
	return (struct text){.buffer = buffer, .size = size};
}

/* Takes away the beginning of a UTF-8 sequence that a limit cut: messages are sent as JSON again.
 */
static void trim_cut_sequence(char *string)
{
	size_t n = strlen(string);
	size_t tail = 0;
	unsigned char lead;

	while (tail < n && tail < 3 && ((unsigned char)string[n - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if (tail == n)
		return;
	lead = (unsigned char)string[n - 1 - tail];
	if (lead >= 0xc0 && tail < (lead < 0xe0 ? 1U : lead < 0xf0 ? 2U : 3U))
		string[n - 1 - tail] = '\0';
}

/* --- Errors --- */

static void add_quoted(struct text *text, const char *string)
{
	const unsigned char *p = (const unsigned char *)string;

	text_add(text, "\"");
	for (size_t i = 0; p[i]; i++) {
		/* Cut between characters: never in front of a continuation byte. */
		if (i >= QUOTE_MAX && (p[i] & 0xc0) != 0x80) {
			text_add(text, "...");
			break;
		}
		if (p[i] == '"' || p[i] == '\\')
			text_add(text, "\\%c", p[i]);
		else if (p[i] < ' ' || p[i] == 0x7f)
			text_add(text, "\\u%04x", p[i]);
		else if (p[i] == 0xc2 && p[i + 1] >= 0x80 && p[i + 1] < 0xa0)
			text_add(text, "\\u%04x",
			         p[++i]); /* C1 controls, which terminals obey too */
		else
			text_add(text, "%c", p[i]);
	}
	text_add(text, "\"");
}

void json_quote(const char *string, char *buffer, size_t size)
{
	struct text text = text_on(buffer, size);

	add_quoted(&text, string);
	trim_cut_sequence(buffer);
}

static bool is_plain_key(const char *key)
{
	static const char plain[] =
	        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t n = strlen(key);

	return n > 0 && n <= QUOTE_MAX && strspn(key, plain) == n;
}

static const struct json_value *parent_of(const struct json_value *value)
{
	return value->index == 0 ? NULL : value - value->index + value->parent;
}

static void add_path_step(struct text *text, const struct json_value *value)
{
	const char *key = value->key;

	if (parent_of(value)->type == JSON_ARRAY) {
		text_add(text, "[%u]", value->position);
	} else if (is_plain_key(key)) {
		text_add(text, ".%s", key);
	} else {
		text_add(text, "[");
		add_quoted(text, key);
		text_add(text, "]");
	}
}

void json_path(const struct json_value *value, char *buffer, size_t size)
{
	struct text text = text_on(buffer, size);
	const struct json_value *steps[JSON_DEPTH_MAX + 1];
	size_t n = 0;

	for (; parent_of(value) && n < ARRAY_SIZE(steps); value = parent_of(value))
		steps[n++] = value;
	if (n == 0 || parent_of(steps[n - 1])->type == JSON_ARRAY ||
	    !is_plain_key(steps[n - 1]->key))
		text_add(&text, ".");
	while (n > 0)
		add_path_step(&text, steps[--n]);
	trim_cut_sequence(buffer);
}

int json_fail(const struct json_value *value, struct json_error *error, const char *format, ...)
{
	va_list args;

	*error = JSON_ERROR_NULL;
	if (value) {
		error->file = value->file;
		error->line = value->line;
		json_path(value, error->path, sizeof(error->path));
	}
	va_start(args, format);
	vsnprintf(error->message, sizeof(error->message), format, args);
	va_end(args);
	trim_cut_sequence(error->message);
	return -EBADMSG;
}

void json_error_format(const struct json_error *error, const char *name, char *buffer, size_t size)
{
	struct text text = text_on(buffer, size);

	text_add(&text, "%s:", name);
	if (error->line > 0)
		text_add(&text, "%u:", error->line);
	if (error->path[0])
		text_add(&text, " %s:", error->path);
	text_add(&text, " %s", error->message);
	trim_cut_sequence(buffer);
}

/* --- Parsing --- */

static int compare_keys(const void *a, const void *b)
{
	const struct json_value *const *x = a, *const *y = b;
	int r = strcmp((*x)->key, (*y)->key);

	if (r != 0)
		return r;
	return (*x)->index < (*y)->index ? -1 : 1;
}

static int check_duplicates(const struct json_value *object, size_t n, struct json_error *error)
{
	const struct json_value **members CLEANUP(cleanup_free) = NULL;
	size_t i = 0;

	if (n < 2)
		return 0;
	members = calloc(n, sizeof(*members));
	if (!members) {
		json_fail(NULL, error, "out of memory");
		return -ENOMEM;
	}
	JSON_FOREACH(member, object)
	members[i++] = member;
	qsort(members, n, sizeof(*members), compare_keys);
	for (i = 1; i < n; i++)
		if (strcmp(members[i - 1]->key, members[i]->key) == 0)
			return json_fail(members[i], error, "this key is already on line %u",
			                 members[i - 1]->line);
	return 0;
}

/* Recursion is as deep as the text is, at most JSON_DEPTH_MAX. */
static int check_keys_differ(const struct json_value *value, struct json_error *error)
{
	size_t n = 0;
	int r;

	JSON_FOREACH(child, value)
	{
		r = check_keys_differ(child, error);
		if (r < 0)
			return r;
		n++;
	}
	return value->type == JSON_OBJECT ? check_duplicates(value, n, error) : 0;
}

int json_parse(const char *text, size_t size, struct json_doc **ret, struct json_error *error)
{
	struct json_doc *doc CLEANUP(json_cleanup) = calloc(1, sizeof(*doc));
	int r;

	*error = JSON_ERROR_NULL;
	if (!doc) {
		json_fail(NULL, error, "out of memory");
		return -ENOMEM;
	}
	r = json_scan(text, size, doc, error);
	if (r == 0)
		r = check_keys_differ(json_root(doc), error);
	if (r < 0)
		return r;
	*ret = STEAL(doc, NULL);
	return 0;
}

struct json_doc *json_free(struct json_doc *doc)
{
	if (!doc)
		return NULL;
	free(doc->strings);
	free(doc->values);
	free(doc);
	return NULL;
}

void json_cleanup(struct json_doc **doc)
{
	json_free(*doc);
}

/* --- Walking --- */

const struct json_value *json_root(const struct json_doc *doc)
{
	return doc->values;
}

enum json_type json_type(const struct json_value *value)
{
	return value->type;
}

unsigned int json_line(const struct json_value *value)
{
	return value->line;
}

unsigned int json_file(const struct json_value *value)
{
	return value->file;
}

void json_set_file(struct json_doc *doc, unsigned int file)
{
	for (size_t i = 0; i < doc->n_values; i++)
		doc->values[i].file = file;
}

const char *json_key(const struct json_value *value)
{
	return value->key;
}

const struct json_value *json_first(const struct json_value *parent)
{
	return parent->end > parent->index + 1 ? parent + 1 : NULL;
}

const struct json_value *json_next(const struct json_value *value)
{
	const struct json_value *parent = parent_of(value);

	return parent && value->end < parent->end ? value + (value->end - value->index) : NULL;
}

bool json_is_annotation(const struct json_value *member)
{
	const char *key = json_key(member);

	return key && (strcmp(key, "//") == 0 || strcmp(key, "$schema") == 0);
}

const struct json_value *json_member(const struct json_value *object, const char *key)
{
	if (object->type != JSON_OBJECT)
		return NULL;
	JSON_FOREACH(member, object)
	if (strcmp(json_key(member), key) == 0)
		return member;
	return NULL;
}
