/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/pseudonyms.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/cleanup.h"
#include "util/json.h"

/** One way in which a name may be written. */
struct spelling {
	char *text;
	size_t length;
	unsigned int number; /* of the guest */
	bool uuid;
};

struct pseudonyms {
	struct spelling *spellings; /* the longest first */
	size_t n;
	unsigned int n_guests;
};

struct pseudonyms *pseudonyms_new(void)
{
	return calloc(1, sizeof(struct pseudonyms));
}

struct pseudonyms *pseudonyms_free(struct pseudonyms *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; i < p->n; i++)
		free(p->spellings[i].text);
	free(p->spellings);
	free(p);
	return NULL;
}

void pseudonyms_cleanup(struct pseudonyms **pseudonyms)
{
	pseudonyms_free(*pseudonyms);
}

static const struct spelling *find(const struct pseudonyms *p, const char *text)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcasecmp(p->spellings[i].text, text) == 0)
			return &p->spellings[i];
	return NULL;
}

/** Takes @text over. */
static int add_spelling(struct pseudonyms *p, char *text, unsigned int number, bool uuid)
{
	CLEANUP(cleanup_free) char *owned = text;
	size_t length = text ? strlen(text) : 0, place = 0;
	struct spelling *more;

	if (!text)
		return -ENOMEM;
	if (length == 0 || find(p, text))
		return 0;
	more = realloc(p->spellings, (p->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	p->spellings = more;
	while (place < p->n && more[place].length >= length)
		place++;
	memmove(&more[place + 1], &more[place], (p->n - place) * sizeof(*more));
	more[place] = (struct spelling){STEAL(owned, NULL), length, number, uuid};
	p->n++;
	return 0;
}

/** As between the quotes of a JSON string. */
static char *json_escaped(const char *text)
{
	char *ret = malloc(6 * strlen(text) + 1), *to = ret;

	for (; ret && *text; text++) {
		if (*text == '"' || *text == '\\')
			to += sprintf(to, "\\%c", *text);
		else if (*text == '\n' || *text == '\t')
			to += sprintf(to, "\\%c", *text == '\n' ? 'n' : 't');
		else if ((unsigned char)*text < ' ')
			to += sprintf(to, "\\u%04x", (unsigned int)*text);
		else
			*to++ = *text;
	}
	if (ret)
		*to = '\0';
	return ret;
}

/** As systemd names a scope after it: \x2d for a hyphen. */
static char *unit_escaped(const char *text)
{
	char *ret = malloc(4 * strlen(text) + 1), *to = ret;

	for (; ret && *text; text++) {
		if (isalnum((unsigned char)*text) || *text == '.' || *text == '_' || *text == ':')
			*to++ = *text;
		else
			to += sprintf(to, "\\x%02x", (unsigned int)(unsigned char)*text);
	}
	if (ret)
		*to = '\0';
	return ret;
}

/** As in a JSON path, which quotes and cuts it. */
static char *path_quoted(const char *text)
{
	char quoted[1024];
	size_t length;

	json_quote(text, quoted, sizeof(quoted));
	length = strlen(quoted) - 1;
	if (length >= 4 && strncmp(quoted + length - 3, "...", 3) == 0)
		length -= 3;
	return strndup(quoted + 1, length - 1);
}

/** A spelling, and the same inside a JSON string. Takes @text over. */
static int add_both(struct pseudonyms *p, char *text, unsigned int number)
{
	CLEANUP(cleanup_free) char *escaped = text ? json_escaped(text) : NULL;
	int r = add_spelling(p, text, number, false);

	return r < 0 ? r : add_spelling(p, STEAL(escaped, NULL), number, false);
}

static int add_name(struct pseudonyms *p, const char *name, unsigned int number)
{
	int r = add_both(p, strdup(name), number);

	if (r == 0)
		r = add_both(p, path_quoted(name), number);
	if (r == 0)
		r = add_both(p, unit_escaped(name), number);
	return r;
}

/** A number is no secret, and to replace it would spoil all figures. */
static bool is_number(const char *name)
{
	return name[strspn(name, "0123456789")] == '\0';
}

int pseudonyms_add(struct pseudonyms *p, const char *name, const char *uuid)
{
	const struct spelling *known = find(p, name);
	unsigned int number;
	int r = 0;

	if (!known && uuid[0])
		known = find(p, uuid);
	number = known ? known->number : ++p->n_guests;
	if (!is_number(name))
		r = add_name(p, name, number);
	if (r == 0 && uuid[0])
		r = add_spelling(p, strdup(uuid), number, true);
	return r;
}

/* ---- writing ---- */

static bool is_of_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/** Does a word begin at @at? What \x2d ends in is not part of the next word. */
static bool begins_word(const char *text, const char *at)
{
	return at == text || !is_of_word(at[-1]) ||
	       (at - text >= 4 && at[-4] == '\\' && at[-3] == 'x' &&
	        isxdigit((unsigned char)at[-2]) && isxdigit((unsigned char)at[-1])) ||
	       (at - text >= 2 && at[-2] == '\\'); /* as of "\n" */
}

static bool ends_word(const char *at, const char *end)
{
	return at == end || !is_of_word(*at);
}

static const struct spelling *spelled_at(const struct pseudonyms *p, const char *text,
                                         const char *at, const char *end)
{
	bool begins = begins_word(text, at);

	for (size_t i = 0; i < p->n; i++) {
		const struct spelling *s = &p->spellings[i];

		if (s->length > (size_t)(end - at) || strncasecmp(at, s->text, s->length) != 0)
			continue;
		/* beside other characters than letters a name has no words */
		if ((begins || !is_of_word(s->text[0])) &&
		    (ends_word(at + s->length, end) || !is_of_word(s->text[s->length - 1])))
			return s;
	}
	return NULL;
}

/**
 * The length of a machine's name, which may be a domain's that was cut or changed:
 * "qemu-3-NAME", or with hyphens escaped once or twice. 0: there is none.
 */
static size_t machine_name(const char *at, const char *end)
{
	static const char *const hyphens[] = {"-", "\\x2d", "\\\\x2d"};
	static const char stops[] = "/\" ,;";

	for (size_t i = 0; i < ARRAY_SIZE(hyphens); i++) {
		size_t n = strlen("qemu"), h = strlen(hyphens[i]), digits = 0;

		if ((size_t)(end - at) < n + 2 * h + 1 || strncmp(at, "qemu", n) != 0 ||
		    strncmp(at + n, hyphens[i], h) != 0)
			continue;
		n += h;
		while (at + n + digits < end && isdigit((unsigned char)at[n + digits]))
			digits++;
		n += digits;
		if (!digits || (size_t)(end - at) < n + h || strncmp(at + n, hyphens[i], h) != 0)
			continue;
		while (at + n < end && !memchr(stops, at[n], strlen(stops)))
			n++;
		return n;
	}
	return 0;
}

void pseudonyms_write(const struct pseudonyms *p, const char *text, size_t size, FILE *out)
{
	const char *end = text + size, *at = text;

	while (at < end) {
		const struct spelling *s = spelled_at(p, text, at, end);
		size_t machine = s ? 0 : machine_name(at, end);

		if (s && s->uuid)
			fprintf(out, "00000000-0000-0000-0000-%012u", s->number);
		else if (s)
			fprintf(out, "guest-%u", s->number);
		else if (machine)
			fputs("qemu-machine", out);
		else
			fputc(*at, out);
		at += s ? s->length : machine ? machine : 1;
	}
}
