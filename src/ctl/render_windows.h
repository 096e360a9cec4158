/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdio.h>

#include "util/json.h"

/**
 * What each vCPU did in the last ten seconds, minute and ten minutes, and before its current
 * policy; @vcpus is those of show.
 */
void render_windows(const struct json_value *vcpus, FILE *out);
