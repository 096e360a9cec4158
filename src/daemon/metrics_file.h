/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The metrics as a file for node_exporter's textfile collector, written anew at an interval: a
 * reader sees the whole old one or the whole new one. A thread of its own writes it, since a disk
 * may make it wait; while it does, no other is written. Without a file there is neither thread nor
 * timer.
 */

#include <systemd/sd-event.h>

#include "daemon/tally.h"
#include "daemon/views.h"

struct metrics_file;

/** @views and @tally must stay. Nothing is written yet. Returns 0 and *ret, or -ENOMEM. */
int metrics_file_new(struct metrics_file **ret, sd_event *event, const struct views *views,
                     struct tally *tally);

/** Ends the thread, which removes the file. Takes NULL; returns NULL. */
struct metrics_file *metrics_file_free(struct metrics_file *file);

/**
 * Writes @path (an absolute one; "": none) at this interval from now on. The file of before is
 * removed, unless it is the same. Returns 0, or -errno: none is written.
 */
int metrics_file_configure(struct metrics_file *file, const char *path, uint64_t interval_ns);
