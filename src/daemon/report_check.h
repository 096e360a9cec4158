/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "util/base.h"

struct cJSON;

/**
 * Adds a check of `doctor` to an array.
 * @status  "ok"; "warn"; "fail": nothing is boosted until it is fixed
 * @fix     a command or a setting; "" if there is nothing to do
 */
void report_check(struct cJSON *array, const char *name, const char *status, const char *fix,
                  const char *format, ...) PRINTF_FORMAT(5, 6);
