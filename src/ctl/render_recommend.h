/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdio.h>

#include "util/json.h"

/** Whether an answer to `recommend` has figures to be set. */
bool is_recommended(const struct json_value *result);

/** Prints the answer to `recommend` of one domain. */
void render_recommend(const struct json_value *result, FILE *out);

/** Prints what the profile of a domain learned; NULL: it does not learn. */
void render_auto(const struct json_value *learned, FILE *out);

/** Prints which vCPUs of a domain, as `show` has it, are late for want of tokens. */
void render_lacks_tokens(const struct json_value *domain, FILE *out);
