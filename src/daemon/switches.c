// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/switches.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/refusals.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"

struct switches {
	struct plan_switches now;
	struct state *state;
	sd_event *event;
	sd_event_source *retry;   /* ends plan_switches::deadlines_refused */
	sd_event_source *breaker; /* when time makes it another one */
	void (*changed)(void *userdata);
	void *userdata;
};

static void say_breaker(const struct breaker *breaker)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_CIRCUIT_BREAKER};
	uint64_t now_ns = clock_now_ns();

	if (breaker->state == BREAKER_OPEN)
		log_write(LOG_ERR, &ctx,
		          "the circuit breaker is open, after %u unclean ends and %u acts of the "
		          "guardian in ten minutes: nothing is boosted for %u minutes, or until "
		          "`pvschedctl enable`",
		          breaker_recent_ends(breaker, now_ns),
		          breaker_recent_acts(breaker, now_ns),
		          breaker_minutes_left(breaker, now_ns));
	else if (breaker->state == BREAKER_HALF_OPEN)
		log_notice("the circuit breaker is half open: vCPUs are boosted again, and one "
		           "unclean end within ten minutes opens it");
	else
		log_info("the circuit breaker is closed");
}

int switches_new(struct switches **ret, struct state *state, void (*changed)(void *userdata),
                 void *userdata)
{
	struct switches *switches = calloc(1, sizeof(*switches));

	if (!switches)
		return -ENOMEM;
	switches->state = state;
	switches->changed = changed;
	switches->userdata = userdata;
	switches->now.disabled = state_disabled(state);
	switches->now.breaker_open = state_breaker(state)->state == BREAKER_OPEN;
	switches->now.booster_realtime = true;
	switches->now.traced = true;
	if (switches->now.breaker_open)
		say_breaker(state_breaker(state));
	*ret = switches;
	return 0;
}

struct switches *switches_free(struct switches *switches)
{
	if (!switches)
		return NULL;
	sd_event_source_disable_unref(switches->retry);
	sd_event_source_disable_unref(switches->breaker);
	free(switches);
	return NULL;
}

const struct plan_switches *switches_now(const struct switches *switches)
{
	return &switches->now;
}

static void set(struct switches *switches, bool *which, bool value)
{
	if (*which == value)
		return;
	*which = value;
	switches->changed(switches->userdata);
}

void switches_configure(struct switches *switches, bool enabled)
{
	set(switches, &switches->now.enabled, enabled);
}

void switches_set_guarded(struct switches *switches, bool guarded)
{
	set(switches, &switches->now.guarded, guarded);
}

void switches_set_preempt_rt(struct switches *switches)
{
	set(switches, &switches->now.preempt_rt, true);
}

void switches_set_tracer(struct switches *switches, bool traced)
{
	set(switches, &switches->now.traced, traced);
}

void switches_set_booster(struct switches *switches, bool realtime)
{
	set(switches, &switches->now.booster_realtime, realtime);
}

/* ---- the circuit breaker ---- */

/* Saves it, and looks at it again when it goes on by time. */
static void breaker_keep(struct switches *switches, const struct breaker *breaker)
{
	int r = state_set_breaker(switches->state, breaker);

	if (r < 0)
		log_error("the circuit breaker can't be saved: %s; the next pvschedd will not know "
		          "of these ends",
		          strerror(-r));
	switches->now.breaker_open = breaker->state == BREAKER_OPEN;
	if (!switches->breaker)
		return;
	sd_event_source_set_time(switches->breaker, breaker_next_ns(breaker) / NSEC_PER_USEC);
	sd_event_source_set_enabled(switches->breaker, breaker->state == BREAKER_CLOSED
	                                                       ? SD_EVENT_OFF
	                                                       : SD_EVENT_ONESHOT);
}

static void breaker_change(struct switches *switches, const struct breaker *breaker, bool is_news)
{
	bool was_open = switches->now.breaker_open;

	breaker_keep(switches, breaker);
	if (is_news)
		say_breaker(breaker);
	if (was_open != switches->now.breaker_open)
		switches->changed(switches->userdata);
}

static int on_breaker(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct switches *switches = userdata;
	struct breaker breaker = *state_breaker(switches->state);
	bool changed = breaker_look(&breaker, clock_now_ns());

	(void)source;
	(void)usec;
	breaker_change(switches, &breaker, changed);
	return 0;
}

int switches_attach(struct switches *switches, sd_event *event)
{
	int r = sd_event_add_time(event, &switches->breaker, CLOCK_MONOTONIC, UINT64_MAX, 0,
	                          on_breaker, switches);

	if (r < 0)
		return r;
	switches->event = event;
	sd_event_source_set_description(switches->breaker, "circuit breaker");
	breaker_keep(switches, state_breaker(switches->state));
	return 0;
}

int switches_command(struct switches *switches, bool on)
{
	int r = state_set_disabled(switches->state, !on);

	if (r < 0)
		return r;
	switches->now.disabled = !on;
	if (on)
		breaker_keep(switches, &(struct breaker){0});
	return 0;
}

void switches_unclean_end(struct switches *switches)
{
	struct breaker breaker = *state_breaker(switches->state);
	bool opened = breaker_count_end(&breaker, clock_now_ns());

	breaker_change(switches, &breaker, opened);
}

void switches_guardian_acted(struct switches *switches)
{
	struct breaker breaker = *state_breaker(switches->state);
	bool opened = breaker_count_act(&breaker, clock_now_ns());

	breaker_change(switches, &breaker, opened);
}

const struct breaker *switches_breaker(const struct switches *switches)
{
	return state_breaker(switches->state);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct switches *switches = userdata;

	(void)usec;
	switches->retry = sd_event_source_disable_unref(source);
	set(switches, &switches->now.deadlines_refused, false);
	log_info("vCPUs are boosted again, to see whether the kernel starts timers now");
	return 0;
}

int switches_refuse_deadlines(struct switches *switches)
{
	int r;

	if (switches->retry)
		return -EALREADY;
	/* what ends it comes first, or it might not end */
	r = sd_event_add_time_relative(switches->event, &switches->retry, CLOCK_MONOTONIC,
	                               POLICY_REFUSALS_HOLD_NS / NSEC_PER_USEC, 0, on_retry,
	                               switches);
	if (r < 0)
		return r;
	set(switches, &switches->now.deadlines_refused, true);
	return 0;
}
