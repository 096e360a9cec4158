/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which vCPU's cgroup has an RT budget from us. vCPUs may share a cgroup: it keeps its budget until
 * the last of them gives it up.
 */

#include "boost/ledger.h"
#include "util/base.h"
#include "util/cgroup.h"

struct rt_grants;

/** For slots of vCPUs. @cgroup NULL: nothing is ever granted. NULL when memory is out. */
struct rt_grants *rt_grants_new(struct ledger *ledger, const struct cgroup_cpu *cgroup);

/** Withdraws nothing. Takes NULL; returns NULL. */
struct rt_grants *rt_grants_free(struct rt_grants *grants);

/**
 * Gives @group at least @permille of each CPU for the vCPU in @slot.
 * @failed  on failure: the group that the kernel refused, CGROUP_GROUP_MAX bytes; else ""
 * Returns 0, also where no such budget is needed; -errno.
 */
int rt_grants_ensure(struct rt_grants *grants, unsigned int slot, const char *group,
                     uint32_t permille, char *failed);

/** Withdraws what @slot has in another group than @group, which its thread has left. */
void rt_grants_moved(struct rt_grants *grants, unsigned int slot, const char *group);

/** Withdraws what @slot has. Its thread must not be real-time any more. */
void rt_grants_withdraw(struct rt_grants *grants, unsigned int slot);

/** A guardian withdrew all of them. */
void rt_grants_forget_all(struct rt_grants *grants);
