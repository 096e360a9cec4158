/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Who set a quota, by the group that has it. */

#include "daemon/quota_fix.h"

#include "test.h"

static struct domain seen;

static const char *fix_of(enum domain_source source, const char *thread_group, const char *group)
{
	static char fix[512];
	struct inventory_domain domain = {.seen = &seen};

	strcpy(seen.name, "web");
	seen.source = source;
	quota_fix(&domain, thread_group, group, fix, sizeof(fix));
	return fix;
}

static void test_libvirt(void)
{
	const char *thread = "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/vcpu0";

	CHECK_STR(fix_of(DOMAIN_SOURCE_LIBVIRT, thread, thread),
	          "virsh schedinfo web --set vcpu_quota=-1");
	CHECK_STR(fix_of(DOMAIN_SOURCE_LIBVIRT, thread,
	                 "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt"),
	          "virsh schedinfo web --set global_quota=-1");
	CHECK_CONTAINS(fix_of(DOMAIN_SOURCE_LIBVIRT, thread, "/machine.slice"), "CPUQuota=");
}

static void test_others(void)
{
	const char *scope = "/qemu.slice/101.scope";

	CHECK_STR(fix_of(DOMAIN_SOURCE_PROCFS, scope, scope), "qm set 101 --delete cpulimit");
	CHECK_CONTAINS(fix_of(DOMAIN_SOURCE_PROCFS, scope, "/qemu.slice"), "CPUQuota=");
	CHECK_CONTAINS(fix_of(DOMAIN_SOURCE_PROCFS, "/kubepods/burstable/pod1/c1",
	                      "/kubepods/burstable/pod1"),
	               "resources.limits.cpu");
	CHECK_CONTAINS(fix_of(DOMAIN_SOURCE_PROCFS,
	                      "/kubepods.slice/kubepods-pod1.slice/cri-containerd-c1.scope",
	                      "/kubepods.slice/kubepods-pod1.slice"),
	               "resources.limits.cpu");
}

TEST_MAIN({"libvirt", test_libvirt}, {"others", test_others})
