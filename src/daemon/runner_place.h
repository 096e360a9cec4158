/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Where a thread belongs that ran while a vCPU waited: its cgroup, and the domain whose QEMU it is
 * a thread of. Read from /proc when a report wants it, since it is wanted of few. The thread may be
 * gone, and its TID another one's by then: so its name and its cgroup are compared.
 */

#include "core/blocker.h"
#include "daemon/inventory.h"
#include "util/cgroup.h"

#define RUNNER_NAME_MAX (16 + 1)

struct runner_place {
	const struct inventory_domain *domain; /* NULL: of none */
	char group[CGROUP_GROUP_MAX];          /* "": not known */
};

/** The thread's name as the kernel has it: any bytes. "": the CPU was idle. */
void runner_name(const struct pvs_runner *runner, char ret[static RUNNER_NAME_MAX]);

/** @cgroup NULL: there is no hierarchy of the cpu controller. Returns false if nothing is known. */
bool runner_place_find(const struct pvs_runner *runner, const struct inventory *inventory,
                       const struct cgroup_cpu *cgroup, struct runner_place *ret);
