/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * When the plan is made anew and applied. A file that learns something changes its own input and
 * calls pass_changed(); however many do that in one turn of the loop, one pass follows.
 */

#include <systemd/sd-event.h>

#include "util/base.h"

struct pass;

/** Returns 0, or -errno: some of it could not be done, and is worth another pass. */
typedef int pass_fn(void *userdata);

/** @fn makes one pass. Returns 0 and *ret, or -errno. */
int pass_new(struct pass **ret, sd_event *event, pass_fn *fn, void *userdata);

/** A pass that is due is not made. Takes NULL; returns NULL. */
struct pass *pass_free(struct pass *pass);

/** An input changed: a pass follows in the next turn of the loop. */
void pass_changed(struct pass *pass);

/**
 * Makes a pass before it returns, for a caller that needs its effect. Returns 0; -errno when it
 * could not be made, and is made again a second later; -EBUSY when a pass calls it.
 */
int pass_now(struct pass *pass);

/** Makes a pass if one is due. A pass that waits to be made again is not due. */
void pass_settle(struct pass *pass);

/** How many were made. */
uint64_t pass_total(const struct pass *pass);
