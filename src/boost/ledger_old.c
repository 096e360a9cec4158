// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/ledger_old.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "boost/ledger_v1.h"
#include "util/procfs.h"

static bool is_live(const struct ledger_mark *mark, const void *record, size_t size)
{
	return atomic_load_explicit(&mark->state, memory_order_acquire) != LEDGER_FREE &&
	       mark->checksum == ledger_v1_checksum(record, size);
}

static bool header_valid(const struct ledger_v1_file *file)
{
	char boot_id[PROCFS_BOOT_ID_LEN];

	return memcmp(file->magic, LEDGER_MAGIC, sizeof(file->magic)) == 0 && file->version == 1 &&
	       procfs_boot_id(boot_id) == 0 && memcmp(boot_id, file->boot_id, sizeof(boot_id)) == 0;
}

/* A custom slice is not looked at: the kernel has kept it for the thread. */
static struct ledger_thread thread_of(const struct ledger_v1_thread *old)
{
	return (struct ledger_thread){
	        .tid = old->tid,
	        .start_ticks = old->start_ticks,
	        .before = {.policy = old->before.policy,
	                   .priority = old->before.priority,
	                   .nice = old->before.nice,
	                   .reset_on_fork = old->before.reset_on_fork,
	                   .slack_ns = old->before.slack_ns},
	        .given = old->given,
	};
}

/* In the order of the groups' records, which is that of the changes. */
static int copy_records(const struct ledger_v1_file *old, struct ledger_file *to)
{
	int r = 0;

	for (unsigned int i = 0; i < LEDGER_THREADS_MAX; i++) {
		struct ledger_v1_thread copy = old->threads[i].thread;
		struct ledger_thread thread = thread_of(&copy);

		if (is_live(&old->threads[i].mark, &copy, sizeof(copy)))
			ledger_file_put_thread(to, i, &thread);
	}
	for (unsigned int i = 0; r == 0 && i < LEDGER_GROUPS_MAX; i++) {
		struct ledger_group copy = old->groups[i].group;

		if (is_live(&old->groups[i].mark, &copy, sizeof(copy)))
			r = ledger_file_put_group(to, &copy);
	}
	return r;
}

int ledger_old_read(int fd, struct ledger_file *to)
{
	struct ledger_v1_file *old;
	struct stat st;
	int r = -EBADMSG;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size != (off_t)sizeof(*old))
		return -EBADMSG;
	old = mmap(NULL, sizeof(*old), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (old == MAP_FAILED)
		return -errno;
	if (header_valid(old)) {
		/* a guardian that was stopped meanwhile must not act on it any more */
		atomic_fetch_add(&old->owner, 1);
		r = copy_records(old, to);
	}
	munmap(old, sizeof(*old));
	return r;
}
