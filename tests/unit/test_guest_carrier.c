/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What may be a carrier, with real objects of every kind. */

#include <sys/socket.h>

#include "carrier_fixture.h"

static int try_open(int fd, enum carrier_kind kind, uint64_t expected, size_t n_pages)
{
	struct carrier *carrier = NULL;
	int r = carrier_open(fd, kind, expected, 0, n_pages, &carrier);

	CHECK((r == 0) == (carrier != NULL));
	carrier_free(carrier);
	/* Taken over in every case. */
	CHECK_INT(fcntl(fd, F_GETFD), -1);
	return r;
}

static void test_sealed(void)
{
	int fd = memfd_sealed(MIB), own = dup(fd);
	struct carrier *carrier = NULL;
	uint64_t word = 0;

	CHECK_INT(carrier_open(fd, CARRIER_MEMFD, MIB, 0x7f0000000000, 255, &carrier), 0);
	CHECK(carrier_sealed(carrier));
	CHECK_U64(carrier_size(carrier), MIB);
	CHECK_U64(carrier_address(carrier), 0x7f0000000000);
	CHECK_U64(carrier_inode(carrier), inode_of(own));
	CHECK_INT(carrier_kind(carrier), CARRIER_MEMFD);
	CHECK_INT(carrier_write(carrier, "at-end!", 8, MIB - 8), 0);
	CHECK_INT(pread(own, &word, sizeof(word), MIB - 8), 8);
	CHECK(memcmp(&word, "at-end!", 8) == 0);
	/* What the seal is for. */
	CHECK_INT(ftruncate(own, 0), -1);
	CHECK_INT(errno, EPERM);
	carrier_free(carrier);
	CHECK_INT(pread(own, &word, sizeof(word), MIB - 8), 8);
	CHECK(memcmp(&word, "at-end!", 8) == 0);
	close(own);
}

/** Holes in a sealed memfd read as zeros, again and again. */
static void test_sealed_holes(void)
{
	int fd = memfd_sealed(MIB), own = dup(fd);
	struct carrier *carrier = NULL;
	char byte;

	CHECK_INT(carrier_open(fd, CARRIER_MEMFD, MIB, 0, 1, &carrier), 0);
	for (int i = 0; i < 100; i++) {
		CHECK_INT(carrier_write(carrier, "x", 1, 4096), 0);
		CHECK_INT(fallocate(own, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, MIB), 0);
		CHECK_INT(carrier_read(carrier, &byte, 1, 4096), 0);
		CHECK_INT(byte, 0);
	}
	carrier_free(carrier);
	close(own);
}

static void test_unsealed(void)
{
	int fd = memfd_make(MIB, 0, 0), own = dup(fd);
	struct carrier *carrier = NULL;
	char byte = 'x';

	CHECK_INT(carrier_open(fd, CARRIER_MEMFD, MIB, 0, 255, &carrier), 0);
	CHECK(!carrier_sealed(carrier));
	CHECK_INT(carrier_write(carrier, "y", 1, 4096), 0);
	CHECK_INT(carrier_read(carrier, &byte, 1, 4096), 0);
	CHECK_INT(byte, 'y');
	CHECK_INT(fallocate(own, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, MIB), 0);
	CHECK_INT(carrier_read(carrier, &byte, 1, 4096), 0);
	CHECK_INT(byte, 0);
	CHECK_INT(ftruncate(own, 0), 0);
	CHECK_INT(carrier_read(carrier, &byte, 1, 4096), -ENODATA);
	CHECK_INT(ftruncate(own, 4096), 0);
	CHECK_INT(carrier_read(carrier, &byte, 1, 4096), -ENODATA);
	CHECK_INT(carrier_write(carrier, "y", 1, MIB), -EINVAL);
	CHECK_INT(fcntl(own, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	CHECK_INT(carrier_write(carrier, "y", 1, 0), -EPERM);
	carrier_free(carrier);
	close(own);
}

/** A QEMU that sets O_APPEND on the shared descriptor must not make us fill the host's memory. */
static void test_append(void)
{
	int fd = memfd_make(MIB, 0, 0), own = dup(fd);
	struct carrier *carrier = NULL;
	struct stat st;

	CHECK_INT(carrier_open(fd, CARRIER_MEMFD, MIB, 0, 255, &carrier), 0);
	CHECK_INT(fcntl(own, F_SETFL, O_APPEND), 0);
	for (int i = 0; i < 10; i++) {
		int r = carrier_write(carrier, "y", 1, 4096);

		CHECK(r == 0 || r == -EPERM);
	}
	CHECK_INT(fstat(own, &st), 0);
	CHECK_INT(st.st_size, MIB);
	CHECK_INT(lseek(own, 0, SEEK_CUR), 0);
	carrier_free(carrier);
	close(own);
}

static void test_sizes(void)
{
	static const struct {
		off_t size;
		enum carrier_kind kind;
		uint64_t expected;
		size_t n_pages;
		int result;
	} cases[] = {
	        {MIB, CARRIER_MEMFD, 0, 255, 0},
	        {MIB, CARRIER_MEMFD, 0, 256, CARRIER_WRONG_SIZE},
	        {MIB, CARRIER_MEMFD, 0, SIZE_MAX, CARRIER_WRONG_SIZE},
	        {16 * MIB, CARRIER_MEMFD, 16 * MIB, 512, 0},
	        {3 * MIB, CARRIER_MEMFD, 3 * MIB, 512, 0},
	        {3 * MIB, CARRIER_SHMEM, 3 * MIB, 512, CARRIER_WRONG_SIZE},
	        {2 * MIB, CARRIER_SHMEM, 0, 511, 0},
	        {2 * MIB, CARRIER_MEMFD, MIB, 1, CARRIER_WRONG_SIZE},
	        {MIB, CARRIER_MEMFD, 2 * MIB, 1, CARRIER_WRONG_SIZE},
	        {0, CARRIER_MEMFD, 0, 0, CARRIER_WRONG_SIZE},
	        {0, CARRIER_MEMFD, MIB, 0, CARRIER_WRONG_SIZE},
	        {MIB - 1, CARRIER_MEMFD, 0, 1, CARRIER_WRONG_SIZE},
	        {MIB + 1, CARRIER_SHMEM, 0, 1, CARRIER_WRONG_SIZE},
	        {16 * MIB + 1, CARRIER_MEMFD, 0, 1, CARRIER_WRONG_SIZE},
	        {(off_t)1 << 40, CARRIER_MEMFD, 0, 1, CARRIER_WRONG_SIZE},
	        {(off_t)1 << 40, CARRIER_SHMEM, (uint64_t)1 << 40, 1, CARRIER_WRONG_SIZE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_INT(try_open(memfd_sealed(cases[i].size), cases[i].kind, cases[i].expected,
		                   cases[i].n_pages),
		          cases[i].result);
		CHECK_INT(try_open(memfd_make(cases[i].size, 0, 0), cases[i].kind,
		                   cases[i].expected, cases[i].n_pages),
		          cases[i].result);
	}
}

static int reopen(int fd, int flags)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags);
	CHECK(again >= 0);
	close(fd);
	return again;
}

static void test_read_only(void)
{
	CHECK_INT(try_open(reopen(memfd_sealed(MIB), O_RDONLY), CARRIER_MEMFD, MIB, 1),
	          CARRIER_READ_ONLY);
	CHECK_INT(try_open(reopen(memfd_sealed(MIB), O_WRONLY), CARRIER_MEMFD, MIB, 1),
	          CARRIER_READ_ONLY);
	CHECK_INT(try_open(reopen(memfd_sealed(MIB), O_PATH), CARRIER_MEMFD, MIB, 1),
	          CARRIER_READ_ONLY);
	CHECK_INT(try_open(memfd_make(MIB, 0, F_SEAL_SHRINK | F_SEAL_WRITE), CARRIER_MEMFD, MIB, 1),
	          CARRIER_READ_ONLY);
	CHECK_INT(try_open(memfd_make(MIB, 0, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE), CARRIER_MEMFD,
	                   MIB, 1),
	          CARRIER_READ_ONLY);
}

static void test_not_regular(void)
{
	char path[] = "/tmp/pvsched-test-XXXXXX", fifo[64];
	int pair[2], end[2];

	CHECK(mkdtemp(path));
	snprintf(fifo, sizeof(fifo), "%s/fifo", path);
	CHECK_INT(mkfifo(fifo, 0600), 0);
	CHECK_INT(try_open(open(fifo, O_RDWR), CARRIER_SHMEM, 0, 1), CARRIER_NOT_REGULAR);
	unlink(fifo);
	CHECK_INT(symlink("/dev/null", fifo), 0);
	CHECK_INT(try_open(open(fifo, O_PATH | O_NOFOLLOW), CARRIER_SHMEM, 0, 1),
	          CARRIER_NOT_REGULAR);
	unlink(fifo);
	CHECK_INT(try_open(open(path, O_RDONLY | O_DIRECTORY), CARRIER_SHMEM, 0, 1),
	          CARRIER_NOT_REGULAR);
	rmdir(path);
	CHECK_INT(pipe(end), 0);
	CHECK_INT(try_open(end[0], CARRIER_MEMFD, 0, 1), CARRIER_NOT_REGULAR);
	close(end[1]);
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_INT(try_open(pair[0], CARRIER_MEMFD, 0, 1), CARRIER_NOT_REGULAR);
	close(pair[1]);
	CHECK_INT(try_open(open("/dev/zero", O_RDWR), CARRIER_MEMFD, 0, 1), CARRIER_NOT_REGULAR);
}

static void test_not_tmpfs(void)
{
	/* A file of the build: where a disk is, if anywhere. */
	char path[] = "pvsched-test-XXXXXX";
	struct statfs fs;
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	unlink(path);
	CHECK_INT(fstatfs(fd, &fs), 0);
	if (fs.f_type == TMPFS_MAGIC) {
		close(fd);
		TEST_SKIP("the working directory is on tmpfs");
	}
	CHECK_INT(ftruncate(fd, MIB), 0);
	CHECK_INT(try_open(fd, CARRIER_SHMEM, 0, 1), CARRIER_NOT_TMPFS);
	CHECK_INT(try_open(open("/proc/self/stat", O_RDONLY), CARRIER_SHMEM, 0, 1),
	          CARRIER_NOT_TMPFS);
}

/** Their pages need not exist for this; see carrier.h for why they are refused. */
static void test_huge(void)
{
	int sealed = memfd_make(2 * MIB, MFD_HUGETLB, F_SEAL_SHRINK);

	if (sealed < 0)
		TEST_SKIP("no memfd on hugetlbfs to be had");
	CHECK_INT(try_open(sealed, CARRIER_MEMFD, 0, 1), CARRIER_HUGE);
	CHECK_INT(try_open(memfd_make(2 * MIB, MFD_HUGETLB, 0), CARRIER_MEMFD, 2 * MIB, 1),
	          CARRIER_HUGE);
}

static void test_bad_descriptor(void)
{
	struct carrier *carrier = NULL;

	CHECK_INT(carrier_open(-1, CARRIER_MEMFD, 0, 0, 1, &carrier), -EBADF);
	CHECK_INT(carrier_open(1000000, CARRIER_MEMFD, 0, 0, 1, &carrier), -EBADF);
	CHECK(!carrier);
	CHECK(!carrier_free(NULL));
}

static void test_names(void)
{
	for (int a = CARRIER_ABSENT; a < _CARRIER_PROBLEM_MAX; a++) {
		CHECK(strlen(carrier_problem_text((enum carrier_problem)a)) > 20);
		for (int b = CARRIER_ABSENT; b < a; b++)
			CHECK(strcmp(carrier_problem_name((enum carrier_problem)a),
			             carrier_problem_name((enum carrier_problem)b)) != 0);
	}
	CHECK_STR(carrier_problem_name(CARRIER_WRONG_SIZE), "wrong-size");
	CHECK_STR(carrier_kind_name(CARRIER_MEMFD), "memfd");
	CHECK_STR(carrier_kind_name(CARRIER_SHMEM), "shmem");
}

TEST_MAIN({"sealed", test_sealed}, {"sealed-holes", test_sealed_holes}, {"unsealed", test_unsealed},
          {"append", test_append}, {"sizes", test_sizes}, {"read-only", test_read_only},
          {"not-regular", test_not_regular}, {"not-tmpfs", test_not_tmpfs}, {"huge", test_huge},
          {"bad-descriptor", test_bad_descriptor}, {"names", test_names})
