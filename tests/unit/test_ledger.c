// SPDX-License-Identifier: GPL-2.0-or-later
/* The ledger, with real threads of this process where it gives back: no privilege is needed for
 * that. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boost/ledger.h"
#include "boost/ledger_v1.h"
#include "util/procfs.h"

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
	char bad[128];

	snprintf(bad, sizeof(bad), "%s.bad", path);
	unlink(bad);
	unlink(path);
	CHECK(rmdir(directory) == 0);
}

static struct ledger_thread record_of(pid_t tid)
{
	struct ledger_thread record = {
	        .tid = tid,
	        .before = {.policy = SCHED_BATCH, .nice = 7, .slack_ns = 1234},
	        .given = {.policy = SCHED_FIFO, .priority = 1},
	};

	CHECK_INT(procfs_start_ticks(0, tid, &record.start_ticks), 0);
	return record;
}

static void test_put_get_drop(void)
{
	struct ledger *ledger;
	struct ledger_thread in, out;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	in = record_of(getpid());
	CHECK_INT(ledger_get_thread(ledger, 5, &out), -ENOENT);
	ledger_put_thread(ledger, 5, &in);
	CHECK_INT(ledger_get_thread(ledger, 5, &out), 0);
	CHECK_INT(out.tid, in.tid);
	CHECK_INT(out.before.nice, 7);
	CHECK_INT(ledger_count(ledger), 1);
	ledger_drop_thread(ledger, 5);
	CHECK_INT(ledger_count(ledger), 0);
	ledger_close(ledger);
	end();
}

static void test_survives_reopening(void)
{
	struct ledger *ledger;
	struct ledger_thread in = record_of(getpid()), out;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	ledger_put_thread(ledger, 4095, &in);
	ledger_close(ledger);
	CHECK_INT(ledger_open(path, &ledger), 0);
	CHECK_INT(ledger_get_thread(ledger, 4095, &out), 0);
	CHECK_INT(out.tid, getpid());
	ledger_close(ledger);
	end();
}

/* A thread that does not have what we gave is somebody else's by now: not touched, record dropped.
 */
static void test_foreign_is_left_alone(void)
{
	struct ledger *ledger;
	struct ledger_thread record = record_of(getpid());
	struct ledger_result result;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	ledger_put_thread(ledger, 0, &record);
	ledger_restore(ledger, &result);
	CHECK_INT(result.foreign, 1);
	CHECK_INT(result.restored, 0);
	CHECK_INT(ledger_count(ledger), 0);
	CHECK_INT(sched_getscheduler(0), SCHED_OTHER);
	ledger_close(ledger);
	end();
}

/* Whoever wrote the record died before it raised the thread, or after it had put the class back and
 * before the slack: there is nobody else to blame, and the slack is put back. */
static void test_interrupted_between_record_and_change(void)
{
	struct ledger *ledger;
	struct ledger_thread record = record_of(getpid());
	struct ledger_result result;
	int slack_ns = prctl(PR_GET_TIMERSLACK);

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	record.before.policy = SCHED_OTHER;
	ledger_put_thread(ledger, 0, &record);
	ledger_restore(ledger, &result);
	CHECK_INT(result.restored, 1);
	CHECK_INT(result.foreign, 0);
	CHECK_INT(ledger_count(ledger), 0);
	CHECK_INT(sched_getscheduler(0), SCHED_OTHER);
	CHECK_INT(prctl(PR_GET_TIMERSLACK), 1234);
	prctl(PR_SET_TIMERSLACK, slack_ns);
	ledger_close(ledger);
	end();
}

static void test_another_thread_of_that_number(void)
{
	struct ledger *ledger;
	struct ledger_thread record = record_of(getpid());
	struct ledger_result result;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	record.start_ticks++;
	ledger_put_thread(ledger, 0, &record);
	ledger_restore(ledger, &result);
	CHECK_INT(result.gone, 1);
	ledger_close(ledger);
	end();
}

static struct ledger_file *map_raw(void)
{
	int fd = open(path, O_RDWR);
	struct ledger_file *file;

	CHECK(fd >= 0);
	file = mmap(NULL, sizeof(*file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(file != MAP_FAILED);
	close(fd);
	return file;
}

/* Each kind of damage: the record is dropped, no thread is touched, the good record is used. */
static void test_damaged_records(void)
{
	struct ledger *ledger;
	struct ledger_thread good = record_of(getpid()), wild = good;
	struct ledger_file *file;
	struct ledger_result result;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	wild.before.nice = 99;
	ledger_put_thread(ledger, 1, &wild); /* a sum that fits, a content that can't be */
	ledger_put_thread(ledger, 2, &good);
	ledger_put_thread(ledger, 3, &good);
	file = map_raw();
	file->threads[2].thread.tid ^= 1; /* torn */
	ledger_restore(ledger, &result);
	CHECK_INT(result.invalid, 2);
	CHECK_INT(result.foreign, 1);
	CHECK_INT(ledger_count(ledger), 0);
	munmap(file, sizeof(*file));
	ledger_close(ledger);
	end();
}

static void damage_and_reopen(void (*damage)(struct ledger_file *file))
{
	struct ledger *ledger;
	struct ledger_file *file;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	ledger_close(ledger);
	file = map_raw();
	damage(file);
	munmap(file, sizeof(*file));
	CHECK_INT(ledger_open(path, &ledger), LEDGER_REPLACED);
	CHECK_INT(ledger_count(ledger), 0);
	ledger_close(ledger);
	end();
}

static void other_version(struct ledger_file *file)
{
	file->version++;
}

static void other_boot(struct ledger_file *file)
{
	file->boot_id[0] ^= 1;
}

static void no_magic(struct ledger_file *file)
{
	memset(file->magic, 0, sizeof(file->magic));
}

static void truncated(struct ledger_file *file)
{
	(void)file;
	CHECK(truncate(path, 100) == 0);
}

static void test_other_files_are_put_aside(void)
{
	damage_and_reopen(other_version);
	damage_and_reopen(other_boot);
	damage_and_reopen(no_magic);
	damage_and_reopen(truncated);
}

static void write_version_1(const struct ledger_v1_file *file)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	CHECK(fd >= 0);
	CHECK(write(fd, file, sizeof(*file)) == (ssize_t)sizeof(*file));
	close(fd);
}

/* What was killed with its guardian at an upgrade is given back by the pvschedd after it. */
static void test_version_1_is_read(void)
{
	static struct ledger_v1_file old = {.magic = LEDGER_MAGIC, .version = 1};
	struct ledger_thread record = record_of(getpid()), out;
	struct ledger_group group = {.path = "/sys/fs/cgroup/x/cpu.rt_runtime_us", .before = 5};
	struct ledger *ledger;

	begin();
	CHECK_INT(procfs_boot_id(old.boot_id), 0);
	for (int i = 7; i < 9; i++) {
		old.threads[i].thread = (struct ledger_v1_thread){
		        .tid = record.tid,
		        .start_ticks = record.start_ticks,
		        .before = {SCHED_BATCH, 0, 7, 1, 3000000, 1234},
		        .given = record.given,
		};
		old.threads[i].mark.state = 1;
		old.threads[i].mark.checksum =
		        ledger_v1_checksum(&old.threads[i].thread, sizeof(old.threads[i].thread));
	}
	old.threads[8].thread.tid ^= 1; /* torn */
	old.groups[0].group = group;
	old.groups[0].mark.state = 2;
	old.groups[0].mark.checksum = ledger_v1_checksum(&group, sizeof(group));
	write_version_1(&old);

	CHECK_INT(ledger_open(path, &ledger), 0);
	CHECK_INT(ledger_count(ledger), 2);
	CHECK_INT(ledger_get_thread(ledger, 7, &out), 0);
	CHECK_INT(out.tid, record.tid);
	CHECK_U64(out.start_ticks, record.start_ticks);
	CHECK_INT(out.before.policy, SCHED_BATCH);
	CHECK_INT(out.before.nice, 7);
	CHECK_INT(out.before.reset_on_fork, 1);
	CHECK_U64(out.before.slack_ns, 1234);
	CHECK_INT(out.given.priority, 1);
	CHECK_INT(ledger_get_group(ledger, group.path, 0, &group), 0);
	CHECK_INT(group.before, 5);
	ledger_close(ledger);
	CHECK_INT(ledger_open(path, &ledger), 0); /* as one of the present version */
	CHECK_INT(ledger_count(ledger), 2);
	ledger_close(ledger);
	end();
}

static void test_version_1_of_another_boot_is_put_aside(void)
{
	static struct ledger_v1_file old = {.magic = LEDGER_MAGIC, .version = 1};
	struct ledger *ledger;

	begin();
	write_version_1(&old);
	CHECK_INT(ledger_open(path, &ledger), LEDGER_REPLACED);
	CHECK_INT(ledger_count(ledger), 0);
	ledger_close(ledger);
	end();
}

static void test_symlink_is_not_followed(void)
{
	struct ledger *ledger;
	char target[128];

	begin();
	snprintf(target, sizeof(target), "%s/target", directory);
	CHECK(symlink(target, path) == 0);
	CHECK_INT(ledger_open(path, &ledger), LEDGER_REPLACED);
	CHECK(access(target, F_OK) < 0);
	ledger_close(ledger);
	end();
}

static void test_groups_keep_the_first_value(void)
{
	struct ledger_group group = {
	        .path = "/sys/fs/cgroup/x/cpu.rt_runtime_us",
	        .before = 0,
	        .written = 100,
	};
	struct ledger_group out;
	struct ledger *ledger;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	CHECK_INT(ledger_put_group(ledger, &group), 0);
	group.before = 100;
	group.written = 200;
	CHECK_INT(ledger_put_group(ledger, &group), 0);
	CHECK_INT(ledger_get_group(ledger, group.path, 0, &out), 0);
	CHECK_INT(out.before, 0);
	CHECK_INT(out.written, 200);
	CHECK_INT(ledger_count(ledger), 1);
	CHECK_INT(ledger_restore_group(ledger, group.path),
	          0); /* the group does not exist: dropped */
	CHECK_INT(ledger_count(ledger), 0);
	ledger_close(ledger);
	end();
}

static void test_group_outside_cgroups_is_invalid(void)
{
	struct ledger_group group = {.path = "/etc/passwd", .before = 1, .written = 2};
	struct ledger_result result;
	struct ledger *ledger;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	CHECK_INT(ledger_put_group(ledger, &group), 0);
	ledger_restore(ledger, &result);
	CHECK_INT(result.invalid, 1);
	ledger_close(ledger);
	end();
}

static void test_groups_are_bounded(void)
{
	struct ledger_group group = {.before = 1, .written = 2};
	struct ledger *ledger;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	for (int i = 0; i < LEDGER_GROUPS_MAX; i++) {
		snprintf(group.path, sizeof(group.path), "/sys/fs/cgroup/%d/x", i);
		CHECK_INT(ledger_put_group(ledger, &group), 0);
	}
	snprintf(group.path, sizeof(group.path), "/sys/fs/cgroup/more/x");
	CHECK_INT(ledger_put_group(ledger, &group), -ENOSPC);
	ledger_drop_group(ledger, "/sys/fs/cgroup/7/x");
	CHECK_INT(ledger_put_group(ledger, &group), 0);
	ledger_close(ledger);
	end();
}

TEST_MAIN({"put_get_drop", test_put_get_drop}, {"survives_reopening", test_survives_reopening},
          {"foreign_is_left_alone", test_foreign_is_left_alone},
          {"interrupted_between_record_and_change", test_interrupted_between_record_and_change},
          {"another_thread_of_that_number", test_another_thread_of_that_number},
          {"damaged_records", test_damaged_records},
          {"other_files_are_put_aside", test_other_files_are_put_aside},
          {"version_1_is_read", test_version_1_is_read},
          {"version_1_of_another_boot_is_put_aside", test_version_1_of_another_boot_is_put_aside},
          {"symlink_is_not_followed", test_symlink_is_not_followed},
          {"groups_keep_the_first_value", test_groups_keep_the_first_value},
          {"group_outside_cgroups_is_invalid", test_group_outside_cgroups_is_invalid},
          {"groups_are_bounded", test_groups_are_bounded})
