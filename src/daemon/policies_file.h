/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The file of the policies that persist, policies.json: an object by uuid, each with profile,
 * figures, name, and the days on which it was set and its domain ran last. Version 1 had the
 * profile alone.
 */

#include "daemon/policies.h"
#include "util/json_error.h"

/** What a text of POLICIES_MAX entries has at most, with the longest names, all escaped. */
#define POLICIES_FILE_MAX (8 * 1024 * 1024)

/**
 * Adds the policies of a text to @ret.
 * Returns 0; -EBADMSG with an error: it is not such a text; -ENOSPC; -ENOMEM.
 */
int policies_parse(const char *text, size_t size, struct policies *ret, struct json_error *error);

/** The text, which the caller frees. NULL: out of memory. */
char *policies_print(const struct policies *policies);
