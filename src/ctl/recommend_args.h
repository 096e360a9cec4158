/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "util/base.h"

/**
 * Checks what was given to recommend. What is applied must be named, by its name or by --all.
 * @given  CTL_HAS() of each option
 * @domain  NULL: none
 * Returns NULL, or what is wrong.
 */
const char *recommend_args_check(uint32_t given, const char *domain);
