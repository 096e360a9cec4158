/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What systemd is told, sd_notify(3), without its library. Nothing where no service manager asks.
 */

#include "util/base.h"

void notify_ready(void);

/** One line for systemctl status. */
void notify_status(const char *format, ...) PRINTF_FORMAT(1, 2);
