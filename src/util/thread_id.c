// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/thread_id.h"

#include "util/procfs.h"

bool thread_id_is_current(const struct thread_id *id)
{
	uint64_t start_ticks;

	return procfs_start_ticks(0, id->tid, &start_ticks) == 0 && start_ticks == id->start_ticks;
}

bool thread_id_is_alive(const struct thread_id *id)
{
	struct procfs_stat stat;

	return procfs_stat(0, id->tid, &stat) == 0 && stat.start_ticks == id->start_ticks &&
	       stat.state != 'Z' && stat.state != 'X';
}
