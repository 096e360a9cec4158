/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "util/base.h"

/**
 * Gives up what was needed to start alone: CAP_SYS_ADMIN, for addresses, and all others but those
 * that reconnecting and attaching take: CAP_NET_BIND_SERVICE, CAP_BPF, CAP_PERFMON. For good.
 * Returns 0, or -errno.
 */
int privileges_drop(void);
