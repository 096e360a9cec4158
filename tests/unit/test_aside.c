// SPDX-License-Identifier: GPL-2.0-or-later
/* Stepping aside in the agent's loop: what is asked for, when, and what becomes of it. */
#include "agent/aside.h"

#include <errno.h>
#include <sys/epoll.h>

#include "util/clock.h"

#include "aside_tree.h"

static struct events events;
static struct aside *aside;
static struct aside_view view;
static bool served;

static bool is_served(void *userdata)
{
	(void)userdata;
	return served;
}

/* A systemctl that starts the service: it leaves an outcome as if all that is asked for were done.
 */
static void service(const char *first)
{
	char script[2048];

	snprintf(script, sizeof(script),
	         "#!/bin/sh\n%s\n"
	         "test \"$2 $3\" = 'start pvsched-aside.service' || exit 9\n"
	         "cat %s/asked >>%s/asked.log 2>/dev/null || echo none >>%s/asked.log\n"
	         "if [ -e %s/asked ]; then echo '1 0 0 0 0 3 0 2 1'; cat %s/asked; else\n"
	         "echo '0 0 0 0 0 0 0 0 0'; echo; fi >%s/run/outcome\n"
	         "echo >>%s/run/outcome\n",
	         first, tree, tree, tree, tree, tree, tree, tree);
	tree_write("systemctl", script);
}

static void begin(enum settings_step_aside mode)
{
	struct aside_what what = {
	        .events = &events,
	        .mode = mode,
	        .stat = tree_path("stat"),
	        .is_served = is_served,
	};

	what.places = places;
	CHECK_INT(events_init(&events), 0);
	CHECK_INT(aside_new(&aside, &what), 0);
	served = true;
}

static void end(void)
{
	aside = aside_free(aside);
	CHECK(!events.turn);
	events_finish(&events);
	tree_remove();
}

static void tell(unsigned int cpu, bool avoid)
{
	struct pvsched_channel_vcpu line = {.cpu_index = cpu,
	                                    .host_flags = avoid ? PVSCHED_HOST_AVOID : 0};

	aside_told(aside, &line, 1);
}

/* Turns until nothing is going on. */
static void settle(void)
{
	uint64_t until_ns = clock_now_ns() + 20 * NSEC_PER_SEC;

	aside_read(aside, &view);
	while (view.changing) {
		CHECK(clock_now_ns() < until_ns);
		CHECK(events_turn(&events, 1000) >= 0);
		aside_read(aside, &view);
	}
}

static const char *list_of(const struct cpu_set_bits *set)
{
	static char text[256];

	cpulist_format(set, text, sizeof(text));
	return text;
}

static void test_by_the_host(void)
{
	uint64_t before_ns;

	tree_make();
	service("");
	begin(SETTINGS_ASIDE_HOST);
	settle();
	CHECK_INT(view.changes, 0); /* nothing was left, and nothing is asked for */
	CHECK_STR(view.by, "host");
	tell(2, true);
	before_ns = clock_now_ns();
	settle();
	CHECK_INT(view.outcome.result, ASIDE_AWAY);
	CHECK_STR(list_of(&view.outcome.avoided), "2");
	CHECK_INT(view.outcome.irqs_fixed, 1);
	tell(3, true);
	tell(2, true);
	CHECK_INT(view.changes, 1); /* not before 500 ms have passed */
	settle();
	CHECK_STR(list_of(&view.outcome.avoided), "2-3");
	CHECK(clock_now_ns() - before_ns >= 500 * NSEC_PER_MSEC);
	CHECK_INT(view.changes, 2);
	tell(2, false);
	tell(2, true); /* and back: nothing has changed */
	settle();
	CHECK_INT(view.changes, 2);
	served = false;
	aside_silent(aside);
	settle();
	CHECK_INT(view.outcome.result, ASIDE_BACK);
	CHECK_STR(view.by, "none");
	CHECK(cpu_set_bits_empty(&view.outcome.avoided));
	CHECK(!tree_read("asked"));
	end();
}

static void test_it_may_not(void)
{
	tree_make();
	service("");
	begin(SETTINGS_ASIDE_OFF);
	tell(2, true);
	settle();
	CHECK_INT(view.changes, 0);
	CHECK_STR(view.by, "none");
	CHECK(!tree_read("asked.log"));
	end();
	tree_make();
	service("");
	CHECK(rmdir(places.systemd) == 0);
	begin(SETTINGS_ASIDE_HOST);
	tell(2, true);
	settle();
	CHECK_INT(view.outcome.result, ASIDE_REFUSED);
	CHECK_INT(view.outcome.reason, ASIDE_NO_SYSTEMD);
	CHECK(!tree_read("asked.log"));
	end();
}

static void test_what_was_left_is_given_back(void)
{
	tree_make();
	service("");
	tree_write("run/record", "of an agent that was killed\n");
	begin(SETTINGS_ASIDE_OFF);
	settle();
	CHECK_INT(view.changes, 1);
	CHECK_STR(tree_read("asked.log"), "none");
	unlink(places.record);
	end();
}

static void test_the_service_fails(void)
{
	tree_make();
	service("exit 1");
	begin(SETTINGS_ASIDE_HOST);
	tell(2, true);
	settle();
	CHECK_INT(view.outcome.result, ASIDE_FAILED);
	CHECK_INT(view.outcome.reason, ASIDE_PROCESS);
	CHECK(cpu_set_bits_empty(&view.outcome.avoided));
	service("");
	tell(2, false);
	tell(3, true);
	settle();
	CHECK_INT(view.outcome.result, ASIDE_AWAY);
	tree_write("systemctl", "#!/bin/sh\necho nonsense >\"${0%/*}\"/run/outcome\n");
	tell(3, false);
	settle();
	CHECK_INT(view.outcome.reason, ASIDE_PROCESS);
	service("");
	while (view.outcome.result != ASIDE_BACK) { /* again, 2 s later */
		CHECK(events_turn(&events, 10000) > 0);
		aside_read(aside, &view);
	}
	end();
}

static void test_ends(void)
{
	tree_make();
	service("");
	begin(SETTINGS_ASIDE_HOST);
	tell(2, true);
	settle();
	tree_write("run/record", "there is one\n");
	aside = aside_free(aside);
	CHECK(strcmp(tree_read("asked.log"), "2") == 0);
	CHECK_STR(tree_read("run/outcome"), "0 0 0 0 0 0 0 0 0");
	CHECK(!tree_read("asked"));
	events_finish(&events);
	tree_remove();
	/* while the service is at work: what it does goes on, and is undone after it */
	tree_make();
	service("sleep 0.3");
	begin(SETTINGS_ASIDE_HOST);
	tell(2, true);
	end();
}

static void turn(void)
{
	CHECK(events_turn(&events, 0) >= 0);
	if (events.turn)
		events.turn(events.turn_userdata);
}

static void test_by_steal_time(void)
{
	tree_make();
	service("");
	tree_write("stat", "cpu0 10 0 0 0 0 0 0 0\ncpu1 10 0 0 0 0 0 0 0\n");
	begin(SETTINGS_ASIDE_AUTO);
	turn();
	CHECK_INT(events.turn_ms, -1); /* the host tells */
	aside_read(aside, &view);
	CHECK_STR(view.by, "host");
	served = false;
	turn();
	CHECK_INT(events.turn_ms, 1000);
	aside_read(aside, &view);
	CHECK_STR(view.by, "steal");
	turn(); /* the next look is a second later */
	CHECK(cpu_set_bits_empty(&view.wanted));
	served = true;
	turn();
	CHECK_INT(events.turn_ms, -1);
	end();
}

TEST_MAIN(TEST(test_by_the_host), TEST(test_it_may_not), TEST(test_what_was_left_is_given_back),
          TEST(test_the_service_fails), TEST(test_ends), TEST(test_by_steal_time))
