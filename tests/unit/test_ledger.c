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
#include "boost/ledger_file.h"
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

/* Whoever wrote the record died before it boosted the thread, or after it had put the class back
 * and before the slack: there is nobody else to blame, and the slack is put back. */
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

static void other_boot(struct ledger_file *file)
{
	file->header.boot_id[0] ^= 1;
}

/* Whatever it names is gone: a version that differs, too, does not matter. */
static void other_boot_and_version(struct ledger_file *file)
{
	other_boot(file);
	file->header.version++;
}

static void no_magic(struct ledger_file *file)
{
	memset(file->header.magic, 0, sizeof(file->header.magic));
}

static void truncated(struct ledger_file *file)
{
	(void)file;
	CHECK(truncate(path, 100) == 0);
}

static void without_header(struct ledger_file *file)
{
	(void)file;
	CHECK(truncate(path, 10) == 0);
}

static void test_other_files_are_put_aside(void)
{
	damage_and_reopen(other_boot);
	damage_and_reopen(other_boot_and_version);
	damage_and_reopen(no_magic);
	damage_and_reopen(truncated);
	damage_and_reopen(without_header);
}

/* What a ledger of another version is followed by is not known here: it may have any size. */
static void write_other_version(size_t size)
{
	struct ledger_header header = {.magic = LEDGER_MAGIC, .version = LEDGER_VERSION + 1};
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	CHECK_INT(procfs_boot_id(header.boot_id), 0);
	CHECK(fd >= 0);
	CHECK(write(fd, &header, sizeof(header)) == (ssize_t)sizeof(header));
	CHECK(ftruncate(fd, (off_t)size) == 0);
	close(fd);
}

static void refuse_other_version(size_t size)
{
	struct ledger_header before, after;
	struct ledger *ledger = NULL;
	char aside[128];
	struct stat st;
	int fd, r;

	begin();
	write_other_version(size);
	fd = open(path, O_RDONLY);
	CHECK(pread(fd, &before, sizeof(before), 0) == (ssize_t)sizeof(before));
	r = ledger_open(path, &ledger);
	CHECK_INT(r, -EPROTO);
	CHECK(!ledger);
	CHECK_CONTAINS(ledger_strerror(r), "another version of pvschedd wrote it: run that version "
	                                   "with --restore");
	/* the very file is where it was, with what was in it */
	CHECK(pread(fd, &after, sizeof(after), 0) == (ssize_t)sizeof(after));
	CHECK_INT(memcmp(&before, &after, sizeof(before)), 0);
	CHECK_INT(fstat(fd, &st), 0);
	CHECK_INT(st.st_nlink, 1);
	CHECK_INT(st.st_size, size);
	CHECK(access(path, F_OK) == 0);
	snprintf(aside, sizeof(aside), "%s.bad", path);
	CHECK(access(aside, F_OK) < 0);
	close(fd);
	end();
}

static void test_other_versions_are_refused(void)
{
	refuse_other_version(sizeof(struct ledger_header));
	refuse_other_version(sizeof(struct ledger_file));
	refuse_other_version(2 * sizeof(struct ledger_file));
}

static void test_other_errors_are_the_systems(void)
{
	struct ledger *ledger;
	int r = ledger_open("/nonexistent/ledger", &ledger);

	CHECK_INT(r, -ENOENT);
	CHECK_STR(ledger_strerror(r), strerror(ENOENT));
}

static void test_finish_removes_an_empty_ledger(void)
{
	struct ledger_thread record = record_of(getpid());
	struct ledger *ledger;

	begin();
	CHECK_INT(ledger_open(path, &ledger), 0);
	ledger_put_thread(ledger, 3, &record);
	CHECK(!ledger_finish(ledger));
	CHECK(access(path, F_OK) == 0);
	CHECK_INT(ledger_open(path, &ledger), 0);
	CHECK_INT(ledger_count(ledger), 1);
	ledger_drop_thread(ledger, 3);
	CHECK(!ledger_finish(ledger));
	CHECK(access(path, F_OK) < 0);
	CHECK(!ledger_finish(NULL));
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

TEST_MAIN({"put_get_drop", test_put_get_drop}, {"survives_reopening", test_survives_reopening},
          {"foreign_is_left_alone", test_foreign_is_left_alone},
          {"interrupted_between_record_and_change", test_interrupted_between_record_and_change},
          {"another_thread_of_that_number", test_another_thread_of_that_number},
          {"damaged_records", test_damaged_records},
          {"other_files_are_put_aside", test_other_files_are_put_aside},
          {"other_versions_are_refused", test_other_versions_are_refused},
          {"other_errors_are_the_systems", test_other_errors_are_the_systems},
          {"finish_removes_an_empty_ledger", test_finish_removes_an_empty_ledger},
          {"symlink_is_not_followed", test_symlink_is_not_followed})
