/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/process_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/procfs.h"

/** A list that grows. */
struct growing {
	struct process_list list;
	size_t room;
};

static int add(pid_t pid, void *userdata)
{
	struct growing *growing = userdata;

	if (growing->list.n == growing->room) {
		size_t room = MAX(2 * growing->room, (size_t)512);
		struct process_entry *entries =
		        reallocarray(growing->list.entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		growing->list.entries = entries;
		growing->room = room;
	}
	growing->list.entries[growing->list.n++] = (struct process_entry){.pid = pid};
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct process_entry *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

int process_list_read(struct process_list *list, bool forget)
{
	struct growing now = {0};
	int r = procfs_each_process(PROCESS_LIST_MAX, add, &now);
	size_t i, old = 0;

	if (r < 0 && r != -E2BIG) {
		free(now.list.entries);
		return r;
	}
	qsort(now.list.entries, now.list.n, sizeof(*now.list.entries), compare);
	for (i = 0; !forget && i < now.list.n; i++) {
		while (old < list->n && list->entries[old].pid < now.list.entries[i].pid)
			old++;
		if (old < list->n && list->entries[old].pid == now.list.entries[i].pid)
			now.list.entries[i] = list->entries[old];
	}
	process_list_clear(list);
	*list = now.list;
	return r;
}

struct process_entry *process_list_get(struct process_list *list, pid_t pid)
{
	struct process_entry *entries = list->entries;
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entries[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < list->n && entries[low].pid == pid)
		return &entries[low];
	if (list->n == PROCESS_LIST_MAX)
		return NULL;
	entries = reallocarray(entries, list->n + 1, sizeof(*entries));
	if (!entries)
		return NULL;
	list->entries = entries;
	memmove(&entries[low + 1], &entries[low], (list->n++ - low) * sizeof(*entries));
	entries[low] = (struct process_entry){.pid = pid};
	return &entries[low];
}

void process_list_clear(struct process_list *list)
{
	free(list->entries);
	*list = (struct process_list){0};
}
