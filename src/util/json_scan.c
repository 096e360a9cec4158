/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/json_scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Many times what any number that is meant needs; other readers copy numbers into 64 bytes. */
#define NUMBER_LENGTH_MAX 63

/* Where the next value stands. */
struct place {
	uint32_t parent;
	uint32_t position;
	const char *key;
};

struct scan {
	const char *p;
	const char *end;
	const char *line_start;
	unsigned int line;
	unsigned int depth;
	struct place place;
	struct json_doc *doc;
	size_t n_allocated;
	char *string_end; /* of what is used of doc->strings */
	struct json_error *error;
};

static int scan_value(struct scan *s);

static int PRINTF_FORMAT(2, 3) scan_fail(struct scan *s, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	s->error->line = s->line;
	snprintf(s->error->message, sizeof(s->error->message), "column %zu: %s",
	         (size_t)(s->p - s->line_start) + 1, text);
	return -EBADMSG;
}

/* Says what stands where something else was expected. */
static int scan_expected(struct scan *s, const char *what)
{
	unsigned char c;

	if (s->p == s->end)
		return scan_fail(s, "the text ends where %s is expected", what);
	c = (unsigned char)*s->p;
	if (c > ' ' && c < 0x7f)
		return scan_fail(s, "expected %s, found '%c'", what, c);
	return scan_fail(s, "expected %s, found byte 0x%02x", what, c);
}

static bool at(const struct scan *s, char c)
{
	return s->p < s->end && *s->p == c;
}

static bool at_digit(const struct scan *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static void skip_blanks(struct scan *s)
{
	for (; at(s, ' ') || at(s, '\t') || at(s, '\r') || at(s, '\n'); s->p++) {
		if (*s->p == '\n') {
			s->line++;
			s->line_start = s->p + 1;
		}
	}
}

static int new_value(struct scan *s, enum json_type type)
{
	struct json_doc *doc = s->doc;

	if (doc->n_values == s->n_allocated) {
		size_t n = s->n_allocated ? s->n_allocated * 2 : 64;
		struct json_value *values = realloc(doc->values, n * sizeof(*values));

		if (!values) {
			scan_fail(s, "out of memory");
			return -ENOMEM;
		}
		doc->values = values;
		s->n_allocated = n;
	}
	doc->values[doc->n_values] = (struct json_value){
	        .type = type,
	        .key = s->place.key,
	        .line = s->line,
	        .index = (uint32_t)doc->n_values,
	        .parent = s->place.parent,
	        .position = s->place.position,
	};
	doc->n_values++;
	return 0;
}

/* Nothing that stands in a string of the text takes more room without escapes, and the zero at its
 * end takes that of a quote: so all of them fit into the size of the text. */
static void add_bytes(struct scan *s, const char *bytes, size_t n)
{
	memcpy(s->string_end, bytes, n);
	s->string_end += n;
}

static void add_character(struct scan *s, uint32_t c)
{
	static const uint32_t leads[] = {0, 0xc0, 0xe0, 0xf0};
	unsigned int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	*s->string_end++ = (char)(leads[more] | c >> 6 * more);
	while (more-- > 0)
		*s->string_end++ = (char)(0x80 | (c >> 6 * more & 0x3f));
}

static bool is_continuation(const char *p)
{
	return ((unsigned char)*p & 0xc0) == 0x80;
}

/* Length of the UTF-8 sequence at p; 0 if it is none: overlong, a surrogate, beyond U+10FFFF, cut.
 */
static size_t utf8_length(const char *p, const char *end)
{
	unsigned char c = (unsigned char)p[0];
	unsigned char next = end - p > 1 ? (unsigned char)p[1] : 0;
	size_t n;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if ((size_t)(end - p) < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (!is_continuation(p + i))
			return 0;
	if ((c == 0xe0 && next < 0xa0) || (c == 0xed && next > 0x9f) ||
	    (c == 0xf0 && next < 0x90) || (c == 0xf4 && next > 0x8f))
		return 0;
	return n;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Reads "uXXXX" behind a backslash; -1 if it is not there. */
static int32_t unicode_unit(const char *p, const char *end)
{
	int32_t unit = 0;

	if (end - p < 5 || p[0] != 'u')
		return -1;
	for (int i = 1; i < 5; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static int scan_unicode(struct scan *s)
{
	int32_t unit = unicode_unit(s->p, s->end);
	int32_t low;

	if (unit < 0)
		return scan_fail(s, "\\u needs four hexadecimal digits");
	if (unit == 0)
		return scan_fail(s, "\\u0000 is not allowed in a string");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return scan_fail(s, "the second half of a surrogate pair stands alone");
	s->p += 5;
	if (unit < 0xd800 || unit > 0xdbff) {
		add_character(s, (uint32_t)unit);
		return 0;
	}
	low = at(s, '\\') ? unicode_unit(s->p + 1, s->end) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return scan_fail(s, "the first half of a surrogate pair stands alone");
	s->p += 6;
	add_character(s, 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
	return 0;
}

static int scan_escape(struct scan *s)
{
	static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *found;

	s->p++;
	if (at(s, 'u'))
		return scan_unicode(s);
	found = s->p == s->end || *s->p == '\0' ? NULL : strchr(escapes, *s->p);
	if (!found)
		return scan_fail(s,
		                 "unknown escape in a string; a backslash itself is written \\\\");
	add_bytes(s, &meant[found - escapes], 1);
	s->p++;
	return 0;
}

/* *ret is what the string says, and lives as long as the document. */
static int scan_string(struct scan *s, const char **ret)
{
	*ret = s->string_end;
	s->p++;
	while (!at(s, '"')) {
		size_t n;
		int r;

		if (s->p == s->end)
			return scan_fail(s, "the text ends inside a string");
		if (*s->p == '\\') {
			r = scan_escape(s);
			if (r < 0)
				return r;
			continue;
		}
		if ((unsigned char)*s->p < ' ')
			return scan_fail(s,
			                 "byte 0x%02x in a string; is its closing quote missing? "
			                 "(a line break is written \\n)",
			                 (unsigned char)*s->p);
		n = utf8_length(s->p, s->end);
		if (n == 0)
			return scan_fail(s, "invalid UTF-8 (byte 0x%02x)", (unsigned char)*s->p);
		add_bytes(s, s->p, n);
		s->p += n;
	}
	s->p++;
	add_character(s, '\0');
	return 0;
}

/* The value of digits, or beyond JSON_INTEGER_MAX. */
static int64_t read_digits(const char *p, const char *end)
{
	int64_t n = 0;

	for (; p < end && n <= JSON_INTEGER_MAX; p++)
		n = n * 10 + (*p - '0');
	return n;
}

static int skip_digits(struct scan *s)
{
	if (!at_digit(s))
		return scan_expected(s, "a digit");
	while (at_digit(s))
		s->p++;
	return 0;
}

/* Fraction and exponent. Returns 1 if there was either. */
static int scan_fraction(struct scan *s)
{
	int found = 0;
	int r;

	if (at(s, '.')) {
		s->p++;
		r = skip_digits(s);
		if (r < 0)
			return r;
		found = 1;
	}
	if (at(s, 'e') || at(s, 'E')) {
		s->p++;
		if (at(s, '+') || at(s, '-'))
			s->p++;
		r = skip_digits(s);
		if (r < 0)
			return r;
		found = 1;
	}
	return found;
}

static int scan_number(struct scan *s, struct json_value *value)
{
	const char *start = s->p;
	const char *digits = *start == '-' ? start + 1 : start;
	int64_t magnitude;
	int r;

	s->p = digits;
	r = skip_digits(s);
	if (r < 0)
		return r;
	if (*digits == '0' && s->p - digits > 1) {
		s->p = digits;
		return scan_fail(s, "a number must not begin with 0");
	}
	magnitude = read_digits(digits, s->p);
	r = scan_fraction(s);
	if (r < 0)
		return r;
	if (s->p - start > NUMBER_LENGTH_MAX) {
		s->p = start;
		return scan_fail(s, "a number of more than %d characters", NUMBER_LENGTH_MAX);
	}
	value->number = r > 0                          ? JSON_NUMBER_FRACTION
	                : magnitude > JSON_INTEGER_MAX ? JSON_NUMBER_HUGE
	                                               : JSON_NUMBER_INTEGER;
	value->integer = *start == '-' ? -magnitude : magnitude;
	return 0;
}

static int scan_literal(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return scan_expected(s, "a value");
	s->p += n;
	return 0;
}

static int scan_member(struct scan *s)
{
	int r;

	if (!at(s, '"'))
		return scan_expected(s, "a key in double quotes");
	r = scan_string(s, &s->place.key);
	if (r < 0)
		return r;
	skip_blanks(s);
	if (!at(s, ':'))
		return scan_expected(s, "':' behind the key");
	s->p++;
	skip_blanks(s);
	return scan_value(s);
}

/* Of the value that was noted last. */
static int scan_list(struct scan *s, char close, int (*scan_one)(struct scan *s))
{
	struct place outside = s->place;
	uint32_t index = (uint32_t)s->doc->n_values - 1;
	int r;

	if (++s->depth > JSON_DEPTH_MAX)
		return scan_fail(s, "more than %d levels of objects and arrays", JSON_DEPTH_MAX);
	s->p++;
	skip_blanks(s);
	s->place = (struct place){.parent = index};
	while (!at(s, close)) {
		r = scan_one(s);
		if (r < 0)
			return r;
		s->place.position++;
		skip_blanks(s);
		if (at(s, close))
			break;
		if (!at(s, ','))
			return scan_expected(s, close == '}' ? "',' or '}'" : "',' or ']'");
		s->p++;
		skip_blanks(s);
		if (at(s, close))
			return scan_fail(s, "a ',' before '%c'", close);
	}
	s->p++;
	s->depth--;
	s->place = outside;
	return 0;
}

static int type_of(char c)
{
	switch (c) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
	case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	default:
		return c == '-' || (c >= '0' && c <= '9') ? JSON_NUMBER : -1;
	}
}

static int scan_content(struct scan *s, size_t index)
{
	struct json_value *value = &s->doc->values[index];

	switch (value->type) {
	case JSON_OBJECT:
		return scan_list(s, '}', scan_member);
	case JSON_ARRAY:
		return scan_list(s, ']', scan_value);
	case JSON_STRING:
		return scan_string(s, &value->string);
	case JSON_NUMBER:
		return scan_number(s, value);
	case JSON_BOOL:
		value->integer = *s->p == 't';
		return scan_literal(s, value->integer ? "true" : "false");
	case JSON_NULL:
		return scan_literal(s, "null");
	}
	return -EINVAL;
}

static int scan_value(struct scan *s)
{
	int type = s->p < s->end ? type_of(*s->p) : -1;
	size_t index = s->doc->n_values;
	int r;

	if (type < 0)
		return scan_expected(s, "a value");
	r = new_value(s, (enum json_type)type);
	if (r == 0)
		r = scan_content(s, index);
	if (r < 0)
		return r;
	s->doc->values[index].end = (uint32_t)s->doc->n_values;
	return 0;
}

static int scan_text(struct scan *s)
{
	int r;

	if (s->end - s->p >= 3 && memcmp(s->p, "\xef\xbb\xbf", 3) == 0)
		return scan_fail(s, "a byte order mark; save the text as UTF-8 without one");
	skip_blanks(s);
	r = scan_value(s);
	if (r < 0)
		return r;
	skip_blanks(s);
	if (s->p < s->end)
		return scan_expected(s, "the end of the text");
	return 0;
}

int json_scan(const char *text, size_t size, struct json_doc *doc, struct json_error *error)
{
	struct scan s = {.p = text,
	                 .end = text + size,
	                 .line_start = text,
	                 .line = 1,
	                 .doc = doc,
	                 .error = error};

	if (size > JSON_SIZE_MAX) {
		scan_fail(&s, "a text of %zu bytes; at most %d are read", size, JSON_SIZE_MAX);
		return -EBADMSG;
	}
	doc->strings = malloc(size + 1);
	if (!doc->strings) {
		scan_fail(&s, "out of memory");
		return -ENOMEM;
	}
	s.string_end = doc->strings;
	return scan_text(&s);
}
