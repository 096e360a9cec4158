/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The proc connector's hints: a thread was named like a vCPU or an iothread. */

#include <systemd/sd-event.h>

#include "util/base.h"

struct hints;

/** What it tells upwards. */
struct hints_news {
	void (*named)(void *userdata, pid_t pid); /* a thread of process @pid */
	void (*lost)(void *userdata);             /* any thread of any process, maybe */
	void *userdata;
};

/**
 * Connects. Where the kernel refuses that, the journal says so and no hint ever comes.
 * Returns 0 and *ret, or -errno.
 */
int hints_new(struct hints **ret, sd_event *event, const struct hints_news *news);

/** Takes NULL; returns NULL. */
struct hints *hints_free(struct hints *hints);

/** Do hints come? */
bool hints_ok(const struct hints *hints);

/** Why none come; "": they do. */
const char *hints_why(const struct hints *hints);

/** What helps against that; "": nothing is known to. */
const char *hints_fix(const struct hints *hints);

/** How often hints were lost: the kernel had to drop some, or the socket failed. */
uint64_t hints_lost_total(const struct hints *hints);
