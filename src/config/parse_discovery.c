/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The members of the object "host" that say which sources find domains, and which processes are
 * QEMU.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/parse_discovery.h"
#include "config/parse_value.h"

/* Checks that a value is an array of 1 to @max elements, and counts them. */
static int check_array(const struct json_value *array, size_t max, size_t *n,
                       struct json_error *error)
{
	if (json_type(array) != JSON_ARRAY)
		return json_fail(array, error, "must be an array");
	*n = 0;
	JSON_FOREACH(element, array)
	(*n)++;
	if (*n == 0)
		return json_fail(array, error, "must not be empty");
	if (*n > max)
		return json_fail(array, error, "has %zu elements; at most %zu", *n, max);
	return 0;
}

static int parse_sources(const struct json_value *value, struct config_host *host,
                         struct json_error *error)
{
	static const char *const words[] = {
	        [DOMAIN_SOURCE_LIBVIRT] = "libvirt",
	        [DOMAIN_SOURCE_PROCFS] = "procfs",
	};
	const struct json_value *array = json_member(value, "discovery");
	size_t n, word, i;
	int r;

	if (!array)
		return 0;
	r = check_array(array, _DOMAIN_SOURCE_MAX, &n, error);
	if (r < 0)
		return r;
	host->n_discovery = 0;
	JSON_FOREACH(element, array)
	{
		r = json_as_word(element, words, ARRAY_SIZE(words), &word, error);
		if (r < 0)
			return r;
		for (i = 0; i < host->n_discovery; i++)
			if (host->discovery[i] == (enum domain_source)word)
				return json_fail(element, error, "is listed twice; remove one");
		host->discovery[host->n_discovery++] = (enum domain_source)word;
	}
	/* unused elements get a fixed value, so that two structs can be compared */
	for (i = host->n_discovery; i < _DOMAIN_SOURCE_MAX; i++)
		host->discovery[i] = DOMAIN_SOURCE_LIBVIRT;
	return 0;
}

static int parse_texts(const struct json_value *value, const char *key, struct config_texts *ret,
                       struct json_error *error)
{
	const struct json_value *array = json_member(value, key);
	struct config_texts texts = {0};
	const char *text;
	size_t n;
	int r;

	if (!array)
		return 0;
	r = check_array(array, CONFIG_TEXTS_MAX, &n, error);
	if (r < 0)
		return r;
	JSON_FOREACH(element, array)
	{
		r = json_as_string(element, &text, error);
		if (r < 0)
			return r;
		if (*text == '\0' || strlen(text) >= CONFIG_TEXT_MAX)
			return json_fail(element, error, "must have 1 to %d bytes",
			                 CONFIG_TEXT_MAX - 1);
		snprintf(texts.items[texts.n++], CONFIG_TEXT_MAX, "%s", text);
	}
	*ret = texts;
	return 0;
}

/* The kernel shows absolute paths of executables, so a relative one would never match. */
static int check_executables(const struct json_value *value, struct json_error *error)
{
	const struct json_value *array = json_member(value, "qemu_executables");
	const char *text;

	if (!array)
		return 0;
	JSON_FOREACH(element, array)
	{
		if (json_as_string(element, &text, error) < 0 || *text != '/')
			return json_fail(element, error,
			                 "is not an absolute path such as "
			                 "\"/usr/bin/qemu-system-*\"");
	}
	return 0;
}

int config_parse_discovery(const struct json_value *value, struct config_host *host,
                           struct json_error *error)
{
	int r = parse_sources(value, host, error);

	if (r == 0)
		r = parse_texts(value, "qemu_executables", &host->qemu_executables, error);
	if (r == 0)
		r = check_executables(value, error);
	if (r == 0)
		r = parse_texts(value, "qemu_users", &host->qemu_users, error);
	return r;
}
