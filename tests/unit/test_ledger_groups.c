// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records of cgroups' RT budgets, and giving these back: in trees below the test's directory that
 * count as mounted hierarchies where the file "mounted" is in their root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "boost/ledger.h"
#include "boost/ledger_file.h"

#include "test.h"

static char directory[64], path[96];

static void begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/pvsched-ledger-XXXXXX");
	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/ledger", directory);
}

static void end(void)
{
	unlink(path);
	CHECK(rmdir(directory) == 0);
}

int __wrap_statfs(const char *at, struct statfs *ret);
int __wrap_statfs64(const char *at, struct statfs *ret);

int __wrap_statfs(const char *at, struct statfs *ret)
{
	char mark[256];
	struct stat st;

	*ret = (struct statfs){0};
	if (stat(at, &st) < 0)
		return -1;
	snprintf(mark, sizeof(mark), "%s/mounted", at);
	ret->f_type = access(mark, F_OK) == 0 ? CGROUP_SUPER_MAGIC : TMPFS_MAGIC;
	return 0;
}

int __wrap_statfs64(const char *at, struct statfs *ret)
{
	return __wrap_statfs(at, ret);
}

static void run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	CHECK_INT(system(command), 0);
}

static int64_t budget_at(const char *mount, const char *group)
{
	char file[256];
	long long value = -2;
	FILE *f;

	snprintf(file, sizeof(file), "%s/%s%s/" LEDGER_ATTRIBUTE, directory, mount, group);
	f = fopen(file, "r");
	CHECK(f && fscanf(f, "%lld", &value) == 1);
	fclose(f);
	return value;
}

/* Makes @mount a hierarchy with the group /machine/web, which has a budget of 100. */
static void make_hierarchy(const char *mount)
{
	run("mkdir -p %s/%s/machine/web && touch %s/%s/mounted", directory, mount, directory,
	    mount);
	run("echo 100 >%s/%s/machine/web/" LEDGER_ATTRIBUTE, directory, mount);
}

/* The record of a grant of these 100 in the group /machine/web at @mount. */
static struct ledger_group record_at(const char *mount)
{
	struct ledger_group group = {.before = 0, .written = 100, .was = 0};
	struct stat st;

	snprintf(group.path, sizeof(group.path), "%s/%s/machine/web", directory, mount);
	CHECK_INT(stat(group.path, &st), 0);
	group.inode = st.st_ino;
	group.mount_size = strlen(directory) + 1 + strlen(mount);
	strcat(group.path, "/" LEDGER_ATTRIBUTE);
	return group;
}

static struct ledger *ledger_with(const struct ledger_group *group)
{
	struct ledger *ledger;

	CHECK_INT(ledger_open(path, &ledger), 0);
	CHECK_INT(ledger_put_group(ledger, group), 0);
	return ledger;
}

static void end_hierarchies(struct ledger *ledger)
{
	ledger_close(ledger);
	run("rm -r %s/*", directory);
	end();
}

/* A hierarchy may be mounted anywhere: what was granted there is given back there. */
static void test_group_of_a_hierarchy_elsewhere(void)
{
	struct ledger_result result;
	struct ledger_group group;
	struct ledger *ledger;

	begin();
	make_hierarchy("host/cpu");
	group = record_at("host/cpu");
	ledger = ledger_with(&group);
	ledger_restore(ledger, &result);
	CHECK_INT(result.restored, 1);
	CHECK_INT(budget_at("host/cpu", "/machine/web"), 0);
	CHECK_INT(ledger_count(ledger), 0);
	end_hierarchies(ledger);
}

/* Where the hierarchy is not mounted the group is not gone: its record stays. */
static void test_group_stays_without_its_hierarchy(void)
{
	struct ledger_result result;
	struct ledger_group group;
	struct ledger *ledger;

	begin();
	make_hierarchy("host/cpu");
	group = record_at("host/cpu");
	ledger = ledger_with(&group);
	run("rm %s/host/cpu/mounted", directory);
	ledger_restore(ledger, &result);
	CHECK_INT(result.failed, 1);
	CHECK_INT(budget_at("host/cpu", "/machine/web"), 100);
	CHECK_INT(ledger_restore_group(ledger, group.path), -ENODEV);
	run("rm -r %s/host", directory);
	ledger_restore(ledger, &result);
	CHECK_INT(result.failed, 1);
	CHECK_INT(ledger_count(ledger), 1);
	end_hierarchies(ledger);
}

/* The next pvschedd may have the same hierarchy at another place: the inode tells the group. */
static void test_group_is_found_at_another_mount(void)
{
	struct ledger_result result;
	struct ledger_group group;
	struct ledger *ledger;
	char mount[128];

	begin();
	make_hierarchy("container/cpu");
	group = record_at("container/cpu");
	ledger = ledger_with(&group);
	run("mv %s/container/cpu %s/cpu", directory, directory);
	snprintf(mount, sizeof(mount), "%s/cpu", directory);
	ledger_set_mount(ledger, mount);
	ledger_restore(ledger, &result);
	CHECK_INT(result.restored, 1);
	CHECK_INT(budget_at("cpu", "/machine/web"), 0);
	/* another group of that name is not it */
	CHECK_INT(ledger_put_group(ledger, &group), 0);
	run("mv %s/cpu/machine/web %s/cpu/other", directory, directory);
	run("mkdir %s/cpu/machine/web", directory);
	run("echo 100 >%s/cpu/machine/web/" LEDGER_ATTRIBUTE, directory);
	ledger_restore(ledger, &result);
	CHECK_INT(result.gone, 1);
	CHECK_INT(budget_at("cpu", "/machine/web"), 100);
	CHECK_INT(ledger_count(ledger), 0);
	end_hierarchies(ledger);
}

/* Whose budget another program changed meanwhile. */
static void test_group_changed_by_others(void)
{
	struct ledger_result result;
	struct ledger_group group;
	struct ledger *ledger;

	begin();
	make_hierarchy("cpu");
	group = record_at("cpu");
	ledger = ledger_with(&group);
	run("echo 70 >%s/cpu/machine/web/" LEDGER_ATTRIBUTE, directory);
	ledger_restore(ledger, &result);
	CHECK_INT(result.foreign, 1);
	CHECK_INT(budget_at("cpu", "/machine/web"), 70);
	end_hierarchies(ledger);
}

static void test_groups_keep_the_first_value(void)
{
	struct ledger_group group, out;
	struct ledger *ledger;

	begin();
	make_hierarchy("cpu");
	group = record_at("cpu");
	ledger = ledger_with(&group);
	group.before = 100;
	group.written = 200;
	CHECK_INT(ledger_put_group(ledger, &group), 0);
	CHECK_INT(ledger_get_group(ledger, group.path, 0, &out), 0);
	CHECK_INT(out.before, 0);
	CHECK_INT(out.written, 200);
	CHECK_U64(out.mount_size, group.mount_size);
	CHECK_INT(ledger_count(ledger), 1);
	run("rm -r %s/cpu/machine", directory);
	CHECK_INT(ledger_restore_group(ledger, group.path), 0); /* it is gone: dropped */
	CHECK_INT(ledger_count(ledger), 0);
	end_hierarchies(ledger);
}

/* Records that no grant can have made. */
static void test_invalid_groups(void)
{
	static const struct ledger_group groups[] = {
	        {.path = "/etc/passwd", .mount_size = 4},
	        {.path = "/cpu/x/../y/cpu.rt_runtime_us", .mount_size = 4},
	        {.path = "/cpu/cpu.rt_runtime_us", .mount_size = 4}, /* the root's */
	        {.path = "/cpu/x/cpu.rt_runtime_us", .mount_size = 0},
	        {.path = "/cpu/x/cpu.rt_runtime_us", .mount_size = 3},
	        {.path = "/cpu/x/cpu.rt_runtime_us", .mount_size = 2000},
	        {.path = "cpu/x/cpu.rt_runtime_us", .mount_size = 3},
	};
	struct ledger_result result;
	struct ledger *ledger;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		CHECK_INT(ledger_put_group(ledger, &groups[i]), 0);
		ledger_restore(ledger, &result);
		CHECK_INT(result.invalid, 1);
		CHECK_INT(ledger_count(ledger), 0);
	}
	ledger_close(ledger);
	end();
}

static void test_groups_are_bounded(void)
{
	struct ledger_group group = {.mount_size = 4, .before = 1, .written = 2};
	struct ledger *ledger;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	for (int i = 0; i < LEDGER_GROUPS_MAX; i++) {
		snprintf(group.path, sizeof(group.path), "/cpu/%d/" LEDGER_ATTRIBUTE, i);
		CHECK_INT(ledger_put_group(ledger, &group), 0);
	}
	snprintf(group.path, sizeof(group.path), "/cpu/more/" LEDGER_ATTRIBUTE);
	CHECK_INT(ledger_put_group(ledger, &group), -ENOSPC);
	ledger_drop_group(ledger, "/cpu/7/" LEDGER_ATTRIBUTE);
	CHECK_INT(ledger_put_group(ledger, &group), 0);
	ledger_close(ledger);
	end();
}

TEST_MAIN(TEST(test_group_of_a_hierarchy_elsewhere), TEST(test_group_stays_without_its_hierarchy),
          TEST(test_group_is_found_at_another_mount), TEST(test_group_changed_by_others),
          TEST(test_groups_keep_the_first_value), TEST(test_invalid_groups),
          TEST(test_groups_are_bounded))
