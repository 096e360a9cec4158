/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "guest/objects.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/procfs_parse.h"

#define OBJECT_TYPE "memory-backend-memfd"
#define OBJECT_ID   "pvsched"

/** A longer JSON object is not ours: ours has a handful of members. */
#define OBJECT_JSON_MAX 16384

#define VALUE_MAX OBJECTS_VALUE_MAX

int objects_parse_size(const char *text, uint64_t *ret)
{
	static const char letters[] = "BKMGTPE";
	const char *letter;
	char *end;
	uint64_t value;
	int base = text[0] == '0' && tolower((unsigned char)text[1]) == 'x' ? 16 : 10;

	if (!isdigit((unsigned char)text[0]))
		return -EBADMSG;
	errno = 0;
	value = strtoull(text, &end, base);
	if (errno)
		return -EBADMSG;
	if (*end) {
		letter = strchr(letters, toupper((unsigned char)*end));
		if (base == 16 || !letter || end[1] ||
		    __builtin_mul_overflow(value, UINT64_C(1) << (10 * (letter - letters)), &value))
			return -EBADMSG;
	}
	*ret = value;
	return 0;
}

/**
 * Takes "text,", in which ",," stands for a comma. A text that does not fit becomes "", which
 * matches nothing; its beginning might match.
 */
static void take_part(const char **at, char value[static VALUE_MAX])
{
	size_t n = 0;

	for (; **at; (*at)++) {
		if (**at == ',' && *++*at != ',')
			break;
		if (n < VALUE_MAX)
			value[n++] = **at;
	}
	if (n == VALUE_MAX)
		n = 0;
	value[n] = '\0';
}

/** Returns the value in "key=value" if that is the key, else NULL. */
static const char *value_of(const char *part, const char *key)
{
	size_t length = strlen(key);

	return strncmp(part, key, length) == 0 && part[length] == '=' ? part + length + 1 : NULL;
}

/** If a key is there twice, QEMU takes the last value, except for "id": of that the first. */
static void parse_options(const char *text, struct object *object)
{
	bool has_id = false;

	for (bool first = true; *text; first = false) {
		char part[VALUE_MAX];
		const char *value;

		take_part(&text, part);
		if (first && !strchr(part, '='))
			strcpy(object->type, part);
		else if ((value = value_of(part, "qom-type")))
			strcpy(object->type, value);
		else if ((value = value_of(part, "size")))
			strcpy(object->size, value);
		else if (!has_id && (value = value_of(part, "id"))) {
			strcpy(object->id, value);
			has_id = true;
		}
	}
}

/** Text that is not JSON, or not an object of ours, leaves @object empty. Returns 0 or -ENOMEM. */
static int parse_json(const char *text, struct object *object)
{
	CLEANUP(json_cleanup) struct json_doc *doc = NULL;
	const struct json_value *root;
	struct json_error error;
	size_t length = strnlen(text, OBJECT_JSON_MAX);
	int64_t size = 0;
	int r;

	if (length == OBJECT_JSON_MAX)
		return 0;
	r = json_parse(text, length, &doc, &error);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	root = json_root(doc);
	/* A member of another type keeps its default, which no carrier has. */
	json_get_string(root, "qom-type", object->type, sizeof(object->type), &error);
	json_get_string(root, "id", object->id, sizeof(object->id), &error);
	json_get_integer(root, "size", 0, JSON_INTEGER_MAX, &size, &error);
	snprintf(object->size, sizeof(object->size), "%lld", (long long)size);
	return 0;
}

static bool is_ours(const struct object *object)
{
	return strcmp(object->type, OBJECT_TYPE) == 0 && strcmp(object->id, OBJECT_ID) == 0;
}

int objects_each(const char *cmdline, size_t size, objects_fn *fn, void *userdata)
{
	const char *at = cmdline, *end = cmdline + size, *argument;
	int r = 0;

	while (r == 0 && (argument = procfs_next_argument(&at, end))) {
		struct object object = {.type = ""};

		if (!procfs_is_option(argument, "object"))
			continue;
		argument = procfs_next_argument(&at, end);
		if (!argument)
			break;
		if (*argument != '{')
			parse_options(argument, &object);
		else if (parse_json(argument, &object) < 0)
			return -ENOMEM;
		r = fn(&object, userdata);
	}
	return r;
}

struct memfd_search {
	bool found;
	uint64_t size; /* 0: none that can be parsed */
};

static int find_memfd(const struct object *object, void *userdata)
{
	struct memfd_search *search = userdata;

	if (!is_ours(object))
		return 0;
	if (search->found)
		return OBJECTS_AMBIGUOUS;
	search->found = true;
	if (objects_parse_size(object->size, &search->size) < 0)
		search->size = 0;
	return 0;
}

int objects_find_memfd(const char *cmdline, size_t size, uint64_t *ret)
{
	struct memfd_search search = {.found = false};
	int r = objects_each(cmdline, size, find_memfd, &search);

	if (search.found)
		*ret = search.size;
	return r == 0 && !search.found ? OBJECTS_ABSENT : r;
}
