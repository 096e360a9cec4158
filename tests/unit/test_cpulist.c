/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "util/cpulist.h"

#include "test.h"

static void test_lists(void)
{
	struct cpu_set_bits set;

	CHECK_INT(cpulist_parse("0,2-3", &set), 0);
	CHECK_INT(cpu_set_bits_count(&set), 3);
	CHECK(cpu_set_bits_has(&set, 0) && !cpu_set_bits_has(&set, 1));
	CHECK(cpu_set_bits_has(&set, 2) && cpu_set_bits_has(&set, 3));
	CHECK(!cpu_set_bits_has(&set, 4) && !cpu_set_bits_has(&set, 1000000));

	CHECK_INT(cpulist_parse("", &set), 0);
	CHECK(cpu_set_bits_empty(&set));
	CHECK_INT(cpulist_parse(" 4095\n", &set), 0);
	CHECK_INT(cpu_set_bits_next(&set, 0), 4095);
	CHECK_INT(cpulist_parse("3,1-5,2,0", &set), 0);
	CHECK_INT(cpu_set_bits_count(&set), 6);
	CHECK_INT(cpulist_parse("0-4095", &set), 0);
	CHECK_INT(cpu_set_bits_count(&set), 4096);
}

static void test_refused(void)
{
	static const char *const bad[] = {
	        "x",    ",",   "1,",  ",1", "1,,2", "1-",  "-1",   "3-1",     "1-2-3",    "1 2",
	        "1, 2", "0x1", "1;2", "+1", "1.5",  "all", "1-\n", "0-3:1/2", "\xc2\xa0",
	};
	static const char *const beyond[] = {
	        "4096",
	        "0-4096",
	        "99999999999999999999999999",
	        "4294967296",
	        "0-18446744073709551616",
	};
	struct cpu_set_bits set = CPU_SET_BITS_NULL;

	cpu_set_bits_add(&set, 7);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(cpulist_parse(bad[i], &set), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
		CHECK_INT(cpulist_parse(beyond[i], &set), -ERANGE);
	CHECK_INT(cpu_set_bits_count(&set), 1);
	CHECK(cpu_set_bits_has(&set, 7));
}

static void check_format(const char *text, const char *expected)
{
	struct cpu_set_bits set, again;
	char buffer[64];

	CHECK_INT(cpulist_parse(text, &set), 0);
	CHECK_INT(cpulist_format(&set, buffer, sizeof(buffer)), strlen(expected));
	CHECK_STR(buffer, expected);
	CHECK_INT(cpulist_parse(buffer, &again), 0);
	CHECK(cpu_set_bits_equal(&set, &again));
}

static void test_format(void)
{
	struct cpu_set_bits set;
	char small[6];

	check_format("", "");
	check_format("0", "0");
	check_format("3,2,0", "0,2-3");
	check_format("63-64,127,128,4000-4095", "63-64,127-128,4000-4095");
	CHECK_INT(cpulist_parse("10-20,30-40", &set), 0);
	CHECK_INT(cpulist_format(&set, small, sizeof(small)), 11);
	CHECK_STR(small, "10-20");
}

static void test_relations(void)
{
	struct cpu_set_bits a, b, none = CPU_SET_BITS_NULL;

	CHECK_INT(cpulist_parse("1-3,200", &a), 0);
	CHECK_INT(cpulist_parse("0-255", &b), 0);
	CHECK(cpu_set_bits_subset(&a, &b) && !cpu_set_bits_subset(&b, &a));
	CHECK(cpu_set_bits_subset(&none, &a) && !cpu_set_bits_subset(&a, &none));
	CHECK(!cpu_set_bits_equal(&a, &b) && cpu_set_bits_equal(&a, &a));
}

static void test_foreach(void)
{
	struct cpu_set_bits set;
	unsigned int sum = 0;

	CHECK_INT(cpulist_parse("0,63-65,4095", &set), 0);
	CPU_SET_BITS_FOREACH(cpu, &set)
	sum += cpu;
	CHECK_INT(sum, 63 + 64 + 65 + 4095);
	CHECK_INT(cpu_set_bits_next(&set, 66), 4095);
	CHECK_INT(cpu_set_bits_next(&set, CPU_SET_BITS_MAX), CPU_SET_BITS_MAX);
}

TEST_MAIN({"lists", test_lists}, {"refused", test_refused}, {"format", test_format},
          {"relations", test_relations}, {"foreach", test_foreach})
