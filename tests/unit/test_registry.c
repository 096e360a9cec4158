/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policies that can be chosen, and what is said of those that cannot. */
#include "policy/registry.h"

#include <stdio.h>
#include <string.h>

#include "policy/kind.h"

#include "test.h"

static uint32_t urgent_only(void)
{
	return registry_find("urgent-only", 1);
}

static void test_tables_agree(void)
{
	char label[REGISTRY_LABEL_MAX];

	CHECK_INT(registry_n, policy_kinds_n);
	CHECK_INT(registry_n, 3);
	for (uint32_t i = 1; i <= registry_n; i++) {
		CHECK(strlen(registry_of(i)->name) < 32 && registry_of(i)->version > 0);
		CHECK_INT(registry_find(registry_of(i)->name, registry_of(i)->version), i);
		registry_label(i, label);
		CHECK_INT(registry_parse(label), i);
		CHECK(registry_of(i)->events >> REGISTRY_EVENTS == 0);
	}
	CHECK(policy_kinds[REGISTRY_DEFAULT - 1] == &kind_pvschedd);
	CHECK(policy_kinds[REGISTRY_NUMBER_AWAITED_ONLY - 1] == &kind_awaited_only);
	CHECK(policy_kinds[urgent_only() - 1] == &kind_urgent_only);
}

/* The default one is what guests without a choice of their own speak. */
static void test_default(void)
{
	CHECK_STR(registry_of(REGISTRY_DEFAULT)->name, PVSCHED_POLICY_NAME);
	CHECK_INT(registry_of(REGISTRY_DEFAULT)->version, PVSCHED_POLICY_VERSION);
	CHECK(registry_of(REGISTRY_NONE) == registry_of(REGISTRY_DEFAULT));
	CHECK(registry_of(registry_n + 1) == registry_of(REGISTRY_DEFAULT));
}

static void test_find(void)
{
	CHECK_INT(registry_find("pvschedd", 0), REGISTRY_DEFAULT);
	CHECK_INT(registry_find("pvschedd", 1), REGISTRY_DEFAULT);
	CHECK_INT(registry_find("pvschedd", 2), REGISTRY_NONE);
	CHECK_INT(registry_find("pvsched", 0), REGISTRY_NONE);
	CHECK_INT(registry_find("", 0), REGISTRY_NONE);
}

static void test_parse(void)
{
	static const char *const wrong[] = {
	        "",
	        "@1",
	        "pvschedd@",
	        "pvschedd@0",
	        "pvschedd@2",
	        "pvschedd@1x",
	        "pvschedd@-1",
	        "pvschedd@4294967297",
	        "pvschedd@99999999999999999999999999",
	        "pvschedd@1@1",
	        "Pvschedd",
	        "a-name-that-is-much-longer-than-any-policy-may-have@1",
	};

	CHECK_INT(registry_parse("pvschedd"), REGISTRY_DEFAULT);
	CHECK_INT(registry_parse("pvschedd@1"), REGISTRY_DEFAULT);
	CHECK_INT(registry_parse("pvschedd@01"), REGISTRY_DEFAULT);
	CHECK_INT(registry_parse("urgent-only@1"), urgent_only());
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		CHECK_INT(registry_parse(wrong[i]), REGISTRY_NONE);
}

static void test_texts(void)
{
	char label[REGISTRY_LABEL_MAX], all[64], few[12];

	registry_label(urgent_only(), label);
	CHECK_STR(label, "urgent-only@1");
	registry_list(all, sizeof(all));
	CHECK_STR(all, "pvschedd@1, urgent-only@1, awaited-only@1");
	registry_list(few, sizeof(few));
	CHECK_STR(few, "pvschedd@1,");
	for (unsigned int bit = 0; bit < REGISTRY_EVENTS; bit++)
		CHECK(registry_event_name(bit)[0]);
}

static struct pvsched_channel_policy spoken(const char *name, uint32_t version)
{
	struct pvsched_channel_policy ret = {.version = version};

	memcpy(ret.name, name, strlen(name));
	return ret;
}

static void test_judge(void)
{
	struct pvsched_channel_policy said = spoken("urgent-only", 1);
	uint32_t number;

	CHECK_INT(registry_judge(said.name, 1, &number), PVSCHED_STATUS_ENABLED);
	CHECK_INT(number, urgent_only());
	CHECK_INT(registry_judge(said.name, 0, &number), PVSCHED_STATUS_POLICY_VERSION);
	CHECK_INT(number, REGISTRY_NONE);
	said.name[20] = 'x'; /* behind the end of the name */
	CHECK_INT(registry_judge(said.name, 1, &number), PVSCHED_STATUS_UNKNOWN_POLICY);
	memset(said.name, 'u', sizeof(said.name)); /* no end */
	CHECK_INT(registry_judge(said.name, 1, &number), PVSCHED_STATUS_UNKNOWN_POLICY);
	memset(said.name, 0, sizeof(said.name));
	CHECK_INT(registry_judge(said.name, 1, &number), PVSCHED_STATUS_UNKNOWN_POLICY);
	CHECK_INT(number, REGISTRY_NONE);
}

/* The guest's order counts, not the host's. */
static void test_negotiate(void)
{
	struct pvsched_channel_policy list[] = {spoken("of-the-future", 1), spoken("pvschedd", 2),
	                                        spoken("urgent-only", 1), spoken("pvschedd", 1)};
	uint32_t number;

	CHECK_INT(registry_negotiate(list, 4, &number), PVSCHED_STATUS_ENABLED);
	CHECK_INT(number, urgent_only());
	CHECK_INT(registry_negotiate(list + 3, 1, &number), PVSCHED_STATUS_ENABLED);
	CHECK_INT(number, REGISTRY_DEFAULT);
	CHECK_INT(registry_negotiate(list, 2, &number), PVSCHED_STATUS_POLICY_VERSION);
	CHECK_INT(number, REGISTRY_NONE);
	CHECK_INT(registry_negotiate(list, 1, &number), PVSCHED_STATUS_UNKNOWN_POLICY);
	CHECK_INT(registry_negotiate(list, 0, &number), PVSCHED_STATUS_UNKNOWN_POLICY);
	CHECK_INT(number, REGISTRY_NONE);
}

TEST_MAIN(TEST(test_tables_agree), TEST(test_default), TEST(test_find), TEST(test_parse),
          TEST(test_texts), TEST(test_judge), TEST(test_negotiate))
