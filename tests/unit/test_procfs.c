/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The parsers of /proc against lines as they are and as somebody would like them to be. */

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test.h"
#include "util/cgroup.h"
#include "util/procfs.h"

#define STAT_TAIL                                                                                  \
	" S 1 10 10 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 131072 1000 200 18446744073709551615\n"

static int parse_stat(const char *text, struct procfs_stat *ret)
{
	return procfs_parse_stat(text, strlen(text), ret);
}

static void test_stat(void)
{
	struct procfs_stat stat;

	CHECK_INT(parse_stat("42 (CPU 0/KVM)" STAT_TAIL, &stat), 0);
	CHECK_INT(stat.pid, 42);
	CHECK_STR(stat.comm, "CPU 0/KVM");
	CHECK_INT(stat.state, 'S');
	CHECK_INT(stat.ppid, 1);
	CHECK_U64(stat.flags, 4194560);
	CHECK_U64(stat.start_ticks, 131072);
}

static void test_stat_hostile_names(void)
{
	struct procfs_stat stat;

	CHECK_INT(parse_stat("42 (a) R 7 (b))" STAT_TAIL, &stat), 0);
	CHECK_STR(stat.comm, "a) R 7 (b)");
	CHECK_U64(stat.start_ticks, 131072);
	CHECK_INT(parse_stat("42 ()" STAT_TAIL, &stat), 0);
	CHECK_STR(stat.comm, "");
	CHECK_INT(parse_stat("42 (\n)" STAT_TAIL, &stat), 0);
}

static void test_stat_broken(void)
{
	static const char *const broken[] = {
	        "",
	        "42",
	        "42 (x",
	        "42 (x)",
	        "42 (x) ",
	        "42 (x) S",
	        "42x (x)" STAT_TAIL,
	        "(x)" STAT_TAIL,
	        "-1 (x)" STAT_TAIL,
	        "99999999999 (x)" STAT_TAIL,
	        ")42 (x" STAT_TAIL,
	        "42 (x) S 1 10 10 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 99999999999999999999 1",
	        "42 (x) SS 1 10 10 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 131072 1",
	        "42 (x) S 1 10 10 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0",
	};
	struct procfs_stat stat;
	size_t i;

	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		CHECK_INT(parse_stat(broken[i], &stat), -EBADMSG);
}

static int parse_cgroup(const char *text, enum procfs_cgroup_kind *kind, char *path, size_t size)
{
	return procfs_parse_cgroup(text, strlen(text), kind, path, size);
}

static void test_cgroup_lines(void)
{
	enum procfs_cgroup_kind kind;
	char path[64];

	CHECK_INT(parse_cgroup("4:cpu,cpuacct:/m/a b:1/vcpu0\n0::/x\n", &kind, path, 64), 0);
	CHECK_INT(kind, PROCFS_CGROUP_V1);
	CHECK_STR(path, "/m/a b:1/vcpu0");
	CHECK_INT(parse_cgroup("5:cpuset:/y\n1:name=cpu:/z\n0::/x\n", &kind, path, 64), 0);
	CHECK_INT(kind, PROCFS_CGROUP_V2);
	CHECK_STR(path, "/x");
	CHECK_INT(parse_cgroup("5:cpuset:/y\n", &kind, path, 64), -ENOENT);
	CHECK_INT(parse_cgroup("0::relative\n", &kind, path, 64), -EBADMSG);
	CHECK_INT(parse_cgroup("nonsense", &kind, path, 64), -EBADMSG);
	CHECK_INT(parse_cgroup("0::/longer", &kind, path, 7), -ENAMETOOLONG);
	CHECK_INT(parse_cgroup("0::/short", &kind, path, 7), 0);
	CHECK_INT(parse_cgroup("", &kind, path, 64), -ENOENT);
}

static int parse_mount(const char *text, enum procfs_cgroup_kind kind,
                       struct procfs_cgroup_mount *ret)
{
	return procfs_parse_cgroup_mount(text, strlen(text), kind, ret);
}

static void test_mounts(void)
{
	static const char text[] = "23 1 0:1 / / rw - ext4 /dev/x rw,cpu\n"
	                           "32 31 0:29 /sub /bound rw - cgroup cgroup rw,cpu\n"
	                           "33 31 0:29 / /sys/fs/cgroup/cpu\\040x rw shared:1 master:2 - "
	                           "cgroup c rw,cpu,cpuacct\n"
	                           "34 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
	struct procfs_cgroup_mount mount;

	CHECK_INT(parse_mount(text, PROCFS_CGROUP_V1, &mount), 0);
	CHECK_STR(mount.point, "/sys/fs/cgroup/cpu x");
	CHECK_U64(mount.levels_up, 0);
	CHECK_INT(parse_mount(text, PROCFS_CGROUP_V2, &mount), 0);
	CHECK_STR(mount.point, "/sys/fs/cgroup/unified");
	CHECK_INT(parse_mount("1 2 3\n- - - - -\n", PROCFS_CGROUP_V2, &mount), -ENOENT);
}

#define CPU_LINE(root, point) "33 31 0:29 " root " " point " rw - cgroup c rw,cpu\n"

/* In a cgroup namespace: the mount that shows all groups above it, not that of its own alone. */
static void test_mounts_in_a_namespace(void)
{
	struct procfs_cgroup_mount mount;
	char text[1024];

	CHECK_INT(parse_mount(CPU_LINE("/", "/own") CPU_LINE("/../..", "/host/cpu")
	                              CPU_LINE("/..", "/less") CPU_LINE("/../../x", "/part"),
	                      PROCFS_CGROUP_V1, &mount),
	          0);
	CHECK_STR(mount.point, "/host/cpu");
	CHECK_U64(mount.levels_up, 2);
	CHECK_INT(parse_mount(CPU_LINE("/..x", "/a") CPU_LINE("/../x", "/b"), PROCFS_CGROUP_V1,
	                      &mount),
	          -ENOENT);
	snprintf(text, sizeof(text), "33 31 0:29 / /%0300d rw - cgroup c rw,cpu\n", 0);
	CHECK_INT(parse_mount(text, PROCFS_CGROUP_V1, &mount), -ENAMETOOLONG);
	strcat(text, CPU_LINE("/", "/short"));
	CHECK_INT(parse_mount(text, PROCFS_CGROUP_V1, &mount), 0);
	CHECK_STR(mount.point, "/short");
}

static void test_hidepid(void)
{
#define PROC_LINE(options) "22 27 0:21 / /proc rw,relatime - proc proc rw" options "\n"
	static const struct {
		const char *text;
		int value;
	} cases[] = {
	        {PROC_LINE(""), 0},
	        {PROC_LINE(",gid=7,hidepid=invisible"), 2},
	        {PROC_LINE(",hidepid=2,gid=7"), 2},
	        {PROC_LINE(",hidepid=noaccess"), 1},
	        {PROC_LINE(",hidepid=ptraceable"), 4},
	        {PROC_LINE(",hidepid=2") PROC_LINE(""), 0}, /* another proc on top of it */
	        {"23 27 0:22 / /other/proc rw - proc proc rw,hidepid=2\n", -ENOENT},
	        {"23 27 0:22 / /proc rw - tmpfs none rw,hidepid=2\n", -ENOENT},
	        {"", -ENOENT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_INT(procfs_parse_hidepid(cases[i].text, strlen(cases[i].text)),
		          cases[i].value);
}

static void test_read_only(void)
{
	static const char text[] = "33 1 0:9 / /a ro,relatime - tmpfs none rw,mode=1777\n"
	                           "34 1 0:9 / /b rw,relatime shared:2 - tmpfs none ro,mode=1777\n"
	                           "x 1 0:9 / /b rw - tmpfs none ro\n";

	CHECK_INT(procfs_parse_read_only(text, strlen(text), 33), 0); /* here alone */
	CHECK_INT(procfs_parse_read_only(text, strlen(text), 34), 1);
	CHECK_INT(procfs_parse_read_only(text, strlen(text), 35), -ENOENT);
}

static void test_self(void)
{
	pid_t self = getpid(), tids[4], tid = (pid_t)syscall(SYS_gettid);
	uint64_t by_process, by_thread;
	size_t n, overflow;
	char id[PROCFS_BOOT_ID_LEN];

	CHECK_INT(procfs_start_ticks(self, tid, &by_process), 0);
	CHECK_INT(procfs_start_ticks(0, tid, &by_thread), 0);
	CHECK_U64(by_process, by_thread);
	CHECK_INT(procfs_list_threads(self, tids, 4, &n, &overflow), 0);
	CHECK_U64(n, 1);
	CHECK_INT(tids[0], tid);
	CHECK_INT(procfs_list_threads(self, tids, 0, &n, &overflow), 0);
	CHECK_U64(overflow, 1);
	CHECK_INT(procfs_count_threads(&n), 0);
	CHECK(n > 1);
	CHECK_INT(procfs_boot_id(id), 0);
	CHECK_U64(strlen(id), 36);
	CHECK(procfs_start_ticks(self, 1, &by_thread) < 0 || self == 1);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	CHECK(file != NULL);
	fputs(text, file);
	fclose(file);
}

/** A tree that looks like cgroup v1: /a/b/c, with a quota in /a and RT refused in /a/b. */
static void test_cgroup_searches(void)
{
	struct cgroup_cpu cpu = {.kind = PROCFS_CGROUP_V1};
	char root[] = "/tmp/pvsched-test-XXXXXX", command[128], found[64];
	int64_t value;

	CHECK(mkdtemp(root) != NULL);
	strcpy(cpu.mount, root);
	snprintf(command, sizeof(command), "mkdir -p %s/a/b/c", root);
	CHECK_INT(system(command), 0);
	write_file(root, "cpu.rt_runtime_us", "950000\n");
	write_file(root, "a/cpu.cfs_quota_us", "50000\n");
	write_file(root, "a/cpu.rt_runtime_us", "10000\n");
	write_file(root, "a/b/cpu.cfs_quota_us", "-1\n");
	write_file(root, "a/b/cpu.rt_runtime_us", "0\n");
	write_file(root, "a/b/c/cpu.rt_runtime_us", "0\n");
	CHECK_INT(cgroup_find_quota(&cpu, "/a/b/c", found, sizeof(found)), 0);
	CHECK_STR(found, "/a");
	CHECK_INT(cgroup_rt_refusal(&cpu, "/a/b/c", found, sizeof(found)), 0);
	CHECK_STR(found, "/a/b");
	CHECK_INT(cgroup_rt_refusal(&cpu, "/a", found, sizeof(found)), CGROUP_NOT_FOUND);
	CHECK_INT(cgroup_find_quota(&cpu, "/", found, sizeof(found)), CGROUP_NOT_FOUND);
	CHECK_INT(cgroup_find_quota(&cpu, "/gone", found, sizeof(found)), -ENOENT);
	CHECK_INT(cgroup_find_quota(&cpu, "/a/../..", found, sizeof(found)), -EINVAL);
	CHECK_INT(cgroup_find_quota(&cpu, "a", found, sizeof(found)), -EINVAL);
	CHECK_INT(cgroup_write_number(&cpu, "/a/b/c", "cpu.rt_runtime_us", -1), 0);
	CHECK_INT(cgroup_read_number(&cpu, "/a/b", "cpu.rt_runtime_us", &value), 0);
	cpu.kind = PROCFS_CGROUP_V2;
	write_file(root, "a/cpu.max", "20000 100000\n");
	write_file(root, "a/b/cpu.max", "max 100000\n");
	CHECK_INT(cgroup_find_quota(&cpu, "/a/b", found, sizeof(found)), 0);
	CHECK_STR(found, "/a");
	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK_INT(system(command), 0);
}

/* However many mounts there are, and wherever among them the hierarchy is. */
static void test_cgroup_found_among_many_mounts(void)
{
	char root[] = "/tmp/pvsched-test-XXXXXX", path[64];
	struct cgroup_cpu cpu;
	FILE *file;

	CHECK(mkdtemp(root) != NULL);
	snprintf(path, sizeof(path), "%s/mountinfo", root);
	CHECK_INT(cgroup_cpu_find_in(path, &cpu), -ENOENT);
	file = fopen(path, "w");
	CHECK(file != NULL);
	for (int i = 0; i < 40000; i++)
		fprintf(file, "%d 31 0:29 / /var/lib/pods/%0200d rw - ext4 /dev/x rw\n", i, i);
	fputs("7 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", file);
	CHECK_INT(fflush(file), 0);
	CHECK_INT(cgroup_cpu_find_in(path, &cpu), 0);
	CHECK_INT(cpu.kind, PROCFS_CGROUP_V2);
	for (int i = 0; i < 200000; i++) /* no line of the kernel's is as long */
		fputc('x', file);
	fputs("\n" CPU_LINE("/", "/dev/cgroup"), file);
	for (int i = 0; i < 1000; i++)
		fprintf(file, "%d 31 0:29 / /var/lib/pods/%0200d rw - ext4 /dev/x rw\n", i, i);
	CHECK_INT(fclose(file), 0);
	CHECK_INT(cgroup_cpu_find_in(path, &cpu), 0);
	CHECK_INT(cpu.kind, PROCFS_CGROUP_V1);
	CHECK_STR(cpu.mount, "/dev/cgroup");
	unlink(path);
	rmdir(root);
}

/* The kernel names groups from the root of our cgroup namespace, which may be below the mount's. */
static void test_cgroup_locate(void)
{
	struct cgroup_cpu cpu = {.kind = PROCFS_CGROUP_V1};
	char group[CGROUP_GROUP_MAX];

	CHECK_INT(cgroup_locate(&cpu, PROCFS_CGROUP_V1, "/machine/a", group), 0);
	CHECK_STR(group, "/machine/a");
	CHECK_INT(cgroup_locate(&cpu, PROCFS_CGROUP_V1, "/", group), 0);
	CHECK_STR(group, "/");
	CHECK_INT(cgroup_locate(&cpu, PROCFS_CGROUP_V1, "/../a", group), -EXDEV);
	CHECK_INT(cgroup_locate(&cpu, PROCFS_CGROUP_V2, "/machine/a", group), -EXDEV);
	cpu.levels_up = 2;
	CHECK_INT(cgroup_locate(&cpu, PROCFS_CGROUP_V1, "/../../machine/..a", group), 0);
	CHECK_STR(group, "/machine/..a");
	CHECK_INT(cgroup_locate(&cpu, PROCFS_CGROUP_V1, "/../..", group), 0);
	CHECK_STR(group, "/");
	/* whose path below the mount begins with names that the kernel does not tell */
	CHECK_INT(cgroup_locate(&cpu, PROCFS_CGROUP_V1, "/own", group), -EXDEV);
	CHECK_INT(cgroup_locate(&cpu, PROCFS_CGROUP_V1, "/../sibling", group), -EXDEV);
	CHECK_INT(cgroup_locate(&cpu, PROCFS_CGROUP_V1, "/../../../a", group), -EXDEV);
}

TEST_MAIN({"stat", test_stat}, {"stat-hostile-names", test_stat_hostile_names},
          {"stat-broken", test_stat_broken}, {"cgroup-lines", test_cgroup_lines},
          {"mounts", test_mounts}, {"mounts-in-a-namespace", test_mounts_in_a_namespace},
          {"hidepid", test_hidepid}, {"read-only", test_read_only}, {"self", test_self},
          {"cgroup-searches", test_cgroup_searches},
          {"cgroup-found-among-many-mounts", test_cgroup_found_among_many_mounts},
          {"cgroup-locate", test_cgroup_locate})
