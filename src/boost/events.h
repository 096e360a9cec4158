/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the booster does when the tracer has an event. For the booster thread alone. */

#include "core/account.h"

/** @userdata is the struct booster. An event of an earlier thread in the slot is ignored. */
void events_handle(void *userdata, const struct pvs_event *event);
