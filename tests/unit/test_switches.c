// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The switches: what each of them says to the plan, that only a change is news, that the breaker
 * opens with the third unclean end and that `enable` closes it. With true files.
 */
#include "daemon/switches.h"

#include <errno.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/log.h"

#include "log_fake.h"
#include "test.h"

static char directory[64];
static struct state *state;
static struct switches *switches;
static unsigned int n_changed;

static void on_changed(void *userdata)
{
	(void)userdata;
	n_changed++;
}

static void begin(void)
{
	char warning[512];

	switches_free(switches);
	state_free(state);
	snprintf(directory, sizeof(directory), "/tmp/pvsched-switches-XXXXXX");
	CHECK(mkdtemp(directory));
	CHECK_INT(state_open(&state, directory, directory, warning, sizeof(warning)), 0);
	CHECK_INT(switches_new(&switches, state, on_changed, NULL), 0);
	switches_configure(switches, true);
	switches_set_guarded(switches, true);
	n_changed = n_logged = 0;
}

static void end(void)
{
	static const char *const files[] = {"disabled", "breaker", "running", "policies.json"};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		unlink(path);
	}
	CHECK_INT(rmdir(directory), 0);
}

static uint32_t holds(void)
{
	return plan_host_holds(switches_now(switches));
}

/* All parts there, nothing switched off: no hold. Each part that goes makes its own. */
static void test_parts(void)
{
	begin();
	CHECK_INT(holds(), 0);
	switches_set_guarded(switches, false);
	CHECK_INT(holds(), POLICY_HOLD(POLICY_REASON_GUARDIAN));
	switches_set_guarded(switches, true);
	switches_set_tracer(switches, false);
	CHECK_INT(holds(), POLICY_HOLD(POLICY_REASON_NO_TRACER));
	switches_set_tracer(switches, true);
	switches_set_booster(switches, false);
	CHECK_INT(holds(), POLICY_HOLD(POLICY_REASON_FAILED));
	switches_set_booster(switches, true);
	switches_configure(switches, false);
	CHECK_INT(holds(), POLICY_HOLD(POLICY_REASON_DISABLED));
	switches_configure(switches, true);
	CHECK_INT(n_changed, 8);
	switches_set_preempt_rt(switches);
	CHECK_INT(holds(), POLICY_HOLD(POLICY_REASON_PREEMPT_RT));
	end();
}

/* What is as it was is no news. */
static void test_only_changes_are_news(void)
{
	begin();
	switches_set_guarded(switches, true);
	switches_set_tracer(switches, true);
	switches_configure(switches, true);
	CHECK_INT(n_changed, 0);
	end();
}

/* The command is kept over a restart; its caller makes the pass. */
static void test_command(void)
{
	char warning[512];

	begin();
	CHECK_INT(switches_command(switches, false), 0);
	CHECK_INT(holds(), POLICY_HOLD(POLICY_REASON_DISABLED));
	CHECK_INT(n_changed, 0);
	switches_free(switches);
	state_free(state);
	CHECK_INT(state_open(&state, directory, directory, warning, sizeof(warning)), 0);
	CHECK_INT(switches_new(&switches, state, on_changed, NULL), 0);
	CHECK(switches_now(switches)->disabled);
	CHECK_INT(switches_command(switches, true), 0);
	CHECK(!switches_now(switches)->disabled);
	end();
}

/* A switch that can't be saved stays as it is. */
static void test_command_fails(void)
{
	begin();
	CHECK_INT(rmdir(directory), 0);
	CHECK(switches_command(switches, false) < 0);
	CHECK_INT(holds(), 0);
}

/* The third unclean end opens the breaker, said once; `enable` closes it. */
static void test_breaker(void)
{
	begin();
	switches_unclean_end(switches);
	switches_unclean_end(switches);
	CHECK_INT(holds(), 0);
	switches_unclean_end(switches);
	CHECK_INT(holds(), POLICY_HOLD(POLICY_REASON_BREAKER));
	CHECK_INT(n_logged, 1);
	CHECK_INT(n_changed, 1);
	switches_unclean_end(switches);
	CHECK_INT(n_logged, 1);
	CHECK_INT(switches_command(switches, true), 0);
	CHECK_INT(holds(), 0);
	CHECK_INT(switches_breaker(switches)->state, BREAKER_CLOSED);
	end();
}

/* Acts of the guardian, of which the booster itself tells, are counted apart. */
static void test_guardian_acts(void)
{
	begin();
	for (int i = 1; i < BREAKER_ACTS; i++)
		switches_guardian_acted(switches);
	CHECK_INT(holds(), 0);
	switches_guardian_acted(switches);
	CHECK_INT(holds(), POLICY_HOLD(POLICY_REASON_BREAKER));
	end();
}

/* One that was opened long ago is half open as soon as the event loop runs. */
static void test_breaker_goes_on_by_time(void)
{
	/* it may be before the host started: the sums wrap */
	struct breaker breaker = {
	        .state = BREAKER_OPEN, .opened = 1, .since_ns = clock_now_ns() - BREAKER_WINDOW_NS};
	sd_event *event = NULL;

	begin();
	CHECK(sd_event_new(&event) >= 0);
	CHECK_INT(state_set_breaker(state, &breaker), 0);
	switches = switches_free(switches);
	CHECK_INT(switches_new(&switches, state, on_changed, NULL), 0);
	switches_configure(switches, true);
	switches_set_guarded(switches, true);
	CHECK_INT(holds(), POLICY_HOLD(POLICY_REASON_BREAKER));
	CHECK_INT(switches_attach(switches, event), 0);
	CHECK(sd_event_run(event, 5 * 1000 * 1000) > 0);
	CHECK_INT(switches_breaker(switches)->state, BREAKER_HALF_OPEN);
	CHECK_INT(holds(), 0);
	switches_unclean_end(switches);
	CHECK_INT(holds(), POLICY_HOLD(POLICY_REASON_BREAKER));
	switches = switches_free(switches);
	sd_event_unref(event);
	end();
}

/* Refused deadlines hold everything for a while; more of them within that change nothing. */
static void test_deadlines(void)
{
	sd_event *event = NULL;

	begin();
	CHECK(sd_event_new(&event) >= 0);
	CHECK_INT(switches_attach(switches, event), 0);
	CHECK_INT(switches_refuse_deadlines(switches), 0);
	CHECK_INT(holds(), POLICY_HOLD(POLICY_REASON_NO_TRACER));
	CHECK_INT(switches_refuse_deadlines(switches), -EALREADY);
	CHECK_INT(n_changed, 1);
	switches = switches_free(switches);
	sd_event_unref(event);
	end();
}

TEST_MAIN(TEST(test_parts), TEST(test_only_changes_are_news), TEST(test_command),
          TEST(test_command_fails), TEST(test_breaker), TEST(test_guardian_acts),
          TEST(test_breaker_goes_on_by_time), TEST(test_deadlines))
