/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What a text is printed on. */

#include <stdio.h>

#include "util/base.h"

/** Zeroed: no terminal. */
struct terminal {
	unsigned int columns; /* 0: not known */
	bool colors;
};

/** Colours only on a terminal that has them, and not if NO_COLOR is set and not empty. */
struct terminal terminal_of(FILE *out);
