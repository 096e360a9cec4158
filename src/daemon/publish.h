/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the daemon tells without being asked, at intervals, and the counts that this is made of. */

#include <systemd/sd-event.h>

#include "config/config.h"
#include "daemon/tally.h"
#include "daemon/views.h"

struct publish;

/** @views must stay. Nothing is told yet. Returns 0 and *ret, or -ENOMEM. */
int publish_new(struct publish **ret, sd_event *event, const struct views *views);

/** Takes NULL; returns NULL. */
struct publish *publish_free(struct publish *publish);

/** Tells as the configuration has it, from now on. Returns 0, or -errno. */
int publish_configure(struct publish *publish, const struct config_host *host);

/** For answers to questions. Takes NULL; then returns NULL. */
struct tally *publish_tally(struct publish *publish);
