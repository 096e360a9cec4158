/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Finds the carrier in a QEMU that may be hostile. Only what the kernel says about the mapping is
 * believed: its device and inode. These must be on a filesystem of the host that answers from
 * memory. Until that is known, nothing is done to a file of QEMU that could reach a filesystem's
 * server, a device or a peer. That excludes open(), close(), and a stat that synchronises.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "guest/carrier.h"
#include "guest/maps.h"
#include "guest/objects.h"
#include "util/cleanup.h"
#include "util/procfs.h"

/** QEMU makes its memory early, so the descriptors have low numbers. */
#define DESCRIPTORS_MAX 32768

/** The beginning of the file's name in maps and fd. QEMU names a memfd after the object's type. */
static const char *const path_prefixes[] = {
        [CARRIER_MEMFD] = "/memfd:memory-backend-memfd",
        [CARRIER_SHMEM] = "/dev/shm/pvsched-",
};

/** The directory of the files of libvirt's <shmem>. */
#define SHMEM_DIRECTORY "/dev/shm"

struct search {
	bool has_object;      /* our memory-backend-memfd is on the command line */
	uint64_t object_size; /* the size of that one */
	bool found, ambiguous;
	/* the mapping found: */
	enum carrier_kind kind;
	dev_t device;
	ino_t inode;
	uint64_t address, size;
	/* its descriptor in QEMU: */
	int fd;
	bool regular;
};

/** /proc says EACCES where ptrace says EPERM; a process that is gone is ESRCH everywhere. */
static int unify_error(int r)
{
	if (r == -EACCES)
		return -EPERM;
	return r == -ENOENT ? -ESRCH : r;
}

static bool has_prefix(const char *path, enum carrier_kind kind)
{
	return strncmp(path, path_prefixes[kind], strlen(path_prefixes[kind])) == 0;
}

static int read_object(pid_t pid, struct search *search)
{
	CLEANUP(cleanup_free) char *cmdline = malloc(PROCFS_CMDLINE_MAX);
	ssize_t size;
	int r;

	if (!cmdline)
		return -ENOMEM;
	size = procfs_cmdline(pid, cmdline, PROCFS_CMDLINE_MAX);
	if (size < 0)
		return (int)size;
	r = objects_find_memfd(cmdline, (size_t)size, &search->object_size);
	if (r == OBJECTS_AMBIGUOUS)
		return CARRIER_AMBIGUOUS;
	if (r < 0)
		return r;
	search->has_object = r == 0;
	if (search->has_object && (search->object_size < PVSCHED_REGION_SIZE_MIN ||
	                           search->object_size > PVSCHED_REGION_SIZE_MAX))
		return CARRIER_WRONG_SIZE;
	return 0;
}

/** True if a mapping may be the carrier's, as far as its line tells. */
static bool is_candidate(const struct search *search, const struct maps_entry *entry,
                         enum carrier_kind *kind)
{
	if (!entry->shared || entry->offset != 0 || entry->inode == 0)
		return false;
	*kind = CARRIER_SHMEM;
	if (has_prefix(entry->path, CARRIER_SHMEM))
		return true;
	*kind = CARRIER_MEMFD;
	return search->has_object && has_prefix(entry->path, CARRIER_MEMFD) &&
	       entry->end - entry->start == search->object_size;
}

static int look_at_mapping(const struct maps_entry *entry, void *userdata)
{
	struct search *search = userdata;
	enum carrier_kind kind;

	if (!is_candidate(search, entry, &kind))
		return 0;
	if (search->found) {
		/* The same file mapped twice is not ambiguous: either address will do. */
		search->ambiguous =
		        entry->device != search->device || entry->inode != search->inode;
		return search->ambiguous;
	}
	search->found = true;
	search->kind = kind;
	search->device = entry->device;
	search->inode = entry->inode;
	search->address = entry->start;
	search->size = entry->end - entry->start;
	return 0;
}

/** Gets the device number of memfds, from a memfd of our own. */
static int memfd_device(unsigned int flags, dev_t *ret)
{
	CLEANUP(cleanup_fd) int fd = memfd_create("pvschedd", MFD_CLOEXEC | flags);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	*ret = st.st_dev;
	return 0;
}

/**
 * Proves by the device number alone that the file is on the host's own tmpfs. A name proves
 * nothing: it may be that of a FUSE file in another mount namespace, for instance.
 */
static int check_device(const struct search *search)
{
	struct statfs file_system;
	struct stat st;
	dev_t device;
	int r;

	if (search->kind == CARRIER_SHMEM) {
		if (stat(SHMEM_DIRECTORY, &st) < 0 || statfs(SHMEM_DIRECTORY, &file_system) < 0)
			return -errno;
		return st.st_dev == search->device && file_system.f_type == TMPFS_MAGIC
		               ? 0
		               : CARRIER_NOT_TMPFS;
	}
	r = memfd_device(0, &device);
	if (r < 0)
		return r;
	if (device == search->device)
		return 0;
	/* Only for a better message: each size of huge pages has a device of its own. */
	if (memfd_device(MFD_HUGETLB, &device) == 0 && device == search->device)
		return CARRIER_HUGE;
	return CARRIER_NOT_TMPFS;
}

/** Compares without asking a server: the cached attributes of a remote file suffice. */
static int is_inode(const struct search *search, int dir_fd, const char *name, int flags,
                    bool *regular)
{
	struct statx st;

	if (statx(dir_fd, name, flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
	          STATX_TYPE | STATX_INO, &st) < 0)
		return -errno;
	*regular = S_ISREG(st.stx_mode);
	return makedev(st.stx_dev_major, st.stx_dev_minor) == search->device &&
	       st.stx_ino == search->inode;
}

static int look_at_descriptor(int dir_fd, const char *name, int fd, void *userdata)
{
	struct search *search = userdata;
	char path[MAPS_PATH_MAX];
	ssize_t length = readlinkat(dir_fd, name, path, sizeof(path) - 1);

	/* The name comes first: a disk's link leads to a filesystem whose server may be down. */
	if (length < 0)
		return 0;
	path[length] = '\0';
	if (!has_prefix(path, search->kind) ||
	    is_inode(search, dir_fd, name, 0, &search->regular) <= 0)
		return 0;
	search->fd = fd;
	return 1;
}

static int find_descriptor(pid_t pid, struct search *search)
{
	int r = procfs_each_fd(pid, DESCRIPTORS_MAX, look_at_descriptor, search);

	if (r < 0)
		return r;
	if (r == 0)
		return CARRIER_CHANGED; /* it was mapped a moment ago */
	return search->regular ? 0 : CARRIER_NOT_REGULAR;
}

/**
 * Gets the descriptor. If QEMU has replaced it meanwhile, the close of the other file may never
 * end: a FUSE file asks its server first, a socket may linger over unread data.
 */
static int take_descriptor(int pidfd, const struct search *search, int *ret)
{
	bool regular;
	int fd;

	fd = pidfd_getfd(pidfd, search->fd, 0);
	if (fd < 0)
		return errno == EBADF ? CARRIER_CHANGED : -errno;
	if (is_inode(search, fd, "", AT_EMPTY_PATH, &regular) <= 0) {
		close_fd(fd);
		return CARRIER_CHANGED;
	}
	*ret = fd;
	return 0;
}

/** As carrier_find(). @pidfd: of @pid; the descriptor is taken from that very process. */
static int find(pid_t pid, int pidfd, size_t n_pages, struct carrier **ret)
{
	struct search search = {.found = false};
	int fd = -1, r = read_object(pid, &search);

	if (r != 0)
		return r;
	r = maps_each(pid, look_at_mapping, &search);
	if (search.ambiguous)
		return CARRIER_AMBIGUOUS;
	if (r < 0)
		return r;
	if (!search.found)
		return CARRIER_ABSENT;
	r = check_device(&search);
	if (r == 0)
		r = find_descriptor(pid, &search);
	if (r == 0)
		r = take_descriptor(pidfd, &search, &fd);
	if (r != 0)
		return r;
	return carrier_open(fd, search.kind, search.size, search.address, n_pages, ret);
}

int carrier_find(pid_t pid, size_t n_pages, struct carrier **ret)
{
	CLEANUP(cleanup_fd) int pidfd = pidfd_open(pid, 0);

	if (pidfd < 0)
		return -errno;
	return unify_error(find(pid, pidfd, n_pages, ret));
}
