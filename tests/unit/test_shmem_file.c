/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virt/shmem_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define NAME "pvsched-0e5a9f3c-3a7e-4a53-8d1c-1f6b0f1d2c3b"

static char directory[] = "/tmp/pvsched-shmem-XXXXXX";
static char path[128];

static void prepare(void)
{
	strcpy(directory, "/tmp/pvsched-shmem-XXXXXX");
	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/" NAME, directory);
}

static int make_file(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_INT(ftruncate(fd, 4096), 0);
	return fd;
}

static void test_strange(void)
{
	pid_t user = 0;

	prepare();
	CHECK_INT(shmem_file_remove("/nowhere", NAME, &user), SHMEM_FILE_ABSENT);
	CHECK_INT(shmem_file_remove(directory, NAME, &user), SHMEM_FILE_ABSENT);
	CHECK_INT(symlink("/etc/passwd", path), 0);
	CHECK_INT(shmem_file_remove(directory, NAME, &user), SHMEM_FILE_STRANGE);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(mkfifo(path, 0600), 0);
	CHECK_INT(shmem_file_remove(directory, NAME, &user), SHMEM_FILE_STRANGE);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(rmdir(directory), 0);
}

static void test_removed_when_nobody_has_it(void)
{
	pid_t user = 0;
	void *map;
	int fd;

	prepare();
	fd = make_file();
	if (geteuid() != 0) {
		CHECK_INT(shmem_file_remove(directory, NAME, &user), -EPERM);
		close(fd);
		unlink(path);
		rmdir(directory);
		return;
	}
	CHECK_INT(shmem_file_remove(directory, NAME, &user), SHMEM_FILE_IN_USE);
	CHECK_INT(user, getpid());
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	close(fd);
	user = 0;
	CHECK_INT(shmem_file_remove(directory, NAME, &user), SHMEM_FILE_IN_USE);
	CHECK_INT(user, getpid());
	munmap(map, 4096);
	CHECK_INT(shmem_file_remove(directory, NAME, &user), 0);
	CHECK_INT(access(path, F_OK), -1);
	CHECK_INT(rmdir(directory), 0);
}

TEST_MAIN({"strange", test_strange},
          {"removed_when_nobody_has_it", test_removed_when_nobody_has_it})
