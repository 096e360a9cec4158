// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boost/identity.h"
#include "boost/ledger_file.h"
#include "util/cleanup.h"

struct ledger {
	struct ledger_file *file;
	char path[LEDGER_PATH_MAX];
};

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

bool ledger_has_thread(const struct ledger *ledger, unsigned int slot)
{
	return atomic_load_explicit(&ledger->file->threads[slot].mark.state,
	                            memory_order_acquire) != LEDGER_FREE;
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

	for (unsigned int i = 0; i < LEDGER_THREADS_MAX; i++)
		n += atomic_load(&ledger->file->threads[i].mark.state) != LEDGER_FREE;
	for (unsigned int i = 0; i < LEDGER_GROUPS_MAX; i++)
		n += atomic_load(&ledger->file->groups[i].mark.state) != LEDGER_FREE;
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

/* Outcomes of giving one record back; 0 is restored. */
enum {
	OUTCOME_FOREIGN = 1,
	OUTCOME_GONE,
};

/* Other errors are no reason to believe that the thread is gone. */
static int gone_or(int r)
{
	return r == -ENOENT || r == -ESRCH ? OUTCOME_GONE : r;
}

static int restore_held(struct sched_thread *held, const struct ledger_thread *thread)
{
	int r = sched_has_boost(held->tid, &thread->given);

	if (r < 0)
		return gone_or(r);
	if (!sched_alive(held))
		return OUTCOME_GONE;
	if (r == 0) {
		r = sched_finish_restore(held, &thread->before);
		return r == 0 ? OUTCOME_FOREIGN : r < 0 ? gone_or(r) : 0;
	}
	r = sched_restore(held, &thread->before);
	if (r == 0 && !sched_alive(held))
		return OUTCOME_GONE;
	return gone_or(r);
}

/* A thread that is gone, or does not have our boost, may have it under another TID by execve(). */
static int restore_thread(const struct ledger_thread *thread)
{
	CLEANUP(identity_close) struct identity identity = IDENTITY_NULL;
	const struct thread_id id = {thread->tid, thread->start_ticks};
	int outcome, r = identity_open(&identity, &id);

	if (r == 0)
		outcome = restore_held(&identity.thread, thread);
	else
		outcome = r == IDENTITY_GONE ? OUTCOME_GONE : r;
	if (outcome <= 0)
		return outcome;
	r = identity_restore_exec(&id, thread->leader, &thread->given, &thread->before);
	return r < 0 ? r : r == 1 ? 0 : outcome;
}

static int read_number(int fd, int64_t *ret)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return n < 0 ? -errno : -EBADMSG;
	*ret = strtoll(text, NULL, 10);
	return 0;
}

static int restore_group(const struct ledger_group *group)
{
	CLEANUP(cleanup_fd) int fd = open(group->path, O_RDWR | O_CLOEXEC);
	char directory[LEDGER_PATH_MAX], text[32];
	struct stat st;
	int64_t value = 0;
	int n, r;

	if (fd < 0)
		return errno == ENOENT ? OUTCOME_GONE : -errno;
	memcpy(directory, group->path, sizeof(directory));
	*strrchr(directory, '/') = '\0'; /* validated: begins with '/' */
	if (stat(directory, &st) < 0 || st.st_ino != group->inode)
		return OUTCOME_GONE;
	r = read_number(fd, &value);
	if (r < 0)
		return r;
	if (value != group->written && value != group->was)
		return OUTCOME_FOREIGN;
	n = snprintf(text, sizeof(text), "%lld\n", (long long)group->before);
	return write(fd, text, (size_t)n) < 0 ? -errno : 0;
}

static bool thread_valid(const struct ledger_thread *thread)
{
	return thread->tid > 0 && thread->before.policy <= 7 && thread->before.nice >= -20 &&
	       thread->before.nice <= 19 && thread->before.priority <= 99 &&
	       (thread->given.policy == SCHED_FIFO || thread->given.policy == SCHED_RR);
}

static bool group_valid(const struct ledger_group *group)
{
	return memchr(group->path, '\0', sizeof(group->path)) &&
	       strncmp(group->path, "/sys/fs/cgroup/", 15) == 0 && !strstr(group->path, "/../");
}

static void count(struct ledger_result *result, struct ledger_mark *mark, uint32_t number,
                  int outcome)
{
	if (outcome < 0) {
		result->failed++;
		return;
	}
	ledger_mark_drop_if(mark, number);
	if (outcome == OUTCOME_FOREIGN)
		result->foreign++;
	else if (outcome == OUTCOME_GONE)
		result->gone++;
	else
		result->restored++;
}

static void drop_invalid(struct ledger_result *result, struct ledger_mark *mark, uint32_t number)
{
	ledger_mark_drop_if(mark, number);
	result->invalid++;
}

static void restore_threads(struct ledger *ledger, struct ledger_result *ret)
{
	for (unsigned int i = 0; i < LEDGER_THREADS_MAX; i++) {
		struct ledger_thread_slot *s = &ledger->file->threads[i];
		uint32_t number = atomic_load(&s->mark.state);
		struct ledger_thread copy = s->thread;

		if (number == LEDGER_FREE)
			continue;
		if (ledger_mark_number(&s->mark, &copy, sizeof(copy)) != number ||
		    !thread_valid(&copy))
			drop_invalid(ret, &s->mark, number);
		else
			count(ret, &s->mark, number, restore_thread(&copy));
	}
}

/* Returns how many failed. */
static unsigned int restore_groups(struct ledger *ledger, struct ledger_result *ret)
{
	ret->failed = 0;
	for (unsigned int i = LEDGER_GROUPS_MAX; i > 0; i--) {
		struct ledger_group_slot *s = &ledger->file->groups[i - 1];
		uint32_t number = atomic_load(&s->mark.state);
		struct ledger_group copy = s->group;

		if (number == LEDGER_FREE)
			continue;
		if (ledger_mark_number(&s->mark, &copy, sizeof(copy)) != number ||
		    !group_valid(&copy))
			drop_invalid(ret, &s->mark, number);
		else
			count(ret, &s->mark, number, restore_group(&copy));
	}
	return ret->failed;
}

void ledger_restore(struct ledger *ledger, struct ledger_result *ret)
{
	unsigned int threads_failed, failed, last = UINT32_MAX;

	*ret = (struct ledger_result){0};
	restore_threads(ledger, ret);
	threads_failed = ret->failed;
	/* again while it helps: the order of records that were written into holes is another one */
	while ((failed = restore_groups(ledger, ret)) > 0 && failed < last)
		last = failed;
	ret->failed += threads_failed;
}

int ledger_restore_group(struct ledger *ledger, const char *path)
{
	struct ledger_group_slot *s = ledger_file_find_group(ledger->file, path);
	int r;

	if (!s)
		return 0;
	r = restore_group(&s->group);
	if (r < 0)
		return r;
	ledger_mark_drop(&s->mark);
	return 0;
}
