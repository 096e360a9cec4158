/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * attach and detach: says what would be done to a domain and what that costs, and does it. Needs
 * libvirt and no daemon.
 */

#include "ctl/args.h"
#include "ctl/exit_status.h"

/** Runs the verb CTL_ATTACH or CTL_DETACH. */
enum exit_status run_attach(const struct ctl_args *args);
