/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several documents as one: json_merge() of util/json.h. The values of the result are copies that
 * point to the strings of the documents they come from.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/json.h"
#include "util/json_scan.h"

/* A value that one of the documents has at a place. */
struct layer {
	const struct json_value *value;
	size_t order; /* of its document */
};

static int compare_layers(const void *a, const void *b)
{
	const struct layer *x = a, *y = b;
	int r = strcmp(x->value->key, y->value->key);

	if (r != 0)
		return r;
	return x->order < y->order ? -1 : 1;
}

/* Copies a value with all that is inside it to the end of @doc. */
static void append_whole(struct json_doc *doc, const struct json_value *value, uint32_t parent)
{
	struct json_value *to = &doc->values[doc->n_values];
	uint32_t n = value->end - value->index, shift = (uint32_t)doc->n_values - value->index;

	memcpy(to, value, n * sizeof(*to));
	for (uint32_t i = 0; i < n; i++) {
		to[i].index += shift;
		to[i].parent += shift;
		to[i].end += shift;
	}
	to[0].parent = parent;
	doc->n_values += n;
}

static size_t count_members(const struct layer *layers, size_t n)
{
	size_t n_members = 0;

	for (size_t i = 0; i < n; i++)
		JSON_FOREACH(member, layers[i].value)
	n_members++;
	return n_members;
}

static int append_merged(struct json_doc *doc, const struct layer *layers, size_t n,
                         uint32_t parent);

/* Appends the members of all objects in @layers, by key. */
static int append_members(struct json_doc *doc, const struct layer *layers, size_t n,
                          uint32_t parent)
{
	size_t n_members = count_members(layers, n), m = 0, end;
	struct layer *members CLEANUP(cleanup_free) = calloc(n_members + 1, sizeof(*members));
	int r;

	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		JSON_FOREACH(member, layers[i].value)
	members[m++] = (struct layer){member, layers[i].order};
	qsort(members, m, sizeof(*members), compare_layers);
	for (size_t i = 0; i < m; i = end) {
		const char *key = members[i].value->key;

		for (end = i + 1; end < m && strcmp(members[end].value->key, key) == 0;)
			end++;
		r = append_merged(doc, &members[i], end - i, parent);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Appends the merged value of one place. Later @layers override earlier ones. */
static int append_merged(struct json_doc *doc, const struct layer *layers, size_t n,
                         uint32_t parent)
{
	size_t first = n - 1;
	struct json_value *object = &doc->values[doc->n_values];
	int r;

	while (layers[n - 1].value->type == JSON_OBJECT && first > 0 &&
	       layers[first - 1].value->type == JSON_OBJECT)
		first--;
	if (first == n - 1) {
		append_whole(doc, layers[first].value, parent);
		return 0;
	}
	*object = *layers[n - 1].value;
	object->index = (uint32_t)doc->n_values++;
	object->parent = parent;
	r = append_members(doc, &layers[first], n - first, object->index);
	object->end = (uint32_t)doc->n_values;
	return r;
}

int json_merge(const struct json_doc *const docs[], size_t n, struct json_doc **ret,
               struct json_error *error)
{
	struct json_doc *doc CLEANUP(json_cleanup) = calloc(1, sizeof(*doc));
	struct layer *layers CLEANUP(cleanup_free) = calloc(n, sizeof(*layers));
	size_t n_values = 0;
	int r = -ENOMEM;

	for (size_t i = 0; i < n; i++) {
		n_values += docs[i]->n_values;
		if (layers)
			layers[i] = (struct layer){docs[i]->values, i};
	}
	if (doc && layers)
		doc->values = calloc(n_values, sizeof(*doc->values));
	if (doc && doc->values)
		r = append_merged(doc, layers, n, 0);
	if (r < 0) {
		json_fail(NULL, error, "out of memory");
		return r;
	}
	*ret = STEAL(doc, NULL);
	return 0;
}
