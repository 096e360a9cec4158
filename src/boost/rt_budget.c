// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/rt_budget.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RUNTIME LEDGER_ATTRIBUTE
#define PERIOD  "cpu.rt_period_us"

static int record_path(const struct cgroup_cpu *cpu, const char *group, char *path)
{
	int n = snprintf(path, LEDGER_PATH_MAX, "%s%s/" RUNTIME, cpu->mount, group);

	return n < LEDGER_PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int group_inode(const struct cgroup_cpu *cpu, const char *group, uint64_t *ret)
{
	char path[LEDGER_PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s%s", cpu->mount, group) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (stat(path, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

/* Changes one group's budget, its record first. */
static int change(struct ledger *ledger, const struct cgroup_cpu *cpu, const char *group,
                  int64_t now, int64_t value)
{
	struct ledger_group record = {
	        .mount_size = strlen(cpu->mount), .before = now, .written = value, .was = now};
	int r = record_path(cpu, group, record.path);

	if (r == 0)
		r = group_inode(cpu, group, &record.inode);
	if (r == 0)
		r = ledger_put_group(ledger, &record);
	if (r < 0)
		return r;
	r = cgroup_write_number(cpu, group, RUNTIME, value);
	if (r == 0)
		return 0;
	/* refused: what stands is what an earlier grant wrote, or nothing of ours */
	ledger_get_group(ledger, record.path, 0, &record);
	record.written = now;
	if (record.before == now)
		ledger_drop_group(ledger, record.path);
	else
		ledger_put_group(ledger, &record);
	return r;
}

/* Undoes @added us in one group, if what we wrote still stands. */
static void reduce(struct ledger *ledger, const struct cgroup_cpu *cpu, const char *group,
                   int64_t added)
{
	struct ledger_group record;
	char path[LEDGER_PATH_MAX];
	int64_t now;

	if (record_path(cpu, group, path) < 0 || ledger_get_group(ledger, path, 0, &record) < 0)
		return;
	if (cgroup_read_number(cpu, group, RUNTIME, &now) < 0 || now != record.written ||
	    record.written - added <= record.before) {
		/* the last grant of it, gone, or changed by others: see the ledger's own rule */
		ledger_restore_group(ledger, path);
		return;
	}
	record.was = now;
	record.written = now - added;
	ledger_put_group(ledger, &record);
	cgroup_write_number(cpu, group, RUNTIME, record.written);
}

/* The ancestor of @group that ends at its @n-th slash, or the group itself. Returns false past it.
 */
static bool level(const char *group, unsigned int n, char *ret)
{
	const char *p = group;

	for (unsigned int i = 0; i <= n; i++) {
		if (!p || *p != '/' || p[1] == '\0')
			return false;
		p = strchr(p + 1, '/');
	}
	snprintf(ret, CGROUP_GROUP_MAX, "%.*s", p ? (int)(p - group) : (int)strlen(group), group);
	return true;
}

static void reduce_levels(struct ledger *ledger, const struct cgroup_cpu *cpu, const char *group,
                          unsigned int n, int64_t added)
{
	char name[CGROUP_GROUP_MAX];

	for (unsigned int i = n; i > 0; i--)
		if (level(group, i - 1, name))
			reduce(ledger, cpu, name, added);
}

static unsigned int levels(const char *group)
{
	char name[CGROUP_GROUP_MAX];
	unsigned int n = 0;

	while (level(group, n, name))
		n++;
	return n;
}

int rt_budget_grant(struct ledger *ledger, const struct cgroup_cpu *cpu, const char *group,
                    uint32_t share_permille, char *failed)
{
	int64_t has, period, now, added;
	unsigned int n = levels(group);
	int r = 0;

	if (cpu->kind != PROCFS_CGROUP_V1 || n == 0)
		return RT_BUDGET_NOT_NEEDED;
	r = cgroup_read_number(cpu, group, RUNTIME, &has);
	if (r == 0)
		r = cgroup_read_number(cpu, group, PERIOD, &period);
	if (r < 0)
		return r == -ENOENT ? RT_BUDGET_NOT_NEEDED : r;
	added = period * share_permille / 1000 - has;
	if (has < 0 || added <= 0) /* less than 0: unlimited */
		return 0;
	for (unsigned int i = 0; i < n; i++) {
		level(group, i, failed);
		r = cgroup_read_number(cpu, failed, RUNTIME, &now);
		if (r == 0 && now >= 0)
			r = change(ledger, cpu, failed, now, now + added);
		if (r < 0) {
			reduce_levels(ledger, cpu, group, i, added);
			return r;
		}
	}
	return 0;
}

void rt_budget_withdraw(struct ledger *ledger, const struct cgroup_cpu *cpu, const char *group)
{
	struct ledger_group record;
	char path[LEDGER_PATH_MAX];

	if (cpu->kind != PROCFS_CGROUP_V1 || record_path(cpu, group, path) < 0 ||
	    ledger_get_group(ledger, path, 0, &record) < 0)
		return;
	reduce_levels(ledger, cpu, group, levels(group), record.written - record.before);
}
