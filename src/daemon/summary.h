/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One line per domain and interval in the journal, for those in which something happened. */

#include <systemd/sd-event.h>

#include "daemon/views.h"

struct summary;

/** @views must stay. Nothing is written yet. Returns 0 and *ret, or -ENOMEM. */
int summary_new(struct summary **ret, sd_event *event, const struct views *views);

/** Takes NULL; returns NULL. */
struct summary *summary_free(struct summary *summary);

/** Starts the interval, or starts it anew with another length; 0: none. Returns 0, or -errno. */
int summary_configure(struct summary *summary, uint64_t interval_ns);
