/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "sim.h"

/** Prints a line of what @seeds runs of a scenario have shown. */
void sim_print(const char *name, const struct sim_options *options, unsigned int seeds,
               const struct sim_result *r);
