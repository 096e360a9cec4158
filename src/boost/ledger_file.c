// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/ledger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/procfs.h"

static int header_init(struct ledger_header *header)
{
	int r = procfs_boot_id(header->boot_id);

	if (r < 0)
		return r;
	header->version = LEDGER_VERSION;
	memcpy(header->magic, LEDGER_MAGIC, sizeof(header->magic));
	return 0;
}

/* Returns 0, -EBADMSG or -EPROTO as ledger_file_open() does, or -errno. */
static int header_check(int fd)
{
	char boot_id[PROCFS_BOOT_ID_LEN];
	struct ledger_header header;
	int r = procfs_boot_id(boot_id);

	if (r < 0)
		return r;
	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    memcmp(header.magic, LEDGER_MAGIC, sizeof(header.magic)) != 0 ||
	    memcmp(header.boot_id, boot_id, sizeof(boot_id)) != 0)
		return -EBADMSG;
	return header.version == LEDGER_VERSION ? 0 : -EPROTO;
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
	return r < 0 ? r : header_init(&(*ret)->header);
}

int ledger_file_open(const char *path, struct ledger_file **ret)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return -errno;
	r = header_check(fd);
	return r < 0 ? r : map(fd, ret);
}

/* FNV-1a by words: against torn and stray writes, not against malice. */
static uint32_t checksum(const void *data, size_t size)
{
	const uint32_t *words = data;
	uint32_t sum = 2166136261U;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum = (sum ^ words[i]) * 16777619U;
	return sum;
}

_Static_assert(sizeof(struct ledger_thread) % sizeof(uint32_t) == 0, "records are whole words");
_Static_assert(sizeof(struct ledger_standing) == 2 * sizeof(pid_t) + 24, "no padding");
_Static_assert(sizeof(struct ledger_region) == sizeof(pid_t) + 20, "no padding");
_Static_assert(sizeof(struct ledger_group) % sizeof(uint32_t) == 0, "records are whole words");

uint32_t ledger_mark_number(const struct ledger_mark *mark, const void *record, size_t size)
{
	uint32_t state = atomic_load_explicit(&mark->state, memory_order_acquire);

	if (state == LEDGER_FREE || mark->checksum != checksum(record, size))
		return LEDGER_FREE;
	return state;
}

static void set_live(struct ledger_file *file, struct ledger_mark *mark, const void *record,
                     size_t size)
{
	uint32_t number = atomic_fetch_add(&file->header.sequence, 1) + 1;

	if (number == LEDGER_FREE)
		number = atomic_fetch_add(&file->header.sequence, 1) + 1;
	mark->checksum = checksum(record, size);
	atomic_store_explicit(&mark->state, number, memory_order_release);
}

void ledger_mark_drop(struct ledger_mark *mark)
{
	atomic_store_explicit(&mark->state, LEDGER_FREE, memory_order_release);
}

void ledger_mark_drop_if(struct ledger_mark *mark, uint32_t number)
{
	atomic_compare_exchange_strong(&mark->state, &number, LEDGER_FREE);
}

void ledger_file_put_thread(struct ledger_file *file, unsigned int slot,
                            const struct ledger_thread *thread)
{
	struct ledger_thread_slot *s = &file->threads[slot];

	ledger_mark_drop(&s->mark);
	memset(&s->thread, 0, sizeof(s->thread)); /* the checksum includes the padding */
	s->thread.tid = thread->tid;
	s->thread.leader = thread->leader;
	s->thread.start_ticks = thread->start_ticks;
	s->thread.before = thread->before;
	s->thread.given = thread->given;
	set_live(file, &s->mark, &s->thread, sizeof(s->thread));
}

void ledger_file_put_standing(struct ledger_file *file, unsigned int slot,
                              const struct ledger_standing *standing)
{
	struct ledger_standing_slot *s = &file->standing[slot];

	ledger_mark_drop(&s->mark);
	s->standing = *standing; /* no padding */
	set_live(file, &s->mark, &s->standing, sizeof(s->standing));
}

void ledger_file_put_region(struct ledger_file *file, unsigned int slot,
                            const struct ledger_region *region)
{
	struct ledger_region_slot *s = &file->regions[slot];

	ledger_mark_drop(&s->mark);
	s->region = *region; /* no padding */
	set_live(file, &s->mark, &s->region, sizeof(s->region));
}

struct ledger_group_slot *ledger_file_find_group(struct ledger_file *file, const char *path)
{
	for (unsigned int i = 0; i < LEDGER_GROUPS_MAX; i++) {
		struct ledger_group_slot *s = &file->groups[i];

		if (ledger_mark_number(&s->mark, &s->group, sizeof(s->group)) &&
		    strcmp(s->group.path, path) == 0)
			return s;
	}
	return NULL;
}

static struct ledger_group_slot *hole(struct ledger_file *file)
{
	for (unsigned int i = 0; i < LEDGER_GROUPS_MAX; i++)
		if (atomic_load(&file->groups[i].mark.state) == LEDGER_FREE)
			return &file->groups[i];
	return NULL;
}

static struct ledger_group_slot *unused_group(struct ledger_file *file)
{
	/* after the last one in use, so that the order of the records is that of the changes */
	for (unsigned int i = LEDGER_GROUPS_MAX; i > 0; i--) {
		struct ledger_group_slot *s = &file->groups[i - 1];

		if (ledger_mark_number(&s->mark, &s->group, sizeof(s->group)))
			return i < LEDGER_GROUPS_MAX ? s + 1 : hole(file);
	}
	return &file->groups[0];
}

int ledger_file_put_group(struct ledger_file *file, const struct ledger_group *group)
{
	struct ledger_group_slot *s = ledger_file_find_group(file, group->path);
	int64_t before = s ? s->group.before : group->before;

	if (!s)
		s = unused_group(file);
	if (!s)
		return -ENOSPC;
	ledger_mark_drop(&s->mark);
	memset(&s->group, 0, sizeof(s->group));
	memcpy(s->group.path, group->path, strnlen(group->path, LEDGER_PATH_MAX - 1));
	s->group.mount_size = group->mount_size;
	s->group.inode = group->inode;
	s->group.before = before;
	s->group.written = group->written;
	s->group.was = group->was;
	set_live(file, &s->mark, &s->group, sizeof(s->group));
	return 0;
}
