/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/vhost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/procfs.h"

/** Processes looked at. PID_MAX_LIMIT is four million; a host with this many has other problems. */
#define PROCESSES_MAX 262144

/** kthreadd, the parent of every kernel thread. */
#define KTHREADD_PID 2

/** The PID of "vhost-PID", or 0. */
static pid_t parse_owner(const char *comm)
{
	const char *digits = comm + strlen("vhost-");
	unsigned long owner;
	char *end;

	if (strncmp(comm, "vhost-", strlen("vhost-")) != 0 || *digits < '1' || *digits > '9')
		return 0;
	errno = 0;
	owner = strtoul(digits, &end, 10);
	return errno || *end || owner > INT32_MAX ? 0 : (pid_t)owner;
}

/** Stores a process if it is a vhost kernel thread, however many there are. A user process can copy
 * the name alone. */
static int look_at(pid_t pid, void *userdata)
{
	struct vhost_table *table = userdata;
	struct procfs_stat stat;
	pid_t owner;

	if (procfs_stat(0, pid, &stat) < 0 || !(stat.flags & PROCFS_FLAG_KTHREAD) ||
	    stat.ppid != KTHREADD_PID)
		return 0;
	owner = parse_owner(stat.comm);
	if (owner == 0)
		return 0;
	if (table->n == table->room) {
		size_t room = MAX(2 * table->room, (size_t)64);
		struct vhost_thread *threads = reallocarray(table->threads, room, sizeof(*threads));

		if (!threads)
			return -ENOMEM;
		table->threads = threads;
		table->room = room;
	}
	table->threads[table->n++] = (struct vhost_thread){owner, {pid, stat.start_ticks}};
	return 0;
}

int vhost_table_refresh(struct vhost_table *table, uint64_t now_ns, uint64_t max_age_ns)
{
	int r;

	if (table->read_ns != 0 && now_ns - table->read_ns < max_age_ns)
		return 0;
	vhost_table_clear(table);
	table->read_ns = now_ns;
	r = procfs_each_process(PROCESSES_MAX, look_at, table);
	return r == -E2BIG ? 0 : r;
}

void vhost_table_clear(struct vhost_table *table)
{
	free(table->threads);
	*table = (struct vhost_table){0};
}
