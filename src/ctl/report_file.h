/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * `doctor --report`: one file for a bug report, with what the daemon and the host say, and with
 * pseudonyms for guests.
 */

#include "ctl/args.h"
#include "ctl/doctor.h"
#include "ctl/exit_status.h"

/** Writes the file args->report, which must not exist. */
enum exit_status report_file_write(const struct ctl_args *args, const struct doctor_report *report);
