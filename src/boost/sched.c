// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/sched.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"

/* The kernel's struct sched_attr, version 0: what we change has been in it from the start. */
struct attributes {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime; /* the slice of a fair thread, from Linux 6.12 */
	uint64_t deadline;
	uint64_t period;
};

#define FLAG_RESET_ON_FORK 1
#define NUMBER_LEN         24

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

static uint64_t default_slice_ns;

static int attributes_get(pid_t tid, struct attributes *ret)
{
	return syscall(SYS_sched_getattr, tid, ret, sizeof(*ret), 0) < 0 ? -errno : 0;
}

static int attributes_set(pid_t tid, struct attributes *attributes)
{
	attributes->size = sizeof(*attributes);
	return syscall(SYS_sched_setattr, tid, attributes, 0) < 0 ? -errno : 0;
}

void sched_learn_default_slice(void)
{
	struct attributes attributes = {0};

	if (attributes_get(0, &attributes) == 0 && attributes.policy == SCHED_OTHER)
		default_slice_ns = attributes.runtime;
}

/* "/proc/TID/timerslack_ns", without stdio. */
static void slack_path(pid_t tid, char path[static 64])
{
	static const char head[] = "/proc/", tail[] = "/timerslack_ns";
	char digits[NUMBER_LEN];
	size_t n = 0, at = sizeof(head) - 1;

	__builtin_memcpy(path, head, at);
	do
		digits[n++] = (char)('0' + tid % 10);
	while ((tid /= 10) > 0);
	while (n > 0)
		path[at++] = digits[--n];
	__builtin_memcpy(path + at, tail, sizeof(tail));
}

int sched_open(pid_t tid)
{
	char path[64];
	int fd;

	if (tid <= 0)
		return -EINVAL;
	slack_path(tid, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int slack_get(int fd, uint64_t *ret)
{
	char text[NUMBER_LEN];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	uint64_t value = 0;

	if (n < 0)
		return -errno;
	for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	*ret = value;
	return 0;
}

static int slack_set(int fd, uint64_t slack_ns)
{
	char text[NUMBER_LEN];
	size_t at = sizeof(text);

	do
		text[--at] = (char)('0' + slack_ns % 10);
	while ((slack_ns /= 10) > 0);
	/* not pwrite(): a seq file refuses a position to write at */
	return write(fd, text + at, sizeof(text) - at) < 0 ? -errno : 0;
}

bool sched_alive(int fd)
{
	uint64_t slack_ns;
	int r = slack_get(fd, &slack_ns);

	/* without CAP_SYS_NICE it may not be read, but is there */
	return r == 0 || r == -EPERM;
}

int sched_get(pid_t tid, int fd, struct sched_state *ret)
{
	struct attributes attributes = {0};
	int r = attributes_get(tid, &attributes);

	if (r < 0)
		return r;
	*ret = (struct sched_state){
	        .policy = attributes.policy,
	        .priority = attributes.priority,
	        .reset_on_fork = attributes.flags & FLAG_RESET_ON_FORK ? 1 : 0,
	};
	/*
	 * From Linux 6.12 a fair thread reports a slice whether it asked for one or not, and
	 * setting the default one would freeze it for ever.
	 */
	if (default_slice_ns && attributes.runtime != default_slice_ns && !sched_is_realtime(ret))
		ret->slice_ns = attributes.runtime;
	errno = 0;
	ret->nice = getpriority(PRIO_PROCESS, (id_t)tid);
	if (errno)
		return -errno;
	return slack_get(fd, &ret->slack_ns);
}

bool sched_is_realtime(const struct sched_state *state)
{
	return state->policy == SCHED_FIFO || state->policy == SCHED_RR ||
	       state->policy == SCHED_DEADLINE;
}

int sched_raise(pid_t tid, const struct sched_boost *boost)
{
	struct attributes attributes = {
	        .policy = boost->policy,
	        .priority = boost->priority,
	        .flags = FLAG_RESET_ON_FORK,
	};

	return attributes_set(tid, &attributes);
}

int sched_is_raised(pid_t tid, const struct sched_boost *boost)
{
	struct attributes attributes = {0};
	int r = attributes_get(tid, &attributes);

	if (r < 0)
		return r;
	return attributes.policy == boost->policy && attributes.priority == boost->priority &&
	       (attributes.flags & FLAG_RESET_ON_FORK);
}

/* The kernel forgot the slack of a thread that was real-time, and gave it a default. */
static int slack_restore(int fd, uint64_t slack_ns)
{
	uint64_t now_ns;
	int r = slack_get(fd, &now_ns);

	return r == 0 && now_ns != slack_ns ? slack_set(fd, slack_ns) : r;
}

int sched_restore(pid_t tid, int fd, const struct sched_state *state)
{
	struct attributes attributes = {
	        .policy = state->policy,
	        .priority = state->priority,
	        .flags = state->reset_on_fork ? FLAG_RESET_ON_FORK : 0,
	        .runtime = state->slice_ns,
	};
	int r;

	errno = 0;
	attributes.nice = getpriority(PRIO_PROCESS, (id_t)tid);
	if (errno)
		attributes.nice = state->nice;
	r = attributes_set(tid, &attributes);
	if (r < 0)
		return r;
	return slack_restore(fd, state->slack_ns);
}

int sched_finish_restore(pid_t tid, int fd, const struct sched_state *state)
{
	struct sched_state now;
	int r = sched_get(tid, fd, &now);

	if (r < 0)
		return r;
	if (now.policy != state->policy || now.priority != state->priority ||
	    now.reset_on_fork != state->reset_on_fork)
		return 0;
	r = slack_restore(fd, state->slack_ns);
	return r < 0 ? r : 1;
}

int sched_mend_child(pid_t tid, const struct sched_state *parent)
{
	CLEANUP(cleanup_fd) int fd = sched_open(tid);
	struct attributes attributes = {0};
	uint64_t slack_ns;
	int r;

	if (fd < 0)
		return fd;
	r = attributes_get(tid, &attributes);
	if (r < 0)
		return r;
	if (parent->nice && attributes.policy == SCHED_OTHER && attributes.nice == 0 &&
	    setpriority(PRIO_PROCESS, (id_t)tid, parent->nice) < 0)
		return -errno;
	r = slack_get(fd, &slack_ns);
	if (r == 0 && slack_ns == 0 && parent->slack_ns)
		r = slack_set(fd, parent->slack_ns);
	return r;
}

int sched_make_self_fifo(uint32_t priority)
{
	struct sched_boost boost = {.policy = SCHED_FIFO, .priority = priority};

	return sched_raise(0, &boost);
}
