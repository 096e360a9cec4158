/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the booster does when the tracer has an event. For the booster thread alone. */

#include "core/account.h"

struct booster;

/** @userdata is the struct booster. An event of an earlier thread in the slot is ignored. */
void events_handle(void *userdata, const struct pvs_event *event);

/**
 * A helper waits too long on the CPU of the vCPU in @slot: the other boosted vCPUs of its domain
 * there make room, too. The tracer reports a wait once, so this is to be called again when it is
 * found that the helper still waits: vCPUs may have come to that CPU since.
 */
void events_make_room(struct booster *b, unsigned int slot);
