/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Names of guests replaced in a text by others, "guest-1" and up, the same one each time. A uuid
 * becomes 00000000-0000-0000-0000-000000000001 and up. Pure.
 */

#include <stdio.h>

#include "util/base.h"

struct pseudonyms;

/** NULL: out of memory. */
struct pseudonyms *pseudonyms_new(void);

/** Takes NULL; returns NULL. */
struct pseudonyms *pseudonyms_free(struct pseudonyms *pseudonyms);

/** For CLEANUP(). */
void pseudonyms_cleanup(struct pseudonyms **pseudonyms);

/**
 * Adds a domain; either may be "". A name or uuid that is known already keeps its pseudonym. Texts
 * are as in JSON strings, unescaped. A name of digits alone is left as it is. Returns 0, or
 * -ENOMEM.
 */
int pseudonyms_add(struct pseudonyms *pseudonyms, const char *name, const char *uuid);

/**
 * Writes JSON text with all names replaced, also where they are part of a longer word that is no
 * name, as in a group's path: a name counts where no letter or digit is beside it.
 */
void pseudonyms_write(const struct pseudonyms *pseudonyms, const char *text, size_t size,
                      FILE *out);
