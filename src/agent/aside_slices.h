/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The top units of systemd: AllowedCPUs of each moves all tasks in it, at once. systemd is asked,
 * by systemctl, since it writes these groups itself and would undo what others write.
 */

#include "agent/aside_places.h"
#include "agent/aside_record.h"

/** Does cgroup v2 have cpuset here? And is cpuset enabled in each top unit? */
bool aside_cpuset_exists(const struct aside_places *places);
bool aside_cpuset_enabled(const struct aside_places *places);

/**
 * Adds an entry for each top unit, or changes the one that there is, so that it leaves out
 * @avoided. One that has no other CPUs is left as it is. Returns how many of these there are, or
 * -errno.
 */
int aside_slices_plan(const struct aside_places *places, const struct cpu_set_bits *online,
                      const struct cpu_set_bits *avoided, struct aside_record *record);

/**
 * Makes all units of @record as their entries say, at once: as ours, or, with @back, as before.
 * With
 * @back one that another program has changed meanwhile is left alone, unless record->changing; all
 * that were given back are gone then. Returns how many failed.
 */
unsigned int aside_slices_apply(const struct aside_places *places, struct aside_record *record,
                                bool back);
