/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/status_columns.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

const char *const status_column_names[_STATUS_COLUMN_MAX] = {
        [STATUS_DOMAIN] = "domain",   [STATUS_UUID] = "uuid",     [STATUS_STATE] = "state",
        [STATUS_PROFILE] = "profile", [STATUS_VCPUS] = "vcpus",   [STATUS_BOOSTED] = "boosted",
        [STATUS_BOOST] = "boost",     [STATUS_RUN] = "run",       [STATUS_READY] = "ready",
        [STATUS_P50] = "p50",         [STATUS_P99] = "p99",       [STATUS_P999] = "p999",
        [STATUS_MAX] = "max",         [STATUS_BOOSTS] = "boosts", [STATUS_DENIED] = "denied",
        [STATUS_WAKEUPS] = "wakeups", [STATUS_FAST] = "fast",     [STATUS_BEFORE] = "before",
        [STATUS_WAS] = "was",         [STATUS_WHY] = "why",
};

static int find(const char *name, size_t length)
{
	for (int i = 0; i < _STATUS_COLUMN_MAX; i++)
		if (strlen(status_column_names[i]) == length &&
		    strncasecmp(status_column_names[i], name, length) == 0)
			return i;
	return -EINVAL;
}

int status_columns_parse(const char *text, struct status_columns *ret, const char **bad,
                         size_t *bad_length)
{
	*ret = (struct status_columns){0};
	for (;;) {
		size_t length = strcspn(text, ",");
		int column = find(text, length);

		if (column < 0) {
			*bad = text;
			*bad_length = length;
			return -EINVAL;
		}
		if (ret->n == _STATUS_COLUMN_MAX)
			return -E2BIG;
		ret->columns[ret->n++] = (enum status_column)column;
		if (!text[length])
			return 0;
		text += length + 1;
	}
}
