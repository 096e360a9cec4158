/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdio.h>

#include "ctl/status_columns.h"
#include "ctl/terminal.h"
#include "util/json.h"

/**
 * What a person wants to know of the answer to `status`: is it on and what does it cost, which
 * domains gain, what is wrong and what mends it. In 80 columns where no terminal says otherwise.
 */
void render_overview(const struct json_value *result, bool titles, FILE *out,
                     const struct terminal *terminal);

/** Only the table of domains, with these columns; nothing is cut where there is no terminal. */
void render_domains(const struct json_value *result, const struct status_columns *columns,
                    bool titles, FILE *out, const struct terminal *terminal);
