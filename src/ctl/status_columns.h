/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The columns that `status` has for a domain, as -o names them. Pure data. */

#include "util/base.h"

enum status_column {
	STATUS_DOMAIN,
	STATUS_UUID,
	STATUS_STATE,
	STATUS_PROFILE,
	STATUS_VCPUS,
	STATUS_BOOSTED, /* vCPUs */
	/* in the last ten seconds */
	STATUS_BOOST, /* of one CPU, boosted */
	STATUS_RUN,
	STATUS_READY,
	STATUS_P50,
	STATUS_P99,
	STATUS_P999,
	STATUS_MAX,
	STATUS_BOOSTS,
	STATUS_DENIED,
	STATUS_WAKEUPS,
	STATUS_FAST,
	/* before the current policy */
	STATUS_BEFORE, /* p99 */
	STATUS_WAS,    /* profile */
	STATUS_WHY,
	_STATUS_COLUMN_MAX,
};

extern const char *const status_column_names[_STATUS_COLUMN_MAX];

struct status_columns {
	size_t n; /* 0: the default ones */
	enum status_column columns[_STATUS_COLUMN_MAX];
};

/**
 * Parses names that commas separate, in upper or lower case.
 * Returns 0; -E2BIG: there are more than there are columns; -EINVAL, with the name that is none in
 * *bad, of @bad_length bytes.
 */
int status_columns_parse(const char *text, struct status_columns *ret, const char **bad,
                         size_t *bad_length);
