// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/memory.h"

#include "test.h"

#define PAGES 16

/* How many of the pages this process has mapped: reading the page table, not the cache. */
static int present(const void *memory, size_t page)
{
	uint64_t entries[PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), n = 0;
	ssize_t got;

	CHECK(fd >= 0);
	got = pread(fd, entries, sizeof(entries),
	            (off_t)((uintptr_t)memory / page * sizeof(*entries)));
	CHECK_INT(got, sizeof(entries));
	for (int i = 0; i < PAGES; i++)
		n += entries[i] >> 63;
	close(fd);
	return n;
}

static void test_lock(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = PAGES * page;
	int fd = memfd_create("a library", MFD_CLOEXEC), r;
	char *own, *library;

	CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	own = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	library = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	CHECK(own != MAP_FAILED && library != MAP_FAILED);
	CHECK_INT(present(own, page), 0);
	CHECK_INT(*(volatile char *)library, 0);
	CHECK(present(library, page) > 0);
	if (TEST_SANITIZED)
		TEST_SKIP("a sanitizer keeps mlock() from the kernel");
	r = memory_lock();
	if (r == -EPERM || r == -ENOMEM) {
		TEST_SKIP("RLIMIT_MEMLOCK is too low for whoever runs this");
		return;
	}
	CHECK_INT(r, 0);
	CHECK_INT(present(own, page), PAGES);
	/* what was called before takes no room any more, what is called from now on stays */
	CHECK_INT(present(library, page), 0);
	CHECK_INT(*(volatile char *)library, 0);
	CHECK(present(library, page) > 0);
	CHECK(madvise(library, size, MADV_DONTNEED) < 0); /* refused: it is locked */
	CHECK_INT(errno, EINVAL);
	munlockall();
	munmap(own, size);
	munmap(library, size);
	close(fd);
}

TEST_MAIN({"lock", test_lock})
