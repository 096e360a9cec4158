/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* `recommend`: asks of one domain, or of each that runs, and applies the answers if told to. */

#include "ctl/args.h"
#include "ctl/exit_status.h"

enum exit_status recommend_run(const struct ctl_args *args);
