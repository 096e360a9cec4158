/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Reads the texts that the checks of doctor_host.h judge. */

#include "ctl/doctor_host.h"

/** All of them but that of RT_GROUP_SCHED. */
void doctor_read_host(const struct doctor_env *env, struct doctor_report *report);

/** That one, where groups have no file for a budget. */
void doctor_read_rt_group(const struct doctor_env *env, struct doctor_report *report);
