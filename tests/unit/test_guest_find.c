/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Finding the carrier in processes that play QEMU, some of which are hostile. */

#include <sys/socket.h>

#include "carrier_fixture.h"
#include "util/procfs.h"

#define OBJECT "memory-backend-memfd,id=pvsched,size=1M,share=on"

/** Runs carrier_find() once against a QEMU that is started for it. */
static int find_once(struct fake_qemu *qemu, struct carrier **ret)
{
	int r;

	*ret = NULL;
	fake_qemu_start(qemu);
	r = carrier_find(qemu->pid, 2, ret);
	CHECK((r == 0) == (*ret != NULL));
	fake_qemu_stop(qemu);
	return r;
}

/** The same where it must not be found; closes what the QEMU maps. */
static int problem_of(struct fake_qemu *qemu)
{
	struct carrier *carrier;
	int r = find_once(qemu, &carrier);

	CHECK(!carrier);
	for (size_t i = 0; i < qemu->n_mappings; i++)
		close(qemu->mappings[i].fd);
	return r;
}

static void test_memfd(void)
{
	static const char *const objects[] = {
	        OBJECT,
	        "qom-type=memory-backend-memfd,size=0x100000,id=pvsched",
	        "{\"qom-type\":\"memory-backend-memfd\",\"id\":\"pvsched\",\"size\":1048576,"
	        "\"x-use-canonical-path-for-ramblock-id\":false}",
	};
	int fd = memfd_sealed(MIB), ram = memfd_sealed(64 * MIB);

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		struct fake_qemu qemu = {
		        .mappings = {{ram, 64 * MIB}, {fd, MIB}, {fd, MIB}},
		        .n_mappings = 3,
		        .args = {"-name", "guest=a", "-object", "{\"qom-type\":[{}]}", "-object",
		                 objects[i]},
		};
		struct carrier *carrier;

		CHECK_INT(find_once(&qemu, &carrier), 0);
		CHECK_U64(carrier_inode(carrier), inode_of(fd));
		CHECK_U64(carrier_size(carrier), MIB);
		CHECK(carrier_sealed(carrier));
		CHECK_INT(carrier_kind(carrier), CARRIER_MEMFD);
		CHECK(carrier_address(carrier) > 4096 && carrier_address(carrier) % 4096 == 0);
		CHECK(fcntl(carrier_fd(carrier), F_GETFD) & FD_CLOEXEC);
		CHECK_INT(carrier_write(carrier, (char[]){(char)('a' + i)}, 1, 0), 0);
		carrier_free(carrier);
	}
	close(fd);
	close(ram);
}

static void test_shmem(void)
{
	char path[64], byte;
	struct carrier *carrier;
	struct fake_qemu qemu = {.n_mappings = 1, .args = {"-S"}};

	if (!shm_is_tmpfs())
		TEST_SKIP("/dev/shm is no tmpfs that may be written");
	qemu.mappings[0] = (struct fake_mapping){shmem_make(MIB, "", path), MIB};
	CHECK_INT(find_once(&qemu, &carrier), 0);
	CHECK_U64(carrier_inode(carrier), inode_of(qemu.mappings[0].fd));
	CHECK_INT(carrier_kind(carrier), CARRIER_SHMEM);
	CHECK(!carrier_sealed(carrier));
	CHECK_INT(carrier_write(carrier, "z", 1, 8192), 0);
	CHECK_INT(pread(qemu.mappings[0].fd, &byte, 1, 8192), 1);
	CHECK_INT(byte, 'z');
	carrier_free(carrier);
	/* Also when somebody has removed the name. */
	CHECK_INT(unlink(path), 0);
	CHECK_INT(find_once(&qemu, &carrier), 0);
	carrier_free(carrier);
	close(qemu.mappings[0].fd);
}

/** Names with line ends, long ones, and ones that look like ends of others. */
static void test_shmem_names(void)
{
	static const char *const suffixes[] = {
	        "\n7f0000000000-7f0000100000 rw-s 00000000 00:01 1 /dev/shm/pvsched-forged\n",
	        "-loooooooooooooooooooooooooooooooooooooooooong", " (deleted)", "\\012"};

	if (!shm_is_tmpfs())
		TEST_SKIP("/dev/shm is no tmpfs that may be written");
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		char path[256];
		struct carrier *carrier;
		struct fake_qemu qemu = {.n_mappings = 1};
		char *slash;
		int fd;

		/* No file name holds a slash. */
		snprintf(path, sizeof(path), "/dev/shm/pvsched-test-%d%s", getpid(), suffixes[i]);
		for (slash = path + strlen("/dev/shm/"); (slash = strchr(slash, '/'));)
			*slash = '_';
		fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
		CHECK(fd >= 0);
		CHECK_INT(unlink(path), 0);
		CHECK_INT(ftruncate(fd, MIB), 0);
		qemu.mappings[0] = (struct fake_mapping){fd, MIB};
		CHECK_INT(find_once(&qemu, &carrier), 0);
		CHECK_U64(carrier_inode(carrier), inode_of(fd));
		carrier_free(carrier);
		close(fd);
	}
}

static void test_absent(void)
{
	/* An ordinary domain. */
	CHECK_INT(problem_of(&(struct fake_qemu){.args = {"-m", "1G"}}), CARRIER_ABSENT);
	/* Guest memory, however it is called, without an object of ours. */
	CHECK_INT(problem_of(&(struct fake_qemu){
	                  .mappings = {{memfd_sealed(MIB), MIB}},
	                  .n_mappings = 1,
	                  .args = {"-object", "memory-backend-memfd,id=ram0,size=1M"}}),
	          CARRIER_ABSENT);
	/* The object, but mapped privately, or in another size. */
	CHECK_INT(problem_of(&(struct fake_qemu){
	                  .mappings = {{memfd_sealed(MIB), MIB, .private_copy = true}},
	                  .n_mappings = 1,
	                  .args = {"-object", OBJECT}}),
	          CARRIER_ABSENT);
	CHECK_INT(problem_of(&(struct fake_qemu){.mappings = {{memfd_sealed(2 * MIB), 2 * MIB}},
	                                         .n_mappings = 1,
	                                         .args = {"-object", OBJECT}}),
	          CARRIER_ABSENT);
	/* A memfd of somebody else's name. */
	CHECK_INT(problem_of(&(struct fake_qemu){
	                  .mappings = {{memfd_create("memory-backend", 0), MIB}},
	                  .n_mappings = 1,
	                  .args = {"-object", OBJECT}}),
	          CARRIER_ABSENT);
}

static void test_ambiguous(void)
{
	char path[64], other[64];
	struct fake_qemu qemu = {.n_mappings = 2, .args = {"-object", OBJECT}};

	qemu.mappings[0] = (struct fake_mapping){memfd_sealed(MIB), MIB};
	qemu.mappings[1] = (struct fake_mapping){memfd_sealed(MIB), MIB};
	CHECK_INT(problem_of(&qemu), CARRIER_AMBIGUOUS);
	qemu = (struct fake_qemu){.args = {"-object", OBJECT, "-object", OBJECT}};
	CHECK_INT(problem_of(&qemu), CARRIER_AMBIGUOUS);
	if (!shm_is_tmpfs())
		return;
	qemu = (struct fake_qemu){.n_mappings = 2, .args = {"-object", OBJECT}};
	qemu.mappings[0] = (struct fake_mapping){memfd_sealed(MIB), MIB};
	qemu.mappings[1] = (struct fake_mapping){shmem_make(MIB, "", path), MIB};
	CHECK_INT(problem_of(&qemu), CARRIER_AMBIGUOUS);
	unlink(path);
	qemu.mappings[0] = (struct fake_mapping){shmem_make(MIB, "", path), MIB};
	qemu.mappings[1] = (struct fake_mapping){shmem_make(MIB, "-b", other), MIB};
	CHECK_INT(problem_of(&qemu), CARRIER_AMBIGUOUS);
	unlink(path);
	unlink(other);
}

static void test_sizes(void)
{
	static const char *const objects[] = {"memory-backend-memfd,id=pvsched",
	                                      "memory-backend-memfd,id=pvsched,size=512K",
	                                      "memory-backend-memfd,id=pvsched,size=1T",
	                                      "memory-backend-memfd,id=pvsched,size=x"};
	struct fake_qemu qemu;
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		qemu = (struct fake_qemu){.args = {"-object", objects[i]}};
		CHECK_INT(problem_of(&qemu), CARRIER_WRONG_SIZE);
	}
	/* The mapping has the right size, the object behind it has not. */
	qemu = (struct fake_qemu){.mappings = {{memfd_make(4096, 0, 0), MIB}},
	                          .n_mappings = 1,
	                          .args = {"-object", OBJECT}};
	CHECK_INT(problem_of(&qemu), CARRIER_WRONG_SIZE);
	qemu.mappings[0].fd = memfd_make((off_t)1 << 40, 0, 0);
	CHECK_INT(problem_of(&qemu), CARRIER_WRONG_SIZE);
	if (!shm_is_tmpfs())
		return;
	qemu = (struct fake_qemu){.mappings = {{shmem_make(3 * MIB, "", path), 3 * MIB}},
	                          .n_mappings = 1};
	CHECK_INT(problem_of(&qemu), CARRIER_WRONG_SIZE);
	unlink(path);
	qemu.mappings[0] = (struct fake_mapping){shmem_make(2 * MIB, "", path), MIB};
	CHECK_INT(problem_of(&qemu), CARRIER_WRONG_SIZE);
	unlink(path);
}

static void test_descriptors(void)
{
	struct fake_qemu qemu = {.n_mappings = 1, .args = {"-object", OBJECT}};
	char path[64];
	int fd = memfd_sealed(MIB);

	/* Mapped, but the descriptor is gone. */
	qemu.mappings[0] = (struct fake_mapping){fd, MIB, .close = true};
	CHECK_INT(problem_of(&qemu), CARRIER_CHANGED);
	/* Open read-only. */
	fd = memfd_sealed(MIB);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	qemu.mappings[0] = (struct fake_mapping){open(path, O_RDONLY), MIB};
	close(fd);
	CHECK_INT(problem_of(&qemu), CARRIER_READ_ONLY);
	qemu.mappings[0] =
	        (struct fake_mapping){memfd_make(MIB, 0, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE), MIB};
	CHECK_INT(problem_of(&qemu), CARRIER_READ_ONLY);
}

static void test_huge(void)
{
	struct fake_qemu qemu = {.n_mappings = 1, .args = {"-object", OBJECT}};
	int fd = memfd_make(2 * MIB, MFD_HUGETLB, F_SEAL_SHRINK);
	void *memory;

	if (fd < 0)
		TEST_SKIP("no memfd on hugetlbfs to be had");
	memory = mmap(NULL, 2 * MIB, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		close(fd);
		TEST_SKIP("no huge page is free");
	}
	munmap(memory, 2 * MIB);
	qemu.args[1] = "memory-backend-memfd,id=pvsched,size=2M";
	qemu.mappings[0] = (struct fake_mapping){fd, 2 * MIB};
	CHECK_INT(problem_of(&qemu), CARRIER_HUGE);
}

/* By the root of the first process, or, where that one hides it, of a thread of the kernel. */
static bool is_chrooted(void)
{
	static const char *const others[] = {"/proc/1/root/", "/proc/2/root/"};
	struct stat here, other;

	CHECK(stat("/", &here) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (stat(others[i], &other) == 0 &&
		    (here.st_dev != other.st_dev || here.st_ino != other.st_ino))
			return true;
	return false;
}

/** A /dev/shm of QEMU's own is not the host's: what is there could be on a filesystem of QEMU's. */
static void test_own_mount(void)
{
	struct fake_qemu qemu = {.n_mappings = 1, .own_shm = true};

	if (geteuid() != 0)
		TEST_SKIP("only root can mount");
	/* there the kernel names what is mounted elsewhere by its whole path, which none has */
	if (is_chrooted())
		TEST_SKIP("in a chroot");
	qemu.mappings[0] = (struct fake_mapping){open("/dev/null", O_RDWR), MIB};
	CHECK_INT(problem_of(&qemu), CARRIER_NOT_TMPFS);
}

static void test_gone(void)
{
	struct fake_qemu qemu = {.args = {"-S"}};
	struct carrier *carrier = NULL;

	fake_qemu_start(&qemu);
	kill(qemu.pid, SIGKILL);
	/* A zombie has nothing any more. */
	CHECK_INT(waitid(P_PID, (id_t)qemu.pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
	CHECK(carrier_find(qemu.pid, 1, &carrier) != 0);
	CHECK_INT(waitpid(qemu.pid, NULL, 0), qemu.pid);
	CHECK_INT(carrier_find(qemu.pid, 1, &carrier), -ESRCH);
	CHECK(!carrier);
}

static void test_not_allowed(void)
{
	struct carrier *carrier = NULL;

	if (geteuid() == 0)
		TEST_SKIP("root may look at everything");
	CHECK_INT(carrier_find(1, 1, &carrier), -EPERM);
}

/**
 * A QEMU that puts other things onto its descriptor while it is looked at: what is found is the
 * mapping's own object, or nothing.
 */
static void test_hostile(void)
{
	int fd = memfd_sealed(MIB), other = memfd_sealed(MIB), zero = open("/dev/zero", O_RDWR);
	int pair[2], end[2], again;
	struct fake_qemu qemu = {.n_mappings = 1, .args = {"-object", OBJECT}};
	unsigned int found = 0, changed = 0;
	ino_t inode = inode_of(fd);

	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_INT(pipe(end), 0);
	/* What is looked at first is the lowest number, so that is swapped. */
	again = dup(fd);
	CHECK(again > fd && zero > fd);
	qemu.mappings[0] = (struct fake_mapping){fd, MIB};
	memcpy(qemu.swaps, (int[]){again, other, again, pair[0], again, end[0], again, zero},
	       sizeof(int[8]));
	qemu.n_swaps = 8;
	fake_qemu_start(&qemu);
	alarm(120); /* a find that blocks ends the test */
	for (int i = 0; i < 3000; i++) {
		struct carrier *carrier = NULL;
		int r = carrier_find(qemu.pid, 2, &carrier);

		CHECK(r == 0 || r == CARRIER_CHANGED);
		if (r == 0)
			CHECK_U64(carrier_inode(carrier), inode);
		found += r == 0;
		changed += r == CARRIER_CHANGED;
		carrier_free(carrier);
	}
	fake_qemu_stop(&qemu);
	alarm(0);
	printf("hostile: found %u, changed %u\n", found, changed);
	CHECK(found > 0);
}

static int count_fd(int dir_fd, const char *name, int fd, void *userdata)
{
	bool *seen = userdata;

	CHECK(dir_fd >= 0 && name[0] >= '0' && name[0] <= '9');
	if (fd >= 0 && fd < 64)
		seen[fd] = true;
	return fd == 63 ? 7 : 0;
}

static void test_each_fd(void)
{
	bool seen[64] = {false};

	CHECK_INT(dup2(0, 40), 40);
	CHECK_INT(procfs_each_fd(getpid(), 1000, count_fd, seen), 0);
	CHECK(seen[0] && seen[1] && seen[40] && !seen[41]);
	CHECK_INT(procfs_each_fd(getpid(), 2, count_fd, seen), -E2BIG);
	CHECK_INT(dup2(0, 63), 63);
	CHECK_INT(procfs_each_fd(getpid(), 1000, count_fd, seen), 7);
	close(40);
	close(63);
}

static const struct test tests[] = {
        {"memfd", test_memfd},
        {"shmem", test_shmem},
        {"shmem-names", test_shmem_names},
        {"absent", test_absent},
        {"ambiguous", test_ambiguous},
        {"sizes", test_sizes},
        {"descriptors", test_descriptors},
        {"huge", test_huge},
        {"own-mount", test_own_mount},
        {"gone", test_gone},
        {"not-allowed", test_not_allowed},
        {"hostile", test_hostile},
        {"each-fd", test_each_fd},
};

int main(int argc, char **argv)
{
	if (strcmp(argv[0], FAKE_QEMU_NAME) == 0)
		return fake_qemu_main();
	return test_run_all(tests, ARRAY_SIZE(tests), argc > 1 ? argv[1] : NULL);
}
