// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/quota_fix.h"

#include <stdio.h>
#include <string.h>

#include "daemon/report_json.h"

/* True if @group ends with @suffix, after which it may have digits. */
static bool ends_with(const char *group, const char *suffix)
{
	size_t size = strlen(group), n = strlen(suffix);

	while (size > 0 && group[size - 1] >= '0' && group[size - 1] <= '9')
		size--;
	return size >= n && memcmp(group + size - n, suffix, n) == 0;
}

static const char *find_proxmox(const char *group, int *vmid)
{
	const char *slice = strstr(group, "/qemu.slice/");

	return slice && sscanf(slice, "/qemu.slice/%d.scope", vmid) == 1 ? slice : NULL;
}

/* Who set it is told by the group that has it. */
void quota_fix(const struct inventory_domain *d, const char *thread_group, const char *group,
               char *fix, size_t size)
{
	bool libvirts =
	        d->seen->source == DOMAIN_SOURCE_LIBVIRT && ends_with(thread_group, "/vcpu");
	int vmid;

	if (libvirts && strcmp(group, thread_group) == 0)
		snprintf(fix, size, "virsh schedinfo %s --set vcpu_quota=-1", report_word(d));
	else if (libvirts && strlen(group) == (size_t)(strrchr(thread_group, '/') - thread_group))
		snprintf(fix, size, "virsh schedinfo %s --set global_quota=-1", report_word(d));
	else if (find_proxmox(group, &vmid))
		snprintf(fix, size, "qm set %d --delete cpulimit", vmid);
	else if (strstr(group, "/kubepods"))
		snprintf(fix, size,
		         "its pod has a CPU limit: remove resources.limits.cpu of the "
		         "VirtualMachine, or of its namespace's LimitRange");
	else
		snprintf(fix, size,
		         "take the limit of that group away (systemd: CPUQuota=; by hand: -1 into "
		         "its cpu.cfs_quota_us, or max into its cpu.max)");
}
