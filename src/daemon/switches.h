/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What is switched on or off for the whole host: by the configuration, by command, by the circuit
 * breaker, by parts that are missing.
 */

#include <systemd/sd-event.h>

#include "daemon/state.h"
#include "policy/plan.h"
#include "util/base.h"

struct switches;

/** @changed is called at each change but those by a command. Returns 0 and *ret, or -ENOMEM. */
int switches_new(struct switches **ret, struct state *state, void (*changed)(void *userdata),
                 void *userdata);

/** Takes NULL; returns NULL. */
struct switches *switches_free(struct switches *switches);

/** What is known now, for the plan. */
const struct plan_switches *switches_now(const struct switches *switches);

/** "enabled" of the configuration. */
void switches_configure(struct switches *switches, bool enabled);

/* The parts, as they are found at the start, or come and go. */
void switches_set_guarded(struct switches *switches, bool guarded);
void switches_set_preempt_rt(struct switches *switches);
void switches_set_tracer(struct switches *switches, bool traced);
void switches_set_booster(struct switches *switches, bool realtime);

/** By command. Returns 0; -errno: it could not be saved, and all is as it was. */
int switches_command(struct switches *switches, bool on);

/** From here on the circuit breaker goes on by time. Returns 0, or -errno. */
int switches_attach(struct switches *switches, sd_event *event);

/* For the circuit breaker, which is said where that opens it: policy/breaker.h. */
void switches_unclean_end(struct switches *switches);
void switches_guardian_acted(struct switches *switches);
const struct breaker *switches_breaker(const struct switches *switches);

/**
 * The kernel refused many of the tracer's timers: for ten seconds nothing is boosted. After
 * switches_attach(). Returns 0; -EALREADY within these; -errno: it goes on as before.
 */
int switches_refuse_deadlines(struct switches *switches);
