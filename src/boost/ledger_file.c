// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/ledger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/procfs.h"

static int header_init(struct ledger_file *file)
{
	int r = procfs_boot_id(file->boot_id);

	if (r < 0)
		return r;
	file->version = LEDGER_VERSION;
	memcpy(file->magic, LEDGER_MAGIC, sizeof(file->magic));
	return 0;
}

static bool header_valid(const struct ledger_file *file)
{
	char boot_id[PROCFS_BOOT_ID_LEN];

	return memcmp(file->magic, LEDGER_MAGIC, sizeof(file->magic)) == 0 &&
	       file->version == LEDGER_VERSION && procfs_boot_id(boot_id) == 0 &&
	       memcmp(boot_id, file->boot_id, sizeof(boot_id)) == 0;
}

/* Maps the file if its size is right. Returns 0, -EBADMSG when it is not, or -errno. */
static int map(int fd, struct ledger_file **ret)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size != (off_t)sizeof(struct ledger_file))
		return -EBADMSG;
	p = mmap(NULL, sizeof(struct ledger_file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

int ledger_file_make(const char *path, struct ledger_file **ret)
{
	CLEANUP(cleanup_fd) int fd = -1;
	int r;

	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/* fallocate, not ftruncate: a full tmpfs must be an error here, not a SIGBUS later */
	r = posix_fallocate(fd, 0, sizeof(struct ledger_file));
	if (r)
		return -r;
	r = map(fd, ret);
	return r < 0 ? r : header_init(*ret);
}

int ledger_file_open(const char *path, struct ledger_file **ret)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct ledger_file *file = NULL;
	int r;

	if (fd < 0)
		return -errno;
	r = map(fd, &file);
	if (r < 0)
		return r;
	if (!header_valid(file)) {
		munmap(file, sizeof(*file));
		return -EBADMSG;
	}
	*ret = file;
	return 0;
}
