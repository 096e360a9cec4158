// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/lacking_budgets.h"

#include <string.h>

static void look(const struct cgroup_cpu *cgroup, const struct inventory_vcpu *v,
                 struct lacking_budgets *ret)
{
	char group[CGROUP_GROUP_MAX];

	if (!v->thread.cgroup[0] ||
	    cgroup_rt_refusal(cgroup, v->thread.cgroup, group, sizeof(group)) != 0)
		return;
	if (ret->n_vcpus++ == 0)
		memcpy(ret->group, group, sizeof(group));
}

bool lacking_budgets_count(const struct inventory *inventory, const struct cgroup_cpu *cgroup,
                           lacking_budgets_needs_fn *needs, const void *userdata,
                           struct lacking_budgets *ret)
{
	int64_t root_us;

	*ret = (struct lacking_budgets){0};
	if (!cgroup || cgroup_read_number(cgroup, "/", "cpu.rt_runtime_us", &root_us) < 0)
		return false;
	for (const struct inventory_domain *d = inventory->domains; d; d = d->next)
		for (size_t i = 0; i < d->n_vcpus; i++)
			if (needs(userdata, d, &d->vcpus[i]))
				look(cgroup, &d->vcpus[i], ret);
	return true;
}
