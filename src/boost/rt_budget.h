/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * RT budgets of cgroups, for kernels with CONFIG_RT_GROUP_SCHED (cgroup v1 only): a thread may not
 * become real-time in a group without cpu.rt_runtime_us, and the budgets of siblings must fit under
 * their parent's. So a grant boosts the group and all its ancestors below the root, top down, each
 * with a record in the ledger; withdrawing goes bottom up.
 *
 * For the main thread.
 */

#include "boost/ledger.h"
#include "util/cgroup.h"

/** Outcomes. */
enum {
	RT_BUDGET_NOT_NEEDED = 1, /* the kernel has no such budgets */
};

/**
 * Gives @group a budget of at least @share_permille per CPU.
 * @failed  on failure: the group that the kernel refused, CGROUP_GROUP_MAX bytes
 * Returns 0; RT_BUDGET_NOT_NEEDED; -EINVAL when it does not fit under the parent's; -ENOSPC when
 * the ledger is full; -errno. What was boosted before a failure is withdrawn again.
 */
int rt_budget_grant(struct ledger *ledger, const struct cgroup_cpu *cpu, const char *group,
                    uint32_t share_permille, char *failed);

/**
 * Takes back what was granted to @group, which may be gone by now, from it and its ancestors. No
 * thread in it may be real-time any more. A value that another program changed is left alone.
 */
void rt_budget_withdraw(struct ledger *ledger, const struct cgroup_cpu *cpu, const char *group);
