// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/policies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void policies_finish(struct policies *policies)
{
	free(policies->entries);
	*policies = (struct policies){0};
}

/* The place of a uuid, or where it belongs. */
static size_t place_of(const struct policies *policies, const char *uuid)
{
	size_t low = 0, high = policies->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcasecmp(policies->entries[middle].uuid, uuid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct policy_entry *policies_find(const struct policies *policies, const char *uuid)
{
	size_t place = place_of(policies, uuid);

	return place < policies->n && strcasecmp(policies->entries[place].uuid, uuid) == 0
	               ? &policies->entries[place]
	               : NULL;
}

int policies_find_name(const struct policies *policies, const char *name,
                       const struct policy_entry **ret)
{
	const struct policy_entry *found = NULL;

	for (size_t i = 0; i < policies->n; i++) {
		if (strcmp(policies->entries[i].name, name) != 0)
			continue;
		if (found)
			return -ENOTUNIQ;
		found = &policies->entries[i];
	}
	if (!found)
		return -ENOENT;
	*ret = found;
	return 0;
}

int policies_put(struct policies *policies, const struct policy_entry *entry)
{
	struct policy_entry *there = policies_find(policies, entry->uuid), *more;
	size_t place;

	if (there) {
		*there = *entry;
		return 0;
	}
	if (policies->n >= POLICIES_MAX)
		return -ENOSPC;
	more = realloc(policies->entries, (policies->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	policies->entries = more;
	place = place_of(policies, entry->uuid);
	memmove(&more[place + 1], &more[place], (policies->n - place) * sizeof(*more));
	more[place] = *entry;
	policies->n++;
	return 0;
}

bool policies_remove(struct policies *policies, const char *uuid)
{
	size_t place = place_of(policies, uuid);

	if (!policies_find(policies, uuid))
		return false;
	policies->n--;
	memmove(&policies->entries[place], &policies->entries[place + 1],
	        (policies->n - place) * sizeof(*policies->entries));
	return true;
}

bool policies_drop_profile(struct policies *policies, const char *uuid)
{
	struct policy_entry *there = policies_find(policies, uuid);

	if (!there || !there->profile[0])
		return false;
	there->profile[0] = '\0';
	there->share_permille = 0;
	there->burst_ns = 0;
	there->until_us = 0;
	return there->policy[0] || policies_remove(policies, uuid);
}

bool policies_drop_policy(struct policies *policies, const char *uuid)
{
	struct policy_entry *there = policies_find(policies, uuid);

	if (!there || !there->policy[0])
		return false;
	there->policy[0] = '\0';
	return there->profile[0] || policies_remove(policies, uuid);
}
