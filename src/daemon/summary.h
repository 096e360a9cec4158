/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One line per domain and interval in the journal, for those in which something happened. Its
 * fields have the figures of that interval: JOURNAL in pvschedd(8).
 */

#include <systemd/sd-event.h>

#include "daemon/tally.h"
#include "daemon/views.h"

struct summary;

/** So many slots of domains are looked at in one turn; the next turn is SUMMARY_PAUSE_US later. */
#define SUMMARY_TURN 128

/** Longer than the window of the log's budget, which takes more lines of a turn than it has. */
#define SUMMARY_PAUSE_US (10500 * UINT64_C(1000))

/** @views and @tally must stay. Nothing is written yet. Returns 0 and *ret, or -ENOMEM. */
int summary_new(struct summary **ret, sd_event *event, const struct views *views,
                struct tally *tally);

/** Takes NULL; returns NULL. */
struct summary *summary_free(struct summary *summary);

/** Starts the interval, or starts it anew with another length; 0: none. Returns 0, or -errno. */
int summary_configure(struct summary *summary, uint64_t interval_ns);
