// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Passes: however much is learned in one turn of the loop, one pass follows; a caller that needs
 * its effect has it before it goes on. With the true loop and the true inventory.
 */
#include "daemon/pass.h"

#include <errno.h>

#include <systemd/sd-event.h>

#include "boost/sched.h"

#include "host_fake.h"
#include "inventory_fixture.h"

#define DOMAINS 1000

static sd_event *event;
static struct pass *pass;
static struct inventory inventory;
static size_t n_seen_by_pass;
static unsigned int fails; /* passes that can't be made */
static bool changes_in_pass;

static int make_pass(void *userdata)
{
	(void)userdata;
	if (fails) {
		fails--;
		return -ENOMEM;
	}
	inventory_count(&inventory, &n_seen_by_pass);
	if (changes_in_pass) {
		changes_in_pass = false;
		pass_changed(pass);
		CHECK_INT(pass_now(pass), -EBUSY);
	}
	return 0;
}

static void on_gone(void *userdata, struct inventory_domain *d)
{
	(void)userdata;
	(void)d;
}

static void begin(void)
{
	if (!event)
		CHECK(sd_event_new(&event) >= 0);
	inventory_clear(&inventory);
	inventory_init(&inventory, NULL, on_gone, NULL);
	pass_free(pass);
	CHECK_INT(pass_new(&pass, event, make_pass, NULL), 0);
	n_seen_by_pass = 0;
	changes_in_pass = false;
}

/* Turns of the loop, until nothing is pending. */
static void loop(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

static int on_found(sd_event_source *source, void *userdata)
{
	struct inventory_domain *d;
	char uuid[DOMAIN_UUID_LEN];

	(void)source;
	(void)userdata;
	for (unsigned int i = 0; i < DOMAINS; i++) {
		snprintf(uuid, sizeof(uuid), "%08x-89ab-cdef-0123-456789abcdef", i);
		CHECK_INT(inventory_seen(&inventory,
		                         domain_make(uuid, "many", (pid_t)(10000 + i * 10), 2), &d),
		          INVENTORY_NEW);
		pass_changed(pass);
	}
	return 0;
}

/* A thousand domains that are found in one turn are one pass, which knows all of them. */
static void test_one_pass_for_all(void)
{
	sd_event_source *source = NULL;

	begin();
	CHECK(sd_event_add_defer(event, &source, on_found, NULL) >= 0);
	loop();
	CHECK_U64(pass_total(pass), 1);
	CHECK_INT(n_seen_by_pass, DOMAINS);
	sd_event_source_unref(source);
}

/* Nothing changed: no pass. */
static void test_none_without_change(void)
{
	begin();
	loop();
	pass_settle(pass);
	CHECK_U64(pass_total(pass), 0);
}

/* One that is made now is not made again in the next turn. */
static void test_now(void)
{
	begin();
	pass_changed(pass);
	pass_now(pass);
	CHECK_U64(pass_total(pass), 1);
	loop();
	CHECK_U64(pass_total(pass), 1);
	pass_changed(pass);
	pass_settle(pass);
	CHECK_U64(pass_total(pass), 2);
	pass_settle(pass);
	CHECK_U64(pass_total(pass), 2);
}

/* What a pass itself changes is the next one's, however it asks: a pass is not made within one. */
static void test_changes_in_a_pass(void)
{
	begin();
	changes_in_pass = true;
	pass_now(pass);
	CHECK_U64(pass_total(pass), 1);
	loop();
	CHECK_U64(pass_total(pass), 2);
}

/* A pass that could not be made is made again by itself, a second later and not at once. */
static void test_made_again(void)
{
	uint64_t before_us, after_us;

	begin();
	fails = 1;
	CHECK(sd_event_now(event, CLOCK_MONOTONIC, &before_us) >= 0);
	CHECK_INT(pass_now(pass), -ENOMEM);
	loop();
	CHECK_U64(pass_total(pass), 1);
	CHECK(sd_event_run(event, 10 * 1000000ULL) > 0);
	CHECK_U64(pass_total(pass), 2);
	CHECK(sd_event_now(event, CLOCK_MONOTONIC, &after_us) >= 0);
	CHECK(after_us >= before_us + 1000000ULL);
	loop();
	CHECK_U64(pass_total(pass), 2);
}

TEST_MAIN(TEST(test_one_pass_for_all), TEST(test_none_without_change), TEST(test_now),
          TEST(test_changes_in_a_pass), TEST(test_made_again))
