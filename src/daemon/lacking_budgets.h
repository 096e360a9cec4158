/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * RT budgets that are needed and not there. With CONFIG_RT_GROUP_SCHED on cgroup v1 the kernel
 * refuses real-time classes in a group without one, as those that libvirt makes are. A domain that
 * is only observed needs none.
 */

#include "daemon/inventory.h"

struct lacking_budgets {
	size_t n_vcpus;
	char group[CGROUP_GROUP_MAX]; /* that the first of them needs one for */
};

/** Does this vCPU count, since it should be boosted? */
typedef bool lacking_budgets_needs_fn(const void *userdata, const struct inventory_domain *d,
                                      const struct inventory_vcpu *v);

/**
 * Counts the vCPUs whose groups lack a budget.
 * Returns whether this kernel has budgets of groups at all; else *ret is empty.
 */
bool lacking_budgets_count(const struct inventory *inventory, const struct cgroup_cpu *cgroup,
                           lacking_budgets_needs_fn *needs, const void *userdata,
                           struct lacking_budgets *ret);
