/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/origins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/parse_value.h"

static int compare(const void *a, const void *b)
{
	const struct config_origin *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* Values that are no object. Those of domains are with their entries. */
static size_t count(const struct json_value *object)
{
	size_t n = 0;

	JSON_FOREACH(member, object)
	{
		if (json_is_annotation(member) || strcmp(json_key(member), "domains") == 0)
			continue;
		n += json_type(member) == JSON_OBJECT ? count(member) : 1;
	}
	return n;
}

static int note(const struct json_value *object, struct config *config)
{
	int r = 0;

	JSON_FOREACH(member, object)
	{
		char path[JSON_PATH_MAX];

		if (json_is_annotation(member) || strcmp(json_key(member), "domains") == 0)
			continue;
		if (json_type(member) == JSON_OBJECT) {
			r = note(member, config);
		} else {
			struct config_origin *origin = &config->origins[config->n_origins];

			json_path(member, path, sizeof(path));
			origin->path = strdup(path);
			origin->where = config_where(member);
			r = origin->path ? 0 : -ENOMEM;
			config->n_origins += r == 0;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int config_note_origins(const struct json_value *root, struct config *config,
                        struct json_error *error)
{
	config->origins = calloc(count(root) + 1, sizeof(*config->origins));
	if (!config->origins || note(root, config) < 0)
		return config_out_of_memory(error);
	qsort(config->origins, config->n_origins, sizeof(*config->origins), compare);
	return 0;
}

struct config_where config_origin_of(const struct config *config, const char *path)
{
	const struct config_origin wanted = {.path = (char *)path}, *found = NULL;

	if (config->n_origins)
		found = bsearch(&wanted, config->origins, config->n_origins, sizeof(wanted),
		                compare);
	return found ? found->where : (struct config_where){0};
}
