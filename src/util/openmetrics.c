// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/openmetrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/escape.h"

#define VALUE_MAX    256 /* bytes of a label's value before it is escaped; what is more is cut */
#define FIRST_ROOM   4096
#define DECIMALS_MAX 9U

/* Makes room for @n more bytes. Returns false if the family cannot go on. */
static bool make_room(struct openmetrics *m, size_t n)
{
	size_t room = m->room ? m->room : FIRST_ROOM;
	char *text;

	if (m->over || m->error)
		return false;
	if (m->size + n > m->limit) {
		m->over = true;
		m->left_out++;
		m->size = m->family_at;
		if (m->text)
			m->text[m->size] = '\0';
		return false;
	}
	while (room < m->size + n + 1)
		room *= 2;
	if (room == m->room)
		return true;
	text = realloc(m->text, room);
	if (!text) {
		m->error = -ENOMEM;
		return false;
	}
	m->text = text;
	m->room = room;
	return true;
}

static void put(struct openmetrics *m, const char *text, size_t n)
{
	if (!make_room(m, n))
		return;
	memcpy(m->text + m->size, text, n);
	m->size += n;
	m->text[m->size] = '\0';
}

static void put_text(struct openmetrics *m, const char *text)
{
	put(m, text, strlen(text));
}

static void put_line(struct openmetrics *m, const char *format, ...) PRINTF_FORMAT(2, 3);

static void put_line(struct openmetrics *m, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	put_text(m, line);
}

static const char *type_name(const struct openmetrics *m, enum openmetrics_type type)
{
	switch (type) {
	case OPENMETRICS_COUNTER:
		return "counter";
	case OPENMETRICS_GAUGE:
		return "gauge";
	case OPENMETRICS_HISTOGRAM:
		return "histogram";
	case OPENMETRICS_INFO:
		return m->format == OPENMETRICS ? "info" : "gauge";
	}
	return "unknown";
}

/* What a sample's name has after the family's. */
static const char *suffix(enum openmetrics_type type)
{
	return type == OPENMETRICS_COUNTER ? "_total" : type == OPENMETRICS_INFO ? "_info" : "";
}

void openmetrics_family(struct openmetrics *m, const struct openmetrics_family *family)
{
	/* in Prometheus's format a family has the name of its samples */
	const char *end = m->format == OPENMETRICS ? "" : suffix(family->type);

	m->family = family;
	m->family_at = m->size;
	m->over = false;
	put_line(m, "# TYPE %s%s %s\n", family->name, end, type_name(m, family->type));
	if (m->format == OPENMETRICS && family->unit)
		put_line(m, "# UNIT %s %s\n", family->name, family->unit);
	put_line(m, "# HELP %s%s %s\n", family->name, end, family->help);
}

size_t openmetrics_escape(const char *value, char *out, size_t size)
{
	char plain[ESCAPE_SIZE(VALUE_MAX)], cut[VALUE_MAX + 1];
	size_t used = 0;

	snprintf(cut, sizeof(cut), "%s", value);
	escape_text(cut, plain, sizeof(plain));
	for (const char *c = plain; *c;) {
		bool special = *c == '\\' || *c == '"' || *c == '\n';
		size_t n = special ? 1 : utf8_sequence(c, strlen(c));

		if (used + n + special >= size)
			break;
		if (special)
			out[used++] = '\\';
		memcpy(out + used, c, n);
		if (*c == '\n')
			out[used] = 'n';
		used += n;
		c += n;
	}
	out[used] = '\0';
	return used;
}

static void put_labels(struct openmetrics *m, const struct openmetrics_label *labels, size_t n)
{
	char value[2 * ESCAPE_SIZE(VALUE_MAX)];

	for (size_t i = 0; i < n; i++) {
		put(m, i ? "," : "{", 1);
		put_text(m, labels[i].name);
		put(m, "=\"", 2);
		put(m, value, openmetrics_escape(labels[i].value, value, sizeof(value)));
		put(m, "\"", 1);
	}
	if (n)
		put(m, "}", 1);
}

static void put_value(struct openmetrics *m, uint64_t value, unsigned int decimals)
{
	uint64_t one = 1;

	for (unsigned int i = 0; i < MIN(decimals, DECIMALS_MAX); i++)
		one *= 10;
	if (one == 1)
		put_line(m, " %" PRIu64 "\n", value);
	else
		put_line(m, " %" PRIu64 ".%0*" PRIu64 "\n", value / one, (int)decimals,
		         value % one);
}

void openmetrics_sample(struct openmetrics *m, const char *part,
                        const struct openmetrics_label *labels, size_t n, uint64_t value,
                        unsigned int decimals)
{
	if (m->over || m->error)
		return;
	put_text(m, m->family->name);
	if (part) {
		put(m, "_", 1);
		put_text(m, part);
	} else {
		put_text(m, suffix(m->family->type));
	}
	put_labels(m, labels, n);
	put_value(m, value, decimals);
}

int openmetrics_end(struct openmetrics *m)
{
	m->family_at = m->size;
	m->over = false;
	if (m->format == OPENMETRICS)
		put_text(m, "# EOF\n");
	return m->error;
}

void openmetrics_clear(struct openmetrics *m)
{
	free(m->text);
	*m = OPENMETRICS_INIT(m->format, m->limit);
}
