/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Requests on demand, through a ring buffer like the tracer's: see fire.bpf.c.
 */

#include <sys/types.h>

#include "core/account.h"
#include "util/base.h"

#define FIRE_MAX 256 /* slots */

struct fire;

typedef void fire_fn(void *userdata, const struct pvs_event *event);

/** Loads it. Returns NULL after it told why on stderr. */
struct fire *fire_new(void);

/** Takes NULL; returns NULL. */
struct fire *fire_free(struct fire *fire);

/** Readable when there are events. */
int fire_fd(const struct fire *fire);

/** Calls @fn for each event that is there. */
int fire_drain(struct fire *fire, fire_fn *fn, void *userdata);

/** The thread that events of @slot name. */
void fire_set_tid(struct fire *fire, unsigned int slot, pid_t tid);

/** Sends @count events of a type, of the slots from @first on, at once. Returns how many were lost,
 * or -errno. */
int fire_at_once(struct fire *fire, enum pvs_event_type type, unsigned int first,
                 unsigned int count);

/** Attaches programs that do nothing where the tracer has its own, until fire_free(). Returns 0, or
 * -errno. */
int fire_attach_empty(struct fire *fire);
