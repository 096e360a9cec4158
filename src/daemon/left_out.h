/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What of a domain is left out since there is more than a table holds, in a sentence. */

#include "model/domain.h"

#define LEFT_OUT_TEXT 512

/** Returns false, and "", where nothing is left out. */
bool left_out_text(const struct domain_left_out *left_out, char *text, size_t size);
