// SPDX-License-Identifier: GPL-2.0-or-later
/* Policies by command: set, ended by time, kept while their domain is shut off, and releases. */
#include "daemon/overrides.h"

#include <errno.h>

#include "test.h"

#define A "01234567-89ab-cdef-0123-456789abcdef"
#define B "11234567-89ab-cdef-0123-456789abcdef"

static sd_event *event;
static struct overrides *overrides;
static struct domain seen_a = {.uuid = A, .name = "a"}, seen_b = {.uuid = B, .name = "b"};
static struct inventory_domain a = {.slot = 3, .seen = &seen_a}, b = {.slot = 1, .seen = &seen_b};
static char ended[128];

static void on_ended(void *userdata, const struct policy_entry *policy)
{
	(void)userdata;
	strcat(ended, policy->name);
}

static int set(const char *uuid, const char *name, const char *profile, uint64_t for_ns)
{
	struct policy_entry policy = {.burst_ns = 700000};

	strcpy(policy.uuid, uuid);
	strcpy(policy.name, name);
	strcpy(policy.profile, profile);
	return overrides_set(overrides, &policy, for_ns);
}

static void begin(void)
{
	if (!event)
		CHECK(sd_event_new(&event) >= 0);
	overrides_free(overrides);
	CHECK_INT(overrides_new(&overrides, event, on_ended, NULL), 0);
	seen_a.uuid_kind = DOMAIN_UUID_OWN;
	*ended = '\0';
}

static uint64_t left_s(const char *uuid)
{
	const struct policy_entry *policy = policies_find(overrides_all(overrides), uuid);
	uint64_t age, left;

	CHECK(policy);
	overrides_times(overrides, policy, &age, &left);
	CHECK(age < 10);
	return left;
}

/* Set for one domain; no other one has it. The uuid counts in any case of letters. */
static void test_set(void)
{
	begin();
	CHECK(!overrides_policy(overrides, &a));
	CHECK_INT(set("01234567-89AB-CDEF-0123-456789ABCDEF", "a", "latency", 0), 0);
	CHECK_STR(overrides_policy(overrides, &a)->profile, "latency");
	CHECK(!overrides_policy(overrides, &b));
	CHECK_U64(left_s(A), 0);
	CHECK(overrides_unset(overrides, A));
	CHECK(!overrides_unset(overrides, A));
	CHECK(!overrides_policy(overrides, &a));
}

/* Set for a time: each ends by itself, the first one first, and that is told. */
static void test_for_a_time(void)
{
	begin();
	CHECK_INT(set(A, "a", "latency", 20 * NSEC_PER_MSEC), 0);
	CHECK_INT(set(B, "b", "latency", NSEC_PER_MSEC), 0);
	CHECK_U64(left_s(A), 1); /* what has an end is never said to have none */
	while (strlen(ended) < 2)
		CHECK(sd_event_run(event, UINT64_MAX) >= 0);
	CHECK_STR(ended, "ba");
	CHECK(!overrides_policy(overrides, &a));
	CHECK_INT(overrides_all(overrides)->n, 0);
}

/* Set anew: the end of the last one does not end this one. */
static void test_set_anew(void)
{
	begin();
	CHECK_INT(set(A, "a", "latency", NSEC_PER_MSEC), 0);
	CHECK_INT(set(A, "a", "observe", 0), 0);
	CHECK(sd_event_run(event, 20000) >= 0);
	CHECK_STR(ended, "");
	CHECK_STR(overrides_policy(overrides, &a)->profile, "observe");
}

/* Unset before its end: nothing is told. */
static void test_unset_in_time(void)
{
	begin();
	CHECK_INT(set(A, "a", "latency", NSEC_PER_MSEC), 0);
	CHECK(overrides_unset(overrides, A));
	CHECK(sd_event_run(event, 20000) >= 0);
	CHECK_STR(ended, "");
}

/* A domain that is shut off and started again has its policy, and no release. */
static void test_shut_off(void)
{
	begin();
	CHECK_INT(set(A, "a", "latency", 0), 0);
	overrides_set_released(overrides, &a, true);
	CHECK(overrides_released(overrides, &a));
	overrides_forget(overrides, &a);
	CHECK(!overrides_released(overrides, &a));
	CHECK_STR(overrides_policy(overrides, &a)->profile, "latency");
}

static int assign(const char *uuid, const char *policy)
{
	struct policy_entry entry = {0};

	snprintf(entry.uuid, sizeof(entry.uuid), "%s", uuid);
	snprintf(entry.policy, sizeof(entry.policy), "%s", policy);
	return overrides_assign(overrides, &entry);
}

/* What is assigned outlives the time of a profile, and is taken back by itself. */
static void test_assigned(void)
{
	begin();
	CHECK_INT(set(A, "a", "latency", NSEC_PER_MSEC), 0);
	CHECK_INT(assign(A, "urgent-only@1"), 0);
	CHECK_STR(overrides_policy(overrides, &a)->profile, "latency");
	while (!*ended)
		CHECK(sd_event_run(event, UINT64_MAX) >= 0);
	CHECK_STR(overrides_policy(overrides, &a)->profile, "");
	CHECK_STR(overrides_policy(overrides, &a)->policy, "urgent-only@1");
	CHECK_INT(set(A, "a", "observe", 0), 0);
	CHECK_STR(overrides_policy(overrides, &a)->policy, "urgent-only@1");
	overrides_unset_profile(overrides, A);
	CHECK_STR(overrides_policy(overrides, &a)->policy, "urgent-only@1");
	CHECK(overrides_unassign(overrides, A));
	CHECK(!overrides_policy(overrides, &a));
	CHECK(!overrides_unassign(overrides, A));
	CHECK_INT(assign(A, "urgent-only@1"), 0);
	CHECK(overrides_unset(overrides, A));
	CHECK(!overrides_policy(overrides, &a));
}

/* A uuid that identifies nothing once the process is gone. */
static void test_uuid_made_up(void)
{
	begin();
	seen_a.uuid_kind = DOMAIN_UUID_MADE_UP;
	CHECK_INT(set(A, "a", "latency", NSEC_PER_MSEC), 0);
	overrides_forget(overrides, &a);
	CHECK(sd_event_run(event, 20000) >= 0);
	CHECK_STR(ended, "");
	CHECK(!overrides_policy(overrides, &a));
}

/* There is a limit; what is set stays, and may be changed. */
static void test_bounded(void)
{
	char uuid[DOMAIN_UUID_LEN];

	begin();
	for (int i = 0; i < POLICIES_MAX; i++) {
		snprintf(uuid, sizeof(uuid), "%08x-0000-0000-0000-000000000000",
		         (unsigned int)i * 2654435761U);
		CHECK_INT(set(uuid, "", "latency", 0), 0);
	}
	CHECK_INT(set(A, "a", "latency", 0), -ENOSPC);
	CHECK_INT(set(uuid, "", "observe", 0), 0);
	CHECK_STR(policies_find(overrides_all(overrides), uuid)->profile, "observe");
	CHECK_U64(policies_find(overrides_all(overrides), uuid)->burst_ns, 700000);
	for (size_t i = 1; i < overrides_all(overrides)->n; i++)
		CHECK(strcmp(overrides_all(overrides)->entries[i - 1].uuid,
		             overrides_all(overrides)->entries[i].uuid) < 0);
}

/* By a name that one had, or two. */
static void test_names(void)
{
	const struct policy_entry *found;

	begin();
	CHECK_INT(policies_find_name(overrides_all(overrides), "a", &found), -ENOENT);
	CHECK_INT(set(A, "a", "latency", 0), 0);
	CHECK_INT(policies_find_name(overrides_all(overrides), "a", &found), 0);
	CHECK_STR(found->uuid, A);
	CHECK_INT(set(B, "a", "latency", 0), 0);
	CHECK_INT(policies_find_name(overrides_all(overrides), "a", &found), -ENOTUNIQ);
}

TEST_MAIN(TEST(test_set), TEST(test_for_a_time), TEST(test_set_anew), TEST(test_unset_in_time),
          TEST(test_shut_off), TEST(test_assigned), TEST(test_uuid_made_up), TEST(test_bounded),
          TEST(test_names))
