/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What takes a CFS quota away, in the words of the program that set it. */

#include "daemon/inventory.h"
#include "util/base.h"

/**
 * Writes the command, or the advice where there is no command.
 * @thread_group  of the vCPU's thread
 * @group         that has the quota: it, or one above it
 */
void quota_fix(const struct inventory_domain *domain, const char *thread_group, const char *group,
               char *fix, size_t size);
