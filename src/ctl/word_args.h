/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The words after a verb. Pure. */

#include "ctl/verbs.h"

/** May that be such a word? Returns what is wrong, or NULL. */
const char *word_args_check(enum ctl_word word, const char *text);

/** What to say where such a word is missing. */
const char *word_args_lacks(enum ctl_word word);
