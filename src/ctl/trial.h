/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* `trial`: begins a trial in the daemon, follows it, and prints its verdict. */

#include "ctl/args.h"
#include "ctl/exit_status.h"

enum exit_status trial_run(const struct ctl_args *args);
