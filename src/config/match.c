/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/match.h"

#include <string.h>

static bool is_ascii(char c)
{
	return (unsigned char)c < 0x80;
}

/* Returns the end of the UTF-8 character at s. */
static const char *next_char(const char *s)
{
	for (s++; ((unsigned char)*s & 0xc0) == 0x80; s++)
		;
	return s;
}

/* Returns the first character of a bracket's set; *negated is set for [!...]. */
static const char *bracket_set(const char *p, bool *negated)
{
	p++;
	*negated = *p == '!';
	return *negated ? p + 1 : p;
}

/* Skips one item of a bracket's set, a character or a range. */
static const char *bracket_item(const char *p, char *first, char *last)
{
	*first = *last = p[0];
	if (p[0] && p[1] == '-' && p[2] && p[2] != ']') {
		*last = p[2];
		return p + 3;
	}
	return p + 1;
}

static const char *bracket_problem(const char **pattern)
{
	bool negated;
	const char *set = bracket_set(*pattern, &negated);
	const char *p = set;
	char first, last;

	for (; *p && (*p != ']' || p == set); p = bracket_item(p, &first, &last)) {
		bracket_item(p, &first, &last);
		if (!is_ascii(first) || !is_ascii(last))
			return "a non-ASCII character between [ and ]";
		if (first > last)
			return "a range between [ and ] that ends before it starts";
	}
	if (!*p)
		return "a [ without a ]; write a literal [ as \\[ (in JSON \\\\[)";
	*pattern = p + 1;
	return NULL;
}

const char *glob_problem(const char *pattern)
{
	const char *p = pattern;

	if (!*p)
		return "an empty pattern";
	if (strlen(p) >= DOMAIN_NAME_MAX)
		return "a pattern longer than any domain's name";
	while (*p) {
		if (*p == '[') {
			const char *problem = bracket_problem(&p);

			if (problem)
				return problem;
		} else if (*p == '\\' && !p[1]) {
			return "a \\ at the end; write a literal \\ as \\\\ (in JSON \\\\\\\\)";
		} else {
			p += *p == '\\' ? 2 : 1;
		}
	}
	return NULL;
}

/* Returns the end of the bracket at p, which must have a ]. */
static const char *skip_bracket(const char *p)
{
	bool negated;
	const char *set = bracket_set(p, &negated);
	char first, last;

	for (p = set; *p != ']' || p == set; p = bracket_item(p, &first, &last))
		;
	return p + 1;
}

unsigned int glob_literals(const char *pattern)
{
	const char *p = pattern;
	unsigned int n = 0;

	while (*p) {
		if (*p == '[') {
			p = skip_bracket(p);
		} else if (*p == '*' || *p == '?') {
			p++;
		} else {
			p += *p == '\\' ? 2 : 1;
			n++;
		}
	}
	return n;
}

static bool bracket_match(const char *p, char c)
{
	bool negated, found = false;
	const char *set = bracket_set(p, &negated);
	char first, last;

	for (p = set; *p != ']' || p == set;) {
		p = bracket_item(p, &first, &last);
		if (is_ascii(c) && c >= first && c <= last)
			found = true;
	}
	return found != negated;
}

/* Matches one item of the pattern other than * with one character of the name; skips both. */
static bool match_step(const char **pattern, const char **name)
{
	const char *p = *pattern;

	if (*p == '?') {
		*pattern = p + 1;
		*name = next_char(*name);
		return true;
	}
	if (*p == '[') {
		if (!bracket_match(p, **name))
			return false;
		*pattern = skip_bracket(p);
		*name = next_char(*name);
		return true;
	}
	if (*p == '\\')
		p++;
	if (!*p || *p != **name)
		return false;
	*pattern = p + 1;
	(*name)++;
	return true;
}

bool glob_match(const char *pattern, const char *name)
{
	const char *after_star = NULL; /* the pattern after the last * */
	const char *retry = NULL;      /* end of the characters that this * matches */

	while (*name) {
		if (*pattern == '*') {
			after_star = ++pattern;
			retry = name;
		} else if (!match_step(&pattern, &name)) {
			/* Retrying the last * suffices: earlier ones never need to match more. */
			if (!after_star)
				return false;
			retry = next_char(retry);
			name = retry;
			pattern = after_star;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool uuid_canonical(const char *text, char ret[DOMAIN_UUID_LEN])
{
	/* The index modulo 16 is the digit's value in either case. */
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	char canonical[DOMAIN_UUID_LEN] = "";

	if (strlen(text) != DOMAIN_UUID_LEN - 1)
		return false;
	for (size_t i = 0; i < DOMAIN_UUID_LEN - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		const char *digit = dash ? NULL : strchr(digits, text[i]);

		if (dash ? text[i] != '-' : !digit)
			return false;
		canonical[i] = dash ? '-' : digits[(digit - digits) % 16];
	}
	memcpy(ret, canonical, sizeof(canonical));
	return true;
}
