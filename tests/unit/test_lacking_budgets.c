// SPDX-License-Identifier: GPL-2.0-or-later
/* Which groups lack an RT budget that their domain needs, on a fake hierarchy of cgroup v1. */
#include "daemon/lacking_budgets.h"

#include <stdio.h>
#include <sys/stat.h>

#include "inventory_fixture.h"

#define WEB "01234567-89ab-cdef-0123-456789abcdef"
#define DB  "11234567-89ab-cdef-0123-456789abcdef"

static struct cgroup_cpu cpu = {.kind = PROCFS_CGROUP_V1};
static struct inventory_vcpu vcpus[2][2];
static struct inventory_domain domains[2];
static const struct inventory inventory = {.domains = &domains[0]};

static void set_budget(const char *group, const char *us)
{
	char path[CGROUP_MOUNT_MAX + 128];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", cpu.mount, group);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s%s/cpu.rt_runtime_us", cpu.mount, group);
	file = fopen(path, "w");
	CHECK(file);
	fputs(us, file);
	fclose(file);
}

static void add(size_t place, const char *uuid, const char *name, pid_t pid)
{
	struct domain *seen = domain_make(uuid, name, pid, 2);

	domains[place] = (struct inventory_domain){
	        .next = place == 0 ? &domains[1] : NULL,
	        .seen = seen,
	        .n_vcpus = 2,
	        .vcpus = vcpus[place],
	};
	for (size_t i = 0; i < 2; i++)
		vcpus[place][i].thread = seen->vcpus[i];
}

/* Those whose names begin with a letter of @userdata are to be boosted. */
static bool needs(const void *userdata, const struct inventory_domain *d,
                  const struct inventory_vcpu *v)
{
	CHECK(v >= d->vcpus && v < d->vcpus + d->n_vcpus);
	return strchr(userdata, d->seen->name[0]);
}

static void check_lacking(const char *letters, size_t n, const char *group)
{
	struct lacking_budgets found;

	CHECK(lacking_budgets_count(&inventory, &cpu, needs, letters, &found));
	CHECK_INT(found.n_vcpus, n);
	CHECK_STR(found.group, group);
}

static void test_those_that_are_boosted_need_one(void)
{
	char command[CGROUP_MOUNT_MAX + 16];

	snprintf(cpu.mount, sizeof(cpu.mount), "/tmp/pvsched-cgroup-XXXXXX");
	CHECK(mkdtemp(cpu.mount));
	add(0, WEB, "web", 100);
	add(1, DB, "db", 200);
	set_budget("", "950000\n");
	set_budget("/web", "0\n");
	set_budget("/web/vcpu0", "0\n");
	set_budget("/web/vcpu1", "0\n");
	set_budget("/db", "300000\n");
	set_budget("/db/vcpu0", "300000\n");
	set_budget("/db/vcpu1", "0\n");
	check_lacking("", 0, ""); /* both are observed */
	check_lacking("d", 1, "/db/vcpu1");
	check_lacking("w", 2, "/web"); /* the topmost one is what refuses */
	check_lacking("dw", 3, "/web");
	set_budget("/db/vcpu1", "1\n");
	check_lacking("d", 0, "");
	/* one whose group is not known, or is gone, counts for nothing */
	vcpus[0][0].thread.cgroup[0] = '\0';
	strcpy(vcpus[0][1].thread.cgroup, "/gone");
	check_lacking("dw", 0, "");
	snprintf(command, sizeof(command), "rm -r %s", cpu.mount);
	CHECK_INT(system(command), 0);
}

static void test_a_kernel_without_budgets(void)
{
	struct lacking_budgets found = {.n_vcpus = 7, .group = "x"};

	snprintf(cpu.mount, sizeof(cpu.mount), "/nonexistent");
	CHECK(!lacking_budgets_count(&inventory, &cpu, needs, "dw", &found));
	CHECK_INT(found.n_vcpus, 0);
	CHECK_STR(found.group, "");
	CHECK(!lacking_budgets_count(&inventory, NULL, needs, "dw", &found));
}

TEST_MAIN(TEST(test_those_that_are_boosted_need_one), TEST(test_a_kernel_without_budgets))
