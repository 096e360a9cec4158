/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What those who run a domain call it. */

#include "model/labels.h"

#include "test.h"

static void test_copies(void)
{
	char text[8] = "before";

	CHECK(label_copy("web", 3, text, sizeof(text)));
	CHECK_STR(text, "web");
	CHECK(label_copy("seven77", 7, text, sizeof(text)));
	CHECK(!label_copy("eight888", 8, text, sizeof(text)));
	CHECK_STR(text, "");
	CHECK(!label_copy("", 0, text, sizeof(text)));
	CHECK(!label_copy("a\033b", 3, text, sizeof(text)));
	CHECK(!label_copy("a\0b", 3, text, sizeof(text)));
	CHECK(!label_copy("a\177", 2, text, sizeof(text)));
	CHECK(label_copy("\303\244", 2, text, sizeof(text))); /* UTF-8 */
}

static void test_tags(void)
{
	struct domain_labels labels = DOMAIN_LABELS_NULL;
	char tag[LABEL_TAG_MAX + 1];

	memset(tag, 'x', sizeof(tag));
	labels_add_tag(&labels, "a", 1);
	labels_add_tag(&labels, "a", 1);
	labels_add_tag(&labels, "", 0);
	labels_add_tag(&labels, tag, LABEL_TAG_MAX);
	CHECK_INT(labels.n_tags, 1);
	labels_add_tag(&labels, tag, LABEL_TAG_MAX - 1);
	CHECK_INT(labels.n_tags, 2);
	CHECK(labels_valid(&labels));
	for (char c = 'b'; c < 'z'; c++)
		labels_add_tag(&labels, &c, 1);
	CHECK_INT(labels.n_tags, LABEL_TAGS_MAX);
	CHECK(labels_valid(&labels));
}

static void test_equal(void)
{
	struct domain_labels a = {.vmid = 100}, b = a;

	CHECK(labels_equal(&a, &b));
	labels_add_tag(&a, "web", 3);
	CHECK(!labels_equal(&a, &b));
	labels_add_tag(&b, "Web", 3);
	CHECK(!labels_equal(&a, &b));
	b = a;
	strcpy(b.title, "t");
	CHECK(!labels_equal(&a, &b));
	b = a;
	strcpy(b.flavor, "f");
	CHECK(!labels_equal(&a, &b));
}

/* What may be taken for a number or a uuid of another VM is no name. */
static void test_name(void)
{
	struct domain_labels labels = {.vmid = 100};

	CHECK(!labels_name(&labels));
	strcpy(labels.title, "web-101");
	CHECK_STR(labels_name(&labels), "web-101");
	strcpy(labels.title, "101");
	CHECK(!labels_name(&labels));
	strcpy(labels.title, "01234567-89ab-CDEF-0123-456789abcdef");
	CHECK(!labels_name(&labels));
	strcpy(labels.title, "cafe-babe");
	CHECK_STR(labels_name(&labels), "cafe-babe");
	labels.vmid = 0; /* none of Proxmox's */
	CHECK(!labels_name(&labels));
}

TEST_MAIN({"copies", test_copies}, {"tags", test_tags}, {"equal", test_equal}, {"name", test_name})
