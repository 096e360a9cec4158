/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdio.h>

#include "agent/aside.h"

/** Writes "step_aside" of the report, and what it is: what is avoided, by what, what stayed. */
void aside_report(FILE *f, const struct aside *aside);
