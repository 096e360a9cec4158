// SPDX-License-Identifier: GPL-2.0-or-later
/* Policies by command: set, ended by time, ended with their domain, and releases. */
#include "daemon/overrides.h"

#include "test.h"

static sd_event *event;
static struct overrides *overrides;
static const struct inventory_domain *ended;

static void on_ended(void *userdata, const struct inventory_domain *domain)
{
	(void)userdata;
	ended = domain;
}

static void begin(void)
{
	if (!event)
		CHECK(sd_event_new(&event) >= 0);
	overrides_free(overrides);
	CHECK_INT(overrides_new(&overrides, event, on_ended, NULL), 0);
	ended = NULL;
}

/* Set for one domain; no other one has it. */
static void test_set(void)
{
	struct inventory_domain a = {.slot = 0}, b = {.slot = 1};

	begin();
	CHECK_STR(overrides_profile(overrides, &a), "");
	CHECK_INT(overrides_set(overrides, &a, "latency", 0), 0);
	CHECK_STR(overrides_profile(overrides, &a), "latency");
	CHECK_STR(overrides_profile(overrides, &b), "");
	CHECK_U64(overrides_until_ns(overrides, &a), 0);
}

/* Set for a time: it ends by itself, and that is told. */
static void test_for_a_time(void)
{
	struct inventory_domain a = {.slot = 3};

	begin();
	CHECK_INT(overrides_set(overrides, &a, "latency", NSEC_PER_MSEC), 0);
	CHECK(overrides_until_ns(overrides, &a) > 0);
	while (!ended)
		CHECK(sd_event_run(event, UINT64_MAX) >= 0);
	CHECK(ended == &a);
	CHECK_STR(overrides_profile(overrides, &a), "");
	CHECK_U64(overrides_until_ns(overrides, &a), 0);
}

/* Set anew: the end of the last one does not end this one. */
static void test_set_anew(void)
{
	struct inventory_domain a = {.slot = 3};

	begin();
	CHECK_INT(overrides_set(overrides, &a, "latency", NSEC_PER_MSEC), 0);
	CHECK_INT(overrides_set(overrides, &a, "observe", 0), 0);
	CHECK(sd_event_run(event, 20000) >= 0);
	CHECK(!ended);
	CHECK_STR(overrides_profile(overrides, &a), "observe");
}

/* A policy ends a release. */
static void test_release(void)
{
	struct inventory_domain a = {.slot = 0};

	begin();
	overrides_set_released(overrides, &a, true);
	CHECK(overrides_released(overrides, &a));
	CHECK_INT(overrides_set(overrides, &a, "latency", 0), 0);
	CHECK(!overrides_released(overrides, &a));
}

/* The next domain of a slot has nothing of the last one, its timer neither. */
static void test_forgotten(void)
{
	struct inventory_domain a = {.slot = 0};

	begin();
	overrides_set_released(overrides, &a, true);
	overrides_forget(overrides, &a);
	CHECK(!overrides_released(overrides, &a));
	CHECK_INT(overrides_set(overrides, &a, "latency", NSEC_PER_MSEC), 0);
	overrides_forget(overrides, &a);
	CHECK(sd_event_run(event, 20000) >= 0);
	CHECK(!ended);
	CHECK_STR(overrides_profile(overrides, &a), "");
}

TEST_MAIN(TEST(test_set), TEST(test_for_a_time), TEST(test_set_anew), TEST(test_release),
          TEST(test_forgotten))
