/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What those who run domains call them, as pvschedctl prints it. */

#include "ctl_render_fixture.h"

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
