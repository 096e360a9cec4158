/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "sim.h"

/**
 * Whether what `pvschedctl recommend` says comes true: demands that are drawn from seeds, beside
 * spinners, observed first and then boosted as it was recommended, by the real policy. @seeds of
 * them, from options->seed on. Returns the exit status.
 */
int demands_run(const struct sim_options *options, unsigned int seeds);
