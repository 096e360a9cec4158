/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How entries of the configuration name domains. This matcher replaces fnmatch() for two reasons.
 * Its time is bounded by the product of both lengths for every pattern. It does not depend on the
 * locale.
 */

#include "model/domain.h"
#include "util/base.h"

/**
 * Describes what is wrong with a glob; NULL if it is valid. In a glob, * matches any characters and
 * ? matches one. [abc] and [a-z] match one of these ASCII characters, [!a-z] one other character.
 * A \ makes the next character literal.
 */
const char *glob_problem(const char *pattern);

/** Number of literal bytes of a valid glob: the more, the more specific it is. */
unsigned int glob_literals(const char *pattern);

/** True if a valid glob matches the whole name. */
bool glob_match(const char *pattern, const char *name);

/** Writes a uuid in canonical form, lower case. False if the text is not 8-4-4-4-12 hex digits. */
bool uuid_canonical(const char *text, char ret[DOMAIN_UUID_LEN]);
