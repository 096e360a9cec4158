/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The daemon as a whole: its construction, its loop, its end. */

#include "daemon/options.h"

struct daemon;

/** Sets everything up. Returns 0 and *ret, or -errno after having logged why. */
int daemon_new(struct daemon **ret, const struct options *options);

/** Runs until a signal or an error ends it. Returns an exit status. */
int daemon_run(struct daemon *daemon);

/** Gives everything back and takes all down. Takes NULL; returns NULL. */
struct daemon *daemon_free(struct daemon *daemon);
