/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Does the kernel's fair class keep its order between groups? From Linux 6.13 to 6.18.44, and in
 * trees that took commit 6d71a9c61604, it does not: two threads in groups below one group, as
 * libvirt has vCPUs and emulator, that wake each other keep a whole CPU, while a third thread of
 * that group runs on another CPU. Threads of other groups wait meanwhile. What a guest gets on such
 * a kernel without boosts is partly others' time, and no measure of what boosts cost or give it.
 */

#include "util/base.h"
#include "util/cgroup.h"

/** Equal groups that compete for the CPU: the pair's, and those of three other threads. */
#define FAIR_ORDER_GROUPS 4

struct fair_order {
	unsigned int permille; /* of the CPU's time, that the pair had */
	bool kept;             /* that is not more than twice its fair share */
};

/**
 * Tries it, for about half a second on the two highest CPUs that this process may use, in groups
 * below "pvschedd-probe" that are gone afterwards. Needs root.
 *
 * Returns 0; -EOPNOTSUPP if there is one CPU only, or the cpu controller is not enabled for groups
 * below the root; -EBUSY if it is being tried already; -errno.
 */
int fair_order_try(const struct cgroup_cpu *cpu, struct fair_order *ret);
