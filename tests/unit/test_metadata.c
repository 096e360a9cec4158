/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virt/metadata.h"

#include "test.h"

static struct domain_metadata parse(const char *text)
{
	struct domain_metadata metadata;

	metadata_parse(text, strlen(text), &metadata);
	return metadata;
}

static void refuse(const char *text, const char *why)
{
	struct domain_metadata metadata = parse(text);

	CHECK_INT(metadata.state, DOMAIN_METADATA_INVALID);
	CHECK_CONTAINS(metadata.error, why);
	CHECK_STR(metadata.profile, "");
	CHECK(metadata.share_permille == 0 && metadata.burst_us == 0);
}

static void test_valid(void)
{
	struct domain_metadata metadata =
	        parse("<policy profile='latency' share_permille=\"100\" burst_us=\"300\"/>");

	CHECK_INT(metadata.state, DOMAIN_METADATA_VALID);
	CHECK_STR(metadata.profile, "latency");
	CHECK_INT(metadata.share_permille, 100);
	CHECK_INT(metadata.burst_us, 300);
	metadata = parse("<policy burst_us=\"10000\">\n<!-- as agreed -->\n</policy>");
	CHECK_INT(metadata.state, DOMAIN_METADATA_VALID);
	CHECK_STR(metadata.profile, "");
	CHECK_INT(metadata.burst_us, 10000);
	metadata = parse("<p:policy xmlns:p=\"" METADATA_URI "\" share_permille=\"1\"/>");
	CHECK_INT(metadata.state, DOMAIN_METADATA_VALID);
	CHECK_INT(metadata.share_permille, 1);
}

static void test_refused(void)
{
	refuse("", "is empty");
	refuse("<policy", "is not well-formed XML: unclosed token (line 1, column 1)");
	refuse("<policy profile='a'>\n</polic>", "(line 2, column 3)");
	refuse("<policy/>", "has none of profile");
	refuse("<other profile=\"a\"/>", "the element is <other>, not <policy>");
	refuse("<p:policy xmlns:p=\"urn:x\" profile=\"a\"/>", "its namespace is not");
	refuse("<policy profile=\"a\">b</policy>", "must be empty");
	refuse("<policy profile=\"a\"><b/></policy>", "must be empty");
	refuse("<policy profil=\"a\"/>", "unknown attribute profil; known ones: profile, ");
	refuse("<policy profile=\"\"/>", "is not a profile's name");
	refuse("<policy profile=\"A\"/>", "profile=\"A\" is not a profile's name");
	refuse("<policy profile=\"\xc3\xa9&#10;\"/>", "profile=\"???\" is not");
	refuse("<policy profile=\"a2345678901234567890123456789012\"/>", "is not a profile's name");
	refuse("<policy xml:lang=\"a\"/>", "attribute lang has a namespace");
	refuse("<policy pvsched:profile=\"a\"/>", "unbound prefix");
	refuse("<policy xmlns:p='" METADATA_URI "' p:profile='a'/>", "profile has a namespace");
	refuse("<policy profile=\"a\" profile=\"b\"/>", "is not well-formed XML");
	/* what was read before the mistake does not count either */
	refuse("<policy profile=\"latency\" burst_us=\"49\"/>",
	       "burst_us=\"49\" must be from 50 to 10000");
	refuse("<policy share_permille=\"1001\"/>", "must be from 1 to 1000");
	refuse("<policy share_permille=\"+1\"/>", "is not a whole number from 1 to 1000");
	refuse("<policy share_permille=\"1.0\"/>", "is not a whole number");
	refuse("<policy share_permille=\"4294967297\"/>", "is not a whole number");
}

static void test_hostile(void)
{
	struct domain_metadata metadata;
	size_t size = METADATA_MAX + 1;
	char *text = malloc(size);

	refuse("<!DOCTYPE p [<!ENTITY x \"a\">]><policy profile=\"&x;\"/>",
	       "has a document type (line 1, column 13)");
	refuse("<policy profile=\"&x;\"/>", "is not well-formed XML: undefined entity");
	refuse("<policy profile=\"a\"><![CDATA[<!DOCTYPE p>]]></policy>", "must be empty");
	metadata = parse("<policy profile=\"a\"><!-- <!DOCTYPE p> --></policy>");
	CHECK_INT(metadata.state, DOMAIN_METADATA_VALID);
	refuse("<policy profile=\"&lt;\"/>", "is not a profile's name");
	CHECK(text);
	memset(text, ' ', size);
	memcpy(text, "<policy profile=\"a\"/>", strlen("<policy profile=\"a\"/>"));
	metadata_parse(text, size - 1, &metadata);
	CHECK_INT(metadata.state, DOMAIN_METADATA_VALID);
	metadata_parse(text, size, &metadata);
	CHECK_STR(metadata.error, "is larger than 65536 bytes");
	metadata_unreadable("a\nb\x1b", &metadata);
	CHECK_INT(metadata.state, DOMAIN_METADATA_INVALID);
	CHECK_STR(metadata.error, "cannot be read: a?b?");
	free(text);
}

TEST_MAIN({"valid", test_valid}, {"refused", test_refused}, {"hostile", test_hostile})
