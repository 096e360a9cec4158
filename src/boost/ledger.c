// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/ledger.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boost/ledger_private.h"
#include "util/cleanup.h"

int ledger_open(const char *path, struct ledger **ret)
{
	CLEANUP(cleanup_free) struct ledger *ledger = calloc(1, sizeof(*ledger));
	char aside[LEDGER_PATH_MAX];
	bool replaced = false;
	int r;

	if (!ledger)
		return -ENOMEM;
	if (snprintf(ledger->path, sizeof(ledger->path), "%s", path) >= (int)sizeof(ledger->path))
		return -ENAMETOOLONG;
	r = ledger_file_open(path, &ledger->file);
	if (r == -EBADMSG || r == -ELOOP) {
		if (snprintf(aside, sizeof(aside), "%s.bad", path) >= (int)sizeof(aside))
			return -ENAMETOOLONG;
		if (rename(path, aside) < 0)
			return -errno;
		replaced = true;
		r = -ENOENT;
	}
	if (r == -ENOENT)
		r = ledger_file_make(path, &ledger->file);
	if (r < 0)
		return r;
	*ret = STEAL(ledger, NULL);
	return replaced ? LEDGER_REPLACED : 0;
}

const char *ledger_strerror(int error)
{
	return error == -EPROTO ? "another version of pvschedd wrote it: run that version with "
	                          "--restore, which gives back what it names (UPGRADES in "
	                          "pvschedd(8)); it is left as it is"
	                        : strerror(-error);
}

void ledger_set_mount(struct ledger *ledger, const char *mount)
{
	size_t size = mount ? strlen(mount) : 0;

	ledger->mount[0] = '\0';
	if (size < sizeof(ledger->mount))
		memcpy(ledger->mount, mount ? mount : "", size + 1);
}

struct ledger *ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return NULL;
	munmap(ledger->file, sizeof(*ledger->file));
	free(ledger);
	return NULL;
}

struct ledger *ledger_finish(struct ledger *ledger)
{
	if (ledger && ledger_count(ledger) == 0)
		unlink(ledger->path);
	return ledger_close(ledger);
}

void ledger_put_thread(struct ledger *ledger, unsigned int slot, const struct ledger_thread *thread)
{
	ledger_file_put_thread(ledger->file, slot, thread);
}

void ledger_drop_thread(struct ledger *ledger, unsigned int slot)
{
	ledger_mark_drop(&ledger->file->threads[slot].mark);
}

int ledger_get_thread(const struct ledger *ledger, unsigned int slot, struct ledger_thread *ret)
{
	const struct ledger_thread_slot *s = &ledger->file->threads[slot];
	struct ledger_thread copy = s->thread;

	/* a copy, since the guardian may drop the record at any time */
	if (!ledger_mark_number(&s->mark, &copy, sizeof(copy)))
		return -ENOENT;
	*ret = copy;
	return 0;
}

static bool is_live(const struct ledger_mark *mark)
{
	return atomic_load_explicit(&mark->state, memory_order_acquire) != LEDGER_FREE;
}

bool ledger_has_thread(const struct ledger *ledger, unsigned int slot)
{
	return is_live(&ledger->file->threads[slot].mark);
}

void ledger_put_standing(struct ledger *ledger, unsigned int slot,
                         const struct ledger_standing *standing)
{
	ledger_file_put_standing(ledger->file, slot, standing);
}

int ledger_get_standing(const struct ledger *ledger, unsigned int slot, struct ledger_standing *ret)
{
	const struct ledger_standing_slot *s = &ledger->file->standing[slot];
	struct ledger_standing copy = s->standing;

	if (!ledger_mark_number(&s->mark, &copy, sizeof(copy)))
		return -ENOENT;
	*ret = copy;
	return 0;
}

void ledger_put_region(struct ledger *ledger, unsigned int slot, const struct ledger_region *region)
{
	ledger_file_put_region(ledger->file, slot, region);
}

void ledger_drop_region(struct ledger *ledger, unsigned int slot)
{
	ledger_mark_drop(&ledger->file->regions[slot].mark);
}

int ledger_get_region(const struct ledger *ledger, unsigned int slot, struct ledger_region *ret)
{
	const struct ledger_region_slot *s = &ledger->file->regions[slot];
	struct ledger_region copy = s->region;

	if (!ledger_mark_number(&s->mark, &copy, sizeof(copy)) || copy.pid <= 0 ||
	    copy.generation == 0 || copy.n_pages == 0)
		return -ENOENT;
	*ret = copy;
	return 0;
}

int ledger_put_group(struct ledger *ledger, const struct ledger_group *group)
{
	return ledger_file_put_group(ledger->file, group);
}

int ledger_get_group(const struct ledger *ledger, const char *path, unsigned int index,
                     struct ledger_group *ret)
{
	const struct ledger_group_slot *s = NULL;

	if (path) {
		s = ledger_file_find_group(ledger->file, path);
	} else if (index < LEDGER_GROUPS_MAX) {
		s = &ledger->file->groups[index];
		if (!ledger_mark_number(&s->mark, &s->group, sizeof(s->group)))
			s = NULL;
	}
	if (!s)
		return -ENOENT;
	*ret = s->group;
	return 0;
}

void ledger_drop_group(struct ledger *ledger, const char *path)
{
	struct ledger_group_slot *s = ledger_file_find_group(ledger->file, path);

	if (s)
		ledger_mark_drop(&s->mark);
}

unsigned int ledger_count(const struct ledger *ledger)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < LEDGER_THREADS_MAX; i++) {
		n += is_live(&ledger->file->threads[i].mark);
		n += is_live(&ledger->file->standing[i].mark);
	}
	for (unsigned int i = 0; i < LEDGER_GROUPS_MAX; i++)
		n += is_live(&ledger->file->groups[i].mark);
	return n;
}

uint32_t ledger_guardian_acts(const struct ledger *ledger)
{
	return atomic_load(&ledger->file->header.guardian_acts);
}

uint32_t ledger_owner(const struct ledger *ledger)
{
	return atomic_load(&ledger->file->header.owner);
}

void ledger_take_over(struct ledger *ledger)
{
	atomic_fetch_add(&ledger->file->header.owner, 1);
}

void ledger_count_guardian_act(struct ledger *ledger)
{
	atomic_fetch_add(&ledger->file->header.guardian_acts, 1);
}
