/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The configuration in force, value by value: what the files say, and what is built in. */

#include "config/config.h"

/** The value is valid during the call. */
struct config_setting {
	const char *key; /* its JSON path */
	const char
	        *entry; /* the uuid, name or glob of the domain's entry that has it; NULL: none */
	const char *value;              /* as JSON */
	char source[CONFIG_SOURCE_MAX]; /* "FILE:LINE", with the JSON path if it is another; or what
	                                   is built in */
	bool built_in;
};

typedef void config_setting_fn(void *userdata, const struct config_setting *setting);

/**
 * Calls @fn for every setting: the host's, the profiles', then those of each domain entry, of which
 * no more are told once @max were.
 * Returns 0 and *left_out, those that were not; -ENOMEM: some were told.
 */
int config_each_setting(const struct config *config, size_t max, config_setting_fn *fn,
                        void *userdata, size_t *left_out);
