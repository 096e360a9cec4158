/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * attach and detach: print what will change in a domain and what that costs, then change it. They
 * need libvirt, but no daemon.
 */

#include "ctl/args.h"
#include "ctl/exit_status.h"

/** Runs the verb CTL_ATTACH or CTL_DETACH. */
enum exit_status run_attach(const struct ctl_args *args);
