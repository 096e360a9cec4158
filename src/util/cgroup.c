/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "util/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/procfs.h"

#define ATTRIBUTE_MAX 64
#define FILE_PATH_MAX (CGROUP_MOUNT_MAX + CGROUP_GROUP_MAX + ATTRIBUTE_MAX)

/** The best mount of each kind so far; the outcome is -ENOENT while there is none. */
struct found {
	struct procfs_cgroup_mount mount[2];
	int outcome[2];
};

static void look_at_lines(const char *text, size_t size, void *userdata)
{
	struct found *found = userdata;

	for (int kind = PROCFS_CGROUP_V1; kind <= PROCFS_CGROUP_V2; kind++) {
		struct procfs_cgroup_mount *best = &found->mount[kind], mount;
		int r = procfs_parse_cgroup_mount(text, size, (enum procfs_cgroup_kind)kind,
		                                  &mount);

		if (r == 0 && (found->outcome[kind] != 0 || mount.levels_up > best->levels_up)) {
			*best = mount;
			found->outcome[kind] = 0;
		} else if (r == -ENAMETOOLONG && found->outcome[kind] != 0) {
			found->outcome[kind] = r;
		}
	}
}

int cgroup_cpu_find_in(const char *mountinfo, struct cgroup_cpu *ret)
{
	struct found found = {.outcome = {-ENOENT, -ENOENT}};
	enum procfs_cgroup_kind kind;
	int r = procfs_each_lines(mountinfo, look_at_lines, &found);

	if (r < 0)
		return r;
	kind = found.outcome[PROCFS_CGROUP_V1] == -ENOENT ? PROCFS_CGROUP_V2 : PROCFS_CGROUP_V1;
	if (found.outcome[kind] < 0)
		return found.outcome[kind];
	*ret = (struct cgroup_cpu){.kind = kind, .levels_up = found.mount[kind].levels_up};
	memcpy(ret->mount, found.mount[kind].point, sizeof(ret->mount));
	return 0;
}

int cgroup_cpu_find(struct cgroup_cpu *ret)
{
	return cgroup_cpu_find_in("/proc/self/mountinfo", ret);
}

int cgroup_locate(const struct cgroup_cpu *cpu, enum procfs_cgroup_kind kind, const char *group,
                  char *ret)
{
	const char *rest;

	if (kind != cpu->kind || procfs_levels_up(group, &rest) != cpu->levels_up)
		return -EXDEV;
	if (strlen(rest) >= CGROUP_GROUP_MAX)
		return -ENAMETOOLONG;
	strcpy(ret, *rest ? rest : "/");
	return 0;
}

/** True for an absolute path that stays below its root. */
static bool group_is_valid(const char *group)
{
	const char *at = group;

	if (*group != '/' || strlen(group) >= CGROUP_GROUP_MAX)
		return false;
	while ((at = strstr(at, "/.."))) {
		at += strlen("/..");
		if (*at == '/' || *at == '\0')
			return false;
	}
	return true;
}

static int attribute_path(char *path, const struct cgroup_cpu *cpu, const char *group,
                          const char *attribute)
{
	int n;

	if (!group_is_valid(group))
		return -EINVAL;
	n = snprintf(path, FILE_PATH_MAX, "%s%s/%s", cpu->mount, group, attribute);
	return n < FILE_PATH_MAX ? 0 : -ENAMETOOLONG;
}

int cgroup_read(const struct cgroup_cpu *cpu, const char *group, const char *attribute, char *ret,
                size_t size)
{
	char path[FILE_PATH_MAX];
	ssize_t n;
	int r = attribute_path(path, cpu, group, attribute);

	if (r < 0)
		return r;
	n = procfs_read_file(path, ret, size);
	if (n < 0)
		return (int)n;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

int cgroup_read_number(const struct cgroup_cpu *cpu, const char *group, const char *attribute,
                       int64_t *ret)
{
	char text[32], *end;
	int r = cgroup_read(cpu, group, attribute, text, sizeof(text));

	if (r < 0)
		return r;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno || end == text || *end ? -EBADMSG : 0;
}

int cgroup_write_number(const struct cgroup_cpu *cpu, const char *group, const char *attribute,
                        int64_t value)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char path[FILE_PATH_MAX], text[32];
	ssize_t n;
	int size, r = attribute_path(path, cpu, group, attribute);

	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	size = snprintf(text, sizeof(text), "%" PRId64, value);
	n = write(fd, text, (size_t)size);
	if (n < 0)
		return -errno;
	return n == size ? 0 : -EIO;
}

static int group_has_quota(const struct cgroup_cpu *cpu, const char *group)
{
	char text[64];
	int64_t quota;
	int r;

	if (cpu->kind == PROCFS_CGROUP_V1) {
		r = cgroup_read_number(cpu, group, "cpu.cfs_quota_us", &quota);
		return r < 0 ? r : quota >= 0;
	}
	r = cgroup_read(cpu, group, "cpu.max", text, sizeof(text));
	return r < 0 ? r : strncmp(text, "max", strlen("max")) != 0;
}

static int group_lacks_rt(const struct cgroup_cpu *cpu, const char *group)
{
	int64_t runtime;
	int r = cgroup_read_number(cpu, group, "cpu.rt_runtime_us", &runtime);

	return r < 0 ? r : runtime == 0;
}

/** Returns 1 if a group matches, 0 if not, or -errno; -ENOENT counts as 0. */
typedef int group_test_fn(const struct cgroup_cpu *cpu, const char *group);

/** Removes the last component. Returns false if @group is the root. */
static bool group_to_parent(char *group)
{
	char *slash = strrchr(group, '/');

	if (strcmp(group, "/") == 0)
		return false;
	slash[slash == group ? 1 : 0] = '\0';
	return true;
}

/**
 * Tests @group and its ancestors, upwards. Finds the first match, or with @topmost the last one.
 */
static int group_search(const struct cgroup_cpu *cpu, const char *group, group_test_fn *test,
                        bool topmost, char *found, size_t size)
{
	char at[FILE_PATH_MAX];
	bool any = false;
	struct stat st;
	int r = attribute_path(at, cpu, group, "");

	if (r < 0)
		return r;
	if (stat(at, &st) < 0)
		return -errno;
	snprintf(at, sizeof(at), "%s", group);
	do {
		r = test(cpu, at);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r <= 0)
			continue;
		if (strlen(at) >= size)
			return -ENAMETOOLONG;
		memcpy(found, at, strlen(at) + 1);
		any = true;
	} while ((topmost || !any) && group_to_parent(at));
	return any ? 0 : CGROUP_NOT_FOUND;
}

int cgroup_find_quota(const struct cgroup_cpu *cpu, const char *group, char *found, size_t size)
{
	return group_search(cpu, group, group_has_quota, false, found, size);
}

int cgroup_rt_refusal(const struct cgroup_cpu *cpu, const char *group, char *found, size_t size)
{
	return group_search(cpu, group, group_lacks_rt, true, found, size);
}
