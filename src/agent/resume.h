/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Whether this machine was suspended meanwhile. No clock is read for that. */

#include "util/base.h"

/** Opens a descriptor that becomes readable then. Returns it, or -errno. */
int resume_open(void);

/** True: it was, or its clock was set. Waits for the next time. */
bool resume_seen(int fd);
