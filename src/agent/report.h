/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The report of a running agent, as JSON: pvsched-agent status --json. */

#include "agent/agent.h"

/** Writes it into *fd, a memfd of *size bytes. Addresses only for root. Returns 0, or -errno. */
int report_make(struct agent *agent, bool root, int *fd, uint64_t *size);
