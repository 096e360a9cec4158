/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Guest pages in `show`, and the result of `boost`. */

#include <stdio.h>

#include "util/json.h"

/** The carrier of a domain, or why there is none. */
void render_carrier(const struct json_value *carrier, FILE *out);

/** The agent of a domain, or why there is none. */
void render_agent(const struct json_value *agent, FILE *out);

/** Which vCPUs its guest is told to avoid, if there is anything to say. */
void render_avoid(const struct json_value *avoid, FILE *out);

/** The page of each vCPU. */
void render_pages(const struct json_value *vcpus, FILE *out);

/** The result of `boost`: what came of it for each vCPU. */
void render_boost(const struct json_value *result, FILE *out);
