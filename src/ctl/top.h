/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ctl/args.h"
#include "ctl/exit_status.h"

/** The verbs top and watch: asks the daemon again and again, until a key, a signal or the count. */
enum exit_status top_run(const struct ctl_args *args);
