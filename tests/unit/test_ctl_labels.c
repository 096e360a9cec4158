/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What those who run domains call them, as pvschedctl prints it. */

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

static void test_labels(void)
{
	const char *text = rendered(CTL_LIST, "{\"domains\":[{\"name\":\"101\",\"uuid\":\"u\","
	                                      "\"title\":\"pbx\\u001b\"},{\"name\":\"102\"}]}");

	CHECK_CONTAINS(text, "UUID  TITLE\n");
	CHECK_CONTAINS(text, "u     pbx\\x1b\n");
	CHECK(!strstr(rendered(CTL_LIST, "{\"domains\":[{\"name\":\"101\"}]}"), "TITLE"));
	text = rendered(CTL_SHOW, "{\"domain\":{\"name\":\"101\",\"uuid\":\"u\",\"title\":\"pbx\","
	                          "\"flavor\":\"rt.small\",\"tags\":[\"a\",7,\"b\\u001b\"]}}");
	CHECK_CONTAINS(
	        text, "UUID:    u\nTitle:   pbx\nFlavor:  rt.small\nTags:    a, -, b\\x1b\nState:");
	CHECK_CONTAINS(rendered(CTL_SHOW, "{\"domain\":{\"tags\":3,\"title\":{}}}"),
	               "Title:   -\n");
}

TEST_MAIN(TEST(test_labels))
