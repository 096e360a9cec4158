/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Strict JSON: the only reader of JSON here. cJSON's accepts trailing garbage and duplicate keys,
 * ignores case, cuts strings at \u0000 and rounds big integers; here all of that is an error with a
 * line, a JSON path and a sentence for people. cJSON is for what is written.
 *
 *	struct json_error error;
 *	struct json_doc *doc CLEANUP(json_cleanup) = NULL;
 *	int64_t share = 300;
 *
 *	r = json_parse(text, size, &doc, &error);
 *	if (r < 0)
 *		... json_error_format(&error, "pvschedd.json", buffer, sizeof(buffer)) ...
 *	r = json_check_keys(json_root(doc), keys, ARRAY_SIZE(keys), &error);
 *	r = json_get_integer(json_root(doc), "share_permille", 1, 500, &share, &error);
 *
 * Functions that take an error fill it whenever they return non-zero. They return 0, -EBADMSG when
 * the text is not what it should be, -ENOMEM when memory is out.
 */

#include "util/base.h"
#include "util/json_error.h"

struct json_doc;
struct json_value;

/**
 * Parses @size bytes at @text, which need no terminating zero. Refused: anything RFC 8259 refuses,
 * a byte order mark, bytes after the value, duplicate keys, invalid UTF-8, NUL as a byte or as
 * \u0000, lone surrogates, more than JSON_DEPTH_MAX levels, more than JSON_SIZE_MAX bytes.
 * Numbers of any size pass here and are judged by json_as_integer(), except those of more than 63
 * characters.
 * Returns 0 and *ret, which json_free() frees; nothing in it points into @text.
 */
int json_parse(const char *text, size_t size, struct json_doc **ret, struct json_error *error);

/** Frees a document with all its values; takes NULL; returns NULL. */
struct json_doc *json_free(struct json_doc *doc);

/** For CLEANUP(). */
void json_cleanup(struct json_doc **doc);

/** "NAME:LINE: PATH: MESSAGE", with what is not known left out; @size > 0. */
void json_error_format(const struct json_error *error, const char *name, char *buffer, size_t size);

/** The outermost value; all values live as long as their document. */
const struct json_value *json_root(const struct json_doc *doc);

enum json_type json_type(const struct json_value *value);

/** The line on which a value begins, from 1. */
unsigned int json_line(const struct json_value *value);

/** Gives all values of a document a number of the caller's, which tells them apart once merged. */
void json_set_file(struct json_doc *doc, unsigned int file);

/** That number; 0 unless set. */
unsigned int json_file(const struct json_value *value);

/**
 * Merges @n >= 1 documents into one. Later documents override earlier ones: objects are merged by
 * key at every level; any other value replaces the earlier one whole. Members come in the order of
 * their keys. A merged object stands where the last document that has it says.
 * Returns 0 and *ret, to be freed before @docs, of which it is made; -ENOMEM with an error.
 */
int json_merge(const struct json_doc *const docs[], size_t n, struct json_doc **ret,
               struct json_error *error);

/** The key of a member of an object, NULL for others. */
const char *json_key(const struct json_value *value);

/** ".a.b[2]", keys of other than [A-Za-z0-9_-] as ["k"], escaped; "." for the root; @size > 0. */
void json_path(const struct json_value *value, char *buffer, size_t size);

/** Writes a string in quotes, escaped for a terminal or a log, cut at 64 bytes; @size > 0. */
void json_quote(const char *string, char *buffer, size_t size);

/** The first member or element, in the order of the text; NULL if there is none. */
const struct json_value *json_first(const struct json_value *parent);

/** The next one; NULL after the last. */
const struct json_value *json_next(const struct json_value *value);

#define JSON_FOREACH(child, parent)                                                                \
	for (const struct json_value *child = json_first(parent); child; child = json_next(child))

/** True for the members that any object may have: "//" (a comment) and "$schema". */
bool json_is_annotation(const struct json_value *member);

/** The member of exactly this key; NULL if there is none, or @object is not an object. */
const struct json_value *json_member(const struct json_value *object, const char *key);

/** Says what is wrong with a value (NULL: with the text): fills the error, returns -EBADMSG. */
int json_fail(const struct json_value *value, struct json_error *error, const char *format, ...)
        PRINTF_FORMAT(3, 4);

/** Refuses a value that is not an object. A "$schema" in it must be a string. */
int json_check_object(const struct json_value *value, struct json_error *error);

/** Refuses a value that is not an object, or has keys other than @keys and annotations. */
int json_check_keys(const struct json_value *value, const char *const keys[], size_t n_keys,
                    struct json_error *error);

/** An integer, written without fraction and exponent, of @min..@max (within +-JSON_INTEGER_MAX). */
int json_as_integer(const struct json_value *value, int64_t min, int64_t max, int64_t *ret,
                    struct json_error *error);

int json_as_bool(const struct json_value *value, bool *ret, struct json_error *error);

/** A string; *ret lives as long as the document. */
int json_as_string(const struct json_value *value, const char **ret, struct json_error *error);

/** One of the @n_words words; *ret becomes its index. */
int json_as_word(const struct json_value *value, const char *const words[], size_t n_words,
                 size_t *ret, struct json_error *error);

/*
 * The same for a member of an object: an absent member is no error and leaves *ret as it was, so
 * that callers set the default first.
 */
int json_get_integer(const struct json_value *object, const char *key, int64_t min, int64_t max,
                     int64_t *ret, struct json_error *error);
int json_get_bool(const struct json_value *object, const char *key, bool *ret,
                  struct json_error *error);
int json_get_word(const struct json_value *object, const char *key, const char *const words[],
                  size_t n_words, size_t *ret, struct json_error *error);

/** Copies a string that fits into @size bytes with its zero; a longer one is an error. */
int json_get_string(const struct json_value *object, const char *key, char *buffer, size_t size,
                    struct json_error *error);
