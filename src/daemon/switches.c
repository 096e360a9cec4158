// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/switches.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/refusals.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"

struct switches {
	struct plan_switches now;
	struct state *state;
	sd_event_source *retry; /* ends plan_switches::deadlines_refused */
	void (*changed)(void *userdata);
	void *userdata;
};

static void say_breaker(void)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_CIRCUIT_BREAKER};

	log_write(LOG_ERR, &ctx,
	          "%d unclean ends in ten minutes: nothing is boosted until `pvschedctl enable`",
	          STATE_BREAKER_ENDS);
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
	switches->now.breaker_open = state_breaker_open(state);
	switches->now.booster_realtime = true;
	switches->now.traced = true;
	if (switches->now.breaker_open)
		say_breaker();
	*ret = switches;
	return 0;
}

struct switches *switches_free(struct switches *switches)
{
	if (!switches)
		return NULL;
	sd_event_source_disable_unref(switches->retry);
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

int switches_command(struct switches *switches, bool on)
{
	int r = state_set_disabled(switches->state, !on);

	if (r < 0)
		return r;
	switches->now.disabled = !on;
	if (on) {
		state_close_breaker(switches->state);
		switches->now.breaker_open = false;
	}
	return 0;
}

void switches_unclean_end(struct switches *switches)
{
	state_count_unclean(switches->state, clock_now_ns());
	if (switches->now.breaker_open || !state_breaker_open(switches->state))
		return;
	say_breaker();
	set(switches, &switches->now.breaker_open, true);
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

int switches_refuse_deadlines(struct switches *switches, sd_event *event)
{
	int r;

	if (switches->retry)
		return -EALREADY;
	/* what ends it comes first, or it might not end */
	r = sd_event_add_time_relative(event, &switches->retry, CLOCK_MONOTONIC,
	                               POLICY_REFUSALS_HOLD_NS / NSEC_PER_USEC, 0, on_retry,
	                               switches);
	if (r < 0)
		return r;
	set(switches, &switches->now.deadlines_refused, true);
	return 0;
}
