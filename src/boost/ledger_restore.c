// SPDX-License-Identifier: GPL-2.0-or-later
/* Giving back what the ledger's records name. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "boost/identity.h"
#include "boost/ledger.h"
#include "boost/ledger_private.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* Other errors are no reason to believe that the thread is gone. */
static int gone_or(int r)
{
	return r == -ENOENT || r == -ESRCH ? LEDGER_GONE : r;
}

static int restore_held(struct sched_thread *held, const struct ledger_thread *thread)
{
	int r = sched_is_ours(held->tid, &thread->given, &thread->before);

	if (r < 0)
		return gone_or(r);
	if (!sched_alive(held))
		return LEDGER_GONE;
	if (r == 0) {
		r = sched_finish_restore(held, &thread->before);
		return r == 0 ? LEDGER_FOREIGN : r < 0 ? gone_or(r) : 0;
	}
	r = sched_restore(held, &thread->before);
	if (r == 0 && !sched_alive(held))
		return LEDGER_GONE;
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
		outcome = r == IDENTITY_GONE ? LEDGER_GONE : r;
	if (outcome <= 0)
		return outcome;
	r = identity_restore_exec(&id, thread->leader, &thread->given, &thread->before);
	return r < 0 ? r : r == 1 ? 0 : outcome;
}

/* Which of the levers that the thread was given it still has. */
struct kept {
	bool slice, clamp;
};

static struct kept kept_of(const struct ledger_standing *record, const struct sched_standing *now)
{
	return (struct kept){
	        .slice = record->slice_ns && now->slice_ns == record->slice_ns,
	        .clamp = record->util_min && now->util_min == record->util_min,
	};
}

int ledger_match_standing(pid_t tid, const void *record)
{
	struct sched_standing now;
	struct kept kept;
	int r = sched_get_standing(tid, &now);

	if (r < 0)
		return r;
	kept = kept_of(record, &now);
	return kept.slice || kept.clamp;
}

/*
 * Whatever the thread does not have any more was changed by another program. The flag goes last:
 * a thread that is made before inherits neither slice nor clamp.
 */
int ledger_take_standing(pid_t tid, const struct ledger_standing *record,
                         const struct sched_standing *now)
{
	struct kept kept = kept_of(record, now);
	int r = 0;

	if (kept.clamp)
		r = sched_give_clamp(tid, SCHED_CLAMP_NONE);
	if (r == 0 && kept.slice)
		r = sched_give_slice(tid, 0, true);
	if (r == 0)
		r = sched_set_reset_on_fork(tid, record->reset_on_fork);
	if (r < 0)
		return r;
	return r == SCHED_NOT_FAIR || (record->slice_ns && !kept.slice) ||
	                       (record->util_min && !kept.clamp)
	               ? LEDGER_FOREIGN
	               : LEDGER_RESTORED;
}

static int restore_standing_held(const struct sched_thread *held,
                                 const struct ledger_standing *record)
{
	struct sched_standing now;
	struct kept kept;
	int r = sched_get_standing(held->tid, &now);

	if (r < 0)
		return gone_or(r);
	if (!sched_alive(held))
		return LEDGER_GONE;
	kept = kept_of(record, &now);
	/* the daemon may have died before it gave anything, or after it took all back */
	if (!kept.slice && !kept.clamp && now.reset_on_fork == record->reset_on_fork &&
	    (!record->slice_ns || sched_is_fair(&now)))
		return LEDGER_RESTORED;
	r = ledger_take_standing(held->tid, record, &now);
	if (r >= 0 && !sched_alive(held))
		return LEDGER_GONE;
	return gone_or(r);
}

/* As restore_thread(). */
static int restore_standing(const struct ledger_standing *record)
{
	CLEANUP(identity_close) struct identity identity = IDENTITY_NULL;
	CLEANUP(sched_close) struct sched_thread after_exec = SCHED_THREAD_NULL;
	const struct thread_id id = {record->tid, record->start_ticks};
	int outcome, r = identity_open(&identity, &id);

	if (r == 0)
		outcome = restore_standing_held(&identity.thread, record);
	else
		outcome = r == IDENTITY_GONE ? LEDGER_GONE : r;
	if (outcome <= 0)
		return outcome;
	r = identity_find_exec(&id, record->leader, ledger_match_standing, record, &after_exec);
	if (r == 1)
		return restore_standing_held(&after_exec, record);
	return r < 0 ? r : outcome;
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

/**
 * Opens the attribute of a record in the hierarchy that is mounted at @mount.
 * Returns 0 and *ret; LEDGER_GONE: the hierarchy is there, and the group is not; -ENODEV: no
 * hierarchy is there; -errno.
 */
static int open_group(const char *mount, size_t mount_size, const struct ledger_group *group,
                      int *ret)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char path[LEDGER_PATH_MAX];
	struct statfs fs;
	struct stat st;
	int n = snprintf(path, sizeof(path), "%.*s%s", (int)mount_size, mount,
	                 group->path + group->mount_size);

	if (n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	path[mount_size] = '\0';
	/* only cgroup v1 has RT budgets */
	if (statfs(path, &fs) < 0 || fs.f_type != CGROUP_SUPER_MAGIC)
		return -ENODEV;
	path[mount_size] = '/';
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? LEDGER_GONE : -errno;
	*strrchr(path, '/') = '\0';
	if (stat(path, &st) < 0 || st.st_ino != group->inode)
		return LEDGER_GONE;
	*ret = STEAL(fd, -1);
	return 0;
}

static int restore_group(const struct ledger *ledger, const struct ledger_group *group)
{
	CLEANUP(cleanup_fd) int fd = -1;
	int64_t value = 0;
	char text[32];
	int n, r;

	r = open_group(group->path, group->mount_size, group, &fd);
	if (r == -ENODEV && ledger->mount[0])
		r = open_group(ledger->mount, strlen(ledger->mount), group, &fd);
	if (r == 0)
		r = read_number(fd, &value);
	if (r != 0)
		return r;
	if (value != group->written && value != group->was)
		return LEDGER_FOREIGN;
	n = snprintf(text, sizeof(text), "%lld\n", (long long)group->before);
	return write(fd, text, (size_t)n) < 0 ? -errno : 0;
}

static bool thread_valid(const struct ledger_thread *thread)
{
	return thread->tid > 0 && thread->before.policy <= 7 && thread->before.nice >= -20 &&
	       thread->before.nice <= 19 && thread->before.priority <= 99 &&
	       (thread->given.policy == SCHED_FIFO || thread->given.policy == SCHED_RR);
}

static bool standing_valid(const struct ledger_standing *standing)
{
	bool slice = standing->slice_ns >= SCHED_SLICE_NS_MIN &&
	             standing->slice_ns <= SCHED_SLICE_NS_MAX;

	return standing->tid > 0 && (slice || standing->slice_ns == 0) &&
	       standing->util_min <= SCHED_UTIL_MAX && standing->reset_on_fork <= 1;
}

static bool group_valid(const struct ledger_group *group)
{
	static const char name[] = "/" LEDGER_ATTRIBUTE;
	size_t size = strnlen(group->path, sizeof(group->path)), suffix = strlen(name);

	return size < sizeof(group->path) && group->path[0] == '/' && group->mount_size > 0 &&
	       group->mount_size + suffix < size && group->path[group->mount_size] == '/' &&
	       strcmp(group->path + size - suffix, name) == 0 && !strstr(group->path, "/../");
}

static void count(struct ledger_result *result, struct ledger_mark *mark, uint32_t number,
                  int outcome)
{
	if (outcome < 0) {
		result->failed++;
		return;
	}
	ledger_mark_drop_if(mark, number);
	if (outcome == LEDGER_FOREIGN)
		result->foreign++;
	else if (outcome == LEDGER_GONE)
		result->gone++;
	else
		result->restored++;
}

static void drop_invalid(struct ledger_result *result, struct ledger_mark *mark, uint32_t number)
{
	ledger_mark_drop_if(mark, number);
	result->invalid++;
}

/*
 * The guardian does this at a real-time priority, and the kernel ends what computes there for 200
 * ms without a sleep: RLIMIT_RTTIME. So it sleeps now and then, also to let others run.
 */
#define BREATH_AFTER_NS (10 * NSEC_PER_MSEC)
#define BREATH_MS       1

static void breathe(uint64_t *last_ns)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns - *last_ns < BREATH_AFTER_NS)
		return;
	poll(NULL, 0, BREATH_MS);
	*last_ns = clock_now_ns();
}

static void restore_threads(struct ledger *ledger, struct ledger_result *ret)
{
	uint64_t breath_ns = clock_now_ns();

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
		breathe(&breath_ns);
	}
}

/* A thread that is still boosted does not show its slice: that boost could not be ended. */
static bool is_boosted(const struct ledger *ledger, unsigned int slot,
                       const struct ledger_standing *record)
{
	struct ledger_thread thread;

	return ledger_get_thread(ledger, slot, &thread) == 0 && thread.tid == record->tid &&
	       thread.start_ticks == record->start_ticks;
}

static int restore_standing_of(const struct ledger *ledger, unsigned int slot,
                               const struct ledger_standing *record)
{
	return is_boosted(ledger, slot, record) ? -EBUSY : restore_standing(record);
}

static void restore_all_standing(struct ledger *ledger, struct ledger_result *ret)
{
	uint64_t breath_ns = clock_now_ns();

	for (unsigned int i = 0; i < LEDGER_THREADS_MAX; i++) {
		struct ledger_standing_slot *s = &ledger->file->standing[i];
		uint32_t number = atomic_load(&s->mark.state);
		struct ledger_standing copy = s->standing;

		if (number == LEDGER_FREE)
			continue;
		if (ledger_mark_number(&s->mark, &copy, sizeof(copy)) != number ||
		    !standing_valid(&copy))
			drop_invalid(ret, &s->mark, number);
		else
			count(ret, &s->mark, number, restore_standing_of(ledger, i, &copy));
		breathe(&breath_ns);
	}
}

int ledger_restore_standing(struct ledger *ledger, unsigned int slot)
{
	struct ledger_standing_slot *s = &ledger->file->standing[slot];
	struct ledger_standing copy = s->standing;
	uint32_t number = ledger_mark_number(&s->mark, &copy, sizeof(copy));
	int outcome;

	if (number == LEDGER_FREE)
		return LEDGER_RESTORED;
	outcome = restore_standing_of(ledger, slot, &copy);
	if (outcome >= 0)
		ledger_mark_drop_if(&s->mark, number);
	return outcome;
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
			count(ret, &s->mark, number, restore_group(ledger, &copy));
	}
	return ret->failed;
}

void ledger_restore(struct ledger *ledger, struct ledger_result *ret)
{
	unsigned int threads_failed, failed, last = UINT32_MAX;

	*ret = (struct ledger_result){0};
	restore_threads(ledger, ret);
	restore_all_standing(ledger, ret);
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
	r = restore_group(ledger, &s->group);
	if (r < 0)
		return r;
	ledger_mark_drop(&s->mark);
	return 0;
}
