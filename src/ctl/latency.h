/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ctl/args.h"
#include "ctl/exit_status.h"

/**
 * Asks again and again, which keeps the daemon tracing what runs instead of the domain's vCPUs. It
 * ends after a time, or with --over when a longer wait has come. Ctrl-C ends it sooner.
 * EXIT_FAILED: no such wait came, or the drawing could not be written.
 */
enum exit_status latency_run(const struct ctl_args *args);
