/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What pvschedctl prints of an answer. */

#include "ctl/render.h"

#include "test.h"

static struct json_doc *parse(const char *text)
{
	struct json_error error;
	struct json_doc *doc = NULL;

	CHECK_INT(json_parse(text, strlen(text), &doc, &error), 0);
	return doc;
}

/** The text of a verb's result, with all of it. */
static const char *rendered(enum ctl_verb verb, const char *json)
{
	static char *text;
	struct ctl_args args = {.verb = verb, .long_form = true};
	struct json_doc *doc = parse(json);
	size_t size;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	ctl_render(&args, json_root(doc), out, &(struct terminal){0});
	fclose(out);
	json_free(doc);
	return text;
}
