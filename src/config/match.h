/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How entries of the configuration name domains. An own matcher rather than fnmatch(): its time is
 * bounded by pattern times name whatever the pattern, and it does not depend on the locale.
 */

#include "model/domain.h"
#include "util/base.h"

/**
 * What is wrong with a glob, for people; NULL if nothing is. In a glob, * stands for any
 * characters, ? for one, [abc], [a-z], [!a-z] for one (not) of these ASCII characters, \ takes the
 * meaning away from the character behind it.
 */
const char *glob_problem(const char *pattern);

/** How many bytes of a valid glob stand for themselves: the more, the more specific it is. */
unsigned int glob_literals(const char *pattern);

/** True if the whole name is what a valid glob describes. */
bool glob_match(const char *pattern, const char *name);

/** Writes a uuid in its canonical form, lower case. False if the text is not 8-4-4-4-12 hex digits.
 */
bool uuid_canonical(const char *text, char ret[DOMAIN_UUID_LEN]);
