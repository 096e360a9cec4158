/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * When domains whose profile learns (mode auto) are looked at. A look takes what `recommend` says
 * (evaluation.h) to policy/learn.h; if something else is to be applied then, a pass follows.
 *
 * A domain is looked at ten seconds after it was found, then less and less often, down to once a
 * minute; one whose vCPUs hardly wake up down to once in eight minutes, which is bounded because
 * nothing tells this thread that they wake up again. Without such a domain that runs there is no
 * timer.
 */

#include <systemd/sd-event.h>

#include "daemon/learned_domains.h"
#include "daemon/pass.h"
#include "daemon/views.h"

struct learning;

/** @learned and @views must stay. Returns 0 and *ret, or -ENOMEM. */
int learning_new(struct learning **ret, sd_event *event, struct learned_domains *learned,
                 const struct views *views, struct pass *pass);

/** Takes NULL; returns NULL. */
struct learning *learning_free(struct learning *learning);

/** After each pass: forgets what domains have learned that do not learn any more. Takes NULL. */
void learning_follow(struct learning *learning);

/** Does what is due at @now_ns. Returns when more is; NSEC_NEVER: nothing is. For tests. */
uint64_t learning_look(struct learning *learning, uint64_t now_ns);
