// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of guests in a report: none is left, however it is written, and other words stay. */
#include "ctl/pseudonyms.h"

#include "test.h"

#define WEB "01234567-89ab-cdef-0123-456789abcdef"
#define DB  "11234567-89ab-cdef-0123-456789abcdef"

static struct pseudonyms *names;

static void check_text(const char *text, const char *expected)
{
	char *written = NULL;
	size_t size;
	FILE *out = open_memstream(&written, &size);

	pseudonyms_write(names, text, strlen(text), out);
	fclose(out);
	CHECK_STR(written, expected);
	free(written);
}

static void begin(void)
{
	names = pseudonyms_free(names);
	names = pseudonyms_new();
	CHECK(names);
}

static void test_names(void)
{
	begin();
	CHECK_INT(pseudonyms_add(names, "web", WEB), 0);
	CHECK_INT(pseudonyms_add(names, "web-2", DB), 0);
	check_text("{\"name\":\"web\",\"uuid\":\"" WEB "\"}",
	           "{\"name\":\"guest-1\",\"uuid\":\"00000000-0000-0000-0000-000000000001\"}");
	check_text("domain web-2, then web, web:1 and WEB",
	           "domain guest-2, then guest-1, guest-1:1 and guest-1");
	/* other words */
	check_text("webs cobweb web_ns 2web", "webs cobweb web_ns 2web");
	check_text("web", "guest-1");
	check_text("", "");
}

/* One guest, whichever half of it is told first. */
static void test_consistent(void)
{
	begin();
	CHECK_INT(pseudonyms_add(names, "", WEB), 0);
	CHECK_INT(pseudonyms_add(names, "db", DB), 0);
	CHECK_INT(pseudonyms_add(names, "web", WEB), 0);
	CHECK_INT(pseudonyms_add(names, "db", ""), 0);
	CHECK_INT(pseudonyms_add(names, "db", DB), 0);
	check_text("web " WEB " db " DB, "guest-1 00000000-0000-0000-0000-000000000001 guest-2 "
	                                 "00000000-0000-0000-0000-000000000002");
}

/* As JSON escapes them, as paths of the configuration quote and cut them, as groups have them. */
static void test_spellings(void)
{
	static const char long_name[] =
	        "a-very-long-name-of-a-guest-with-more-than-sixty-four-characters-in-it-secret";
	begin();
	CHECK_INT(pseudonyms_add(names, "my \"web\"\n\\", WEB), 0);
	CHECK_INT(pseudonyms_add(names, "pbx-3", DB), 0);
	CHECK_INT(pseudonyms_add(names, long_name, ""), 0);
	check_text("\"my \\\"web\\\"\\n\\\\\"", "\"guest-1\"");
	check_text("\"/machine.slice/machine-qemu\\\\x2d7\\\\x2dpbx\\\\x2d3.scope\"",
	           "\"/machine.slice/machine-qemu-machine\"");
	check_text("/x/pbx\\x2d3.scope", "/x/guest-2.scope");
	check_text("/a\\x2dpbx-3", "/a\\x2dguest-2");
	check_text("/machine/qemu-7-pbx-3.libvirt-qemu/vcpu0", "/machine/qemu-machine/vcpu0");
	check_text("/machine/qemu-7-pb.libvirt-qemu/vcpu0", "/machine/qemu-machine/vcpu0");
	check_text("qemu-system-x86_64 qemu-img-3", "qemu-system-x86_64 qemu-img-3");
	check_text(".domains.name[\\\"a-very-long-name-of-a-guest-with-more-than-sixty-four-"
	           "characters...\\\"]",
	           ".domains.name[\\\"guest-3...\\\"]");
	check_text(long_name, "guest-3");
}

/* A number would spoil all figures. */
static void test_number(void)
{
	begin();
	CHECK_INT(pseudonyms_add(names, "100", WEB), 0);
	check_text("{\"x\":100,\"uuid\":\"" WEB "\"}",
	           "{\"x\":100,\"uuid\":\"00000000-0000-0000-0000-000000000001\"}");
}

/* Names of other alphabets, and of characters that are none. */
static void test_other_characters(void)
{
	begin();
	CHECK_INT(pseudonyms_add(names, "büro", WEB), 0);
	CHECK_INT(pseudonyms_add(names, "?*", DB), 0);
	check_text("büro, kleinbüro, büros", "guest-1, kleinbüro, büros");
	check_text("a?*b", "aguest-2b");
}

TEST_MAIN(TEST(test_names), TEST(test_consistent), TEST(test_spellings), TEST(test_number),
          TEST(test_other_characters))
