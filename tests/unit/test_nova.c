/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What OpenStack Nova writes about a domain. */

#include "virt/nova.h"

#include <errno.h>

#include "test.h"

static struct domain_labels labels;

static int parse(const char *text)
{
	int r = nova_parse(text, strlen(text), &labels);

	CHECK(labels_valid(&labels));
	return r;
}

static void test_plain(void)
{
	CHECK_INT(parse("<instance>\n  <package version=\"31.0.0\"/>\n  <name>pbx of Bob</name>\n"
	                "  <flavor name=\"rt.small\"><memory>512</memory><name>no</name></flavor>\n"
	                "  <owner><user uuid=\"u\">admin</user></owner>\n</instance>"),
	          0);
	CHECK_STR(labels.title, "pbx of Bob");
	CHECK_STR(labels.flavor, "rt.small");
	CHECK_INT(parse("<nova:instance xmlns:nova=\"" NOVA_URI "\"><nova:name>a&amp;b</nova:name>"
	                "</nova:instance>"),
	          0);
	CHECK_STR(labels.title, "a&b");
	CHECK_STR(labels.flavor, "");
	CHECK_INT(parse("<n:instance xmlns:n=\"" NOVA_URI_OLD
	                "\"><n:flavor name=\"x\"/></n:instance>"),
	          0);
	CHECK_STR(labels.flavor, "x");
}

static void test_odd(void)
{
	char text[1024] = "<instance><name>";

	CHECK_INT(parse("<instance><name>a</name><name>b<i>c</i>d</name></instance>"), 0);
	CHECK_STR(labels.title, "bd");
	CHECK_INT(parse("<instance><name>a\nb</name><flavor name=\"&#9;\"/></instance>"), 0);
	CHECK_STR(labels.title, "");
	CHECK_STR(labels.flavor, "");
	CHECK_INT(parse("<instance><x><name>a</name></x></instance>"), 0);
	CHECK_STR(labels.title, "");
	CHECK_INT(parse("<instance xmlns:o='urn:o'><o:name>a</o:name></instance>"), 0);
	CHECK_STR(labels.title, "");
	memset(text + strlen(text), 'n', LABEL_MAX - 1);
	strcat(text, "</name></instance>");
	CHECK_INT(parse(text), 0);
	CHECK_U64(strlen(labels.title), LABEL_MAX - 1);
	memmove(text + 17, text + 16, strlen(text) - 15); /* one more */
	CHECK_INT(parse(text), 0);
	CHECK_STR(labels.title, "");
}

static void test_refused(void)
{
	strcpy(labels.title, "before");
	CHECK_INT(parse(""), -EBADMSG);
	CHECK_STR(labels.title, "");
	CHECK_INT(parse("<other><name>a</name></other>"), -EBADMSG);
	CHECK_INT(parse("<o:instance xmlns:o='urn:o'/>"), -EBADMSG);
	CHECK_INT(parse("<instance><flavor name='x'/><name>a"), -EBADMSG);
	CHECK_STR(labels.flavor, "");
	CHECK_INT(
	        parse("<!DOCTYPE instance [<!ENTITY e 'x'>]><instance><name>&e;</name></instance>"),
	        -EBADMSG);
	CHECK_INT(nova_parse("<instance/>", NOVA_MAX + 1, &labels), -EBADMSG);
}

TEST_MAIN({"plain", test_plain}, {"odd", test_odd}, {"refused", test_refused})
