/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The texts of help, made from the table of verbs. */

#include <stdio.h>

#include "ctl/verbs.h"

/** Of one verb, with examples; _CTL_VERB_MAX: of all. */
void help_print(FILE *out, enum ctl_verb verb);
