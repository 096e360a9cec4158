// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/rt_grants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boost/rt_budget.h"
#include "core/account.h"

struct grant {
	char *group; /* NULL: none */
	uint32_t permille;
};

struct rt_grants {
	struct ledger *ledger;
	const struct cgroup_cpu *cgroup;
	struct grant of[PVS_VCPUS_MAX];
};

struct rt_grants *rt_grants_new(struct ledger *ledger, const struct cgroup_cpu *cgroup)
{
	struct rt_grants *grants = calloc(1, sizeof(*grants));

	if (!grants)
		return NULL;
	grants->ledger = ledger;
	grants->cgroup = cgroup;
	return grants;
}

static void forget(struct grant *grant)
{
	free(grant->group);
	*grant = (struct grant){0};
}

void rt_grants_forget_all(struct rt_grants *grants)
{
	for (size_t i = 0; i < ARRAY_SIZE(grants->of); i++)
		forget(&grants->of[i]);
}

struct rt_grants *rt_grants_free(struct rt_grants *grants)
{
	if (!grants)
		return NULL;
	rt_grants_forget_all(grants);
	free(grants);
	return NULL;
}

int rt_grants_ensure(struct rt_grants *grants, unsigned int slot, const char *group,
                     uint32_t permille, char *failed)
{
	struct grant *grant = &grants->of[slot];
	char *name;
	int r;

	*failed = '\0';
	if (!grants->cgroup || (grant->group && grant->permille >= permille))
		return 0;
	name = strdup(group);
	if (!name)
		return -ENOMEM;
	r = rt_budget_grant(grants->ledger, grants->cgroup, group, permille, failed);
	if (r != 0) { /* RT_BUDGET_NOT_NEEDED: there is nothing to withdraw */
		free(name);
		return MIN(r, 0);
	}
	forget(grant);
	*grant = (struct grant){.group = name, .permille = permille};
	return 0;
}

static bool is_shared(const struct rt_grants *grants, const struct grant *grant)
{
	for (size_t i = 0; i < ARRAY_SIZE(grants->of); i++)
		if (&grants->of[i] != grant && grants->of[i].group &&
		    strcmp(grants->of[i].group, grant->group) == 0)
			return true;
	return false;
}

void rt_grants_withdraw(struct rt_grants *grants, unsigned int slot)
{
	struct grant *grant = &grants->of[slot];

	if (!grant->group)
		return;
	if (!is_shared(grants, grant))
		rt_budget_withdraw(grants->ledger, grants->cgroup, grant->group);
	forget(grant);
}

void rt_grants_moved(struct rt_grants *grants, unsigned int slot, const char *group)
{
	const struct grant *grant = &grants->of[slot];

	if (grant->group && strcmp(grant->group, group) != 0)
		rt_grants_withdraw(grants, slot);
}
