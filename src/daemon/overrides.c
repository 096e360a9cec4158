// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/overrides.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USEC_PER_SEC (NSEC_PER_SEC / NSEC_PER_USEC)

struct overrides {
	sd_event *event;
	overrides_ended_fn *ended;
	void *userdata;
	sd_event_source *timer; /* of the policy that ends first */
	struct policies policies;
	bool released[PVS_DOMAINS_MAX]; /* by the domain's slot */
};

/* The clock of ends: it goes on while the host is suspended, as people expect of "10m". */
static uint64_t now_us(const struct overrides *overrides)
{
	uint64_t us = 0;

	sd_event_now(overrides->event, CLOCK_BOOTTIME, &us);
	return us;
}

static int plan_end(struct overrides *overrides)
{
	uint64_t first_us = UINT64_MAX;
	int r;

	for (size_t i = 0; i < overrides->policies.n; i++)
		if (overrides->policies.entries[i].until_us)
			first_us = MIN(first_us, overrides->policies.entries[i].until_us);
	r = sd_event_source_set_time(overrides->timer, first_us);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(
	        overrides->timer, first_us == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

/* The first to end, if that is past. */
static const struct policy_entry *find_ended(const struct policies *policies, uint64_t us)
{
	const struct policy_entry *found = NULL;

	for (size_t i = 0; i < policies->n; i++) {
		const struct policy_entry *policy = &policies->entries[i];

		if (policy->until_us && policy->until_us <= us &&
		    (!found || policy->until_us < found->until_us))
			found = policy;
	}
	return found;
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct overrides *overrides = userdata;
	uint64_t us = MAX(usec, now_us(overrides));
	const struct policy_entry *ended;

	(void)source;
	while ((ended = find_ended(&overrides->policies, us))) {
		struct policy_entry policy = *ended;

		policies_drop_profile(&overrides->policies, policy.uuid);
		overrides->ended(overrides->userdata, &policy);
	}
	return MIN(plan_end(overrides), 0);
}

int overrides_new(struct overrides **ret, sd_event *event, overrides_ended_fn *ended,
                  void *userdata)
{
	struct overrides *overrides = calloc(1, sizeof(*overrides));
	int r;

	if (!overrides)
		return -ENOMEM;
	overrides->event = event;
	overrides->ended = ended;
	overrides->userdata = userdata;
	r = sd_event_add_time(event, &overrides->timer, CLOCK_BOOTTIME, UINT64_MAX, 0, on_end,
	                      overrides);
	if (r >= 0)
		r = plan_end(overrides);
	if (r < 0) {
		overrides_free(overrides);
		return r;
	}
	*ret = overrides;
	return 0;
}

struct overrides *overrides_free(struct overrides *overrides)
{
	if (!overrides)
		return NULL;
	sd_event_source_disable_unref(overrides->timer);
	policies_finish(&overrides->policies);
	free(overrides);
	return NULL;
}

int overrides_set(struct overrides *overrides, const struct policy_entry *policy, uint64_t for_ns)
{
	const struct policy_entry *there = policies_find(&overrides->policies, policy->uuid);
	struct policy_entry entry = *policy;
	int r;

	snprintf(entry.policy, sizeof(entry.policy), "%s", there ? there->policy : "");
	entry.set_us = now_us(overrides);
	entry.until_us = for_ns ? entry.set_us + for_ns / NSEC_PER_USEC : 0;
	r = policies_put(&overrides->policies, &entry);
	return r < 0 ? r : MIN(plan_end(overrides), 0);
}

bool overrides_unset(struct overrides *overrides, const char *uuid)
{
	bool was = policies_remove(&overrides->policies, uuid);

	plan_end(overrides);
	return was;
}

int overrides_assign(struct overrides *overrides, const struct policy_entry *policy)
{
	struct policy_entry *there = policies_find(&overrides->policies, policy->uuid);
	struct policy_entry entry = {.set_us = now_us(overrides)};

	if (there) {
		memcpy(there->policy, policy->policy, sizeof(there->policy));
		return 0;
	}
	memcpy(entry.uuid, policy->uuid, sizeof(entry.uuid));
	memcpy(entry.name, policy->name, sizeof(entry.name));
	memcpy(entry.policy, policy->policy, sizeof(entry.policy));
	return policies_put(&overrides->policies, &entry);
}

bool overrides_unassign(struct overrides *overrides, const char *uuid)
{
	return policies_drop_policy(&overrides->policies, uuid);
}

void overrides_unset_profile(struct overrides *overrides, const char *uuid)
{
	policies_drop_profile(&overrides->policies, uuid);
	plan_end(overrides);
}

void overrides_set_released(struct overrides *overrides, const struct inventory_domain *domain,
                            bool released)
{
	overrides->released[domain->slot] = released;
}

void overrides_forget(struct overrides *overrides, const struct inventory_domain *domain)
{
	overrides->released[domain->slot] = false;
	if (domain->seen->uuid_kind != DOMAIN_UUID_OWN)
		overrides_unset(overrides, domain->seen->uuid);
}

const struct policy_entry *overrides_policy(const struct overrides *overrides,
                                            const struct inventory_domain *domain)
{
	return policies_find(&overrides->policies, domain->seen->uuid);
}

bool overrides_released(const struct overrides *overrides, const struct inventory_domain *domain)
{
	return overrides->released[domain->slot];
}

const struct policies *overrides_all(const struct overrides *overrides)
{
	return &overrides->policies;
}

void overrides_times(const struct overrides *overrides, const struct policy_entry *policy,
                     uint64_t *age_s, uint64_t *left_s)
{
	uint64_t us = now_us(overrides);

	*age_s = us > policy->set_us ? (us - policy->set_us) / USEC_PER_SEC : 0;
	*left_s = 0;
	if (policy->until_us) /* what is about to end still has an end */
		*left_s = MAX((policy->until_us - MIN(us, policy->until_us)) / USEC_PER_SEC,
		              UINT64_C(1));
}
