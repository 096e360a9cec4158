// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/sched.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/procfs.h"

/* The kernel's struct sched_attr, version 1 (Linux 5.3). */
struct attributes {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice; /* of a fair thread; else 0 */
	uint32_t priority;
	uint64_t runtime;
	uint64_t deadline;
	uint64_t period;
	uint32_t util_min;
	uint32_t util_max;
};

#define FLAG_RESET_ON_FORK  0x01
#define FLAG_KEEP_POLICY    0x08
#define FLAG_KEEP_PARAMS    0x10
#define FLAG_UTIL_CLAMP_MIN 0x20

/* How often a clamp is tried that the kernel refuses since the class changed in between. */
#define CLAMP_TRIES 8
#define NUMBER_LEN  24

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

static int attributes_get(pid_t tid, struct attributes *ret)
{
	return syscall(SYS_sched_getattr, tid, ret, sizeof(*ret), 0) < 0 ? -errno : 0;
}

static uint32_t resets_on_fork(const struct attributes *attributes)
{
	return attributes->flags & FLAG_RESET_ON_FORK ? 1 : 0;
}

/*
 * Not sched_setattr(): this call leaves the thread its nice value and, from Linux 6.12, its custom
 * slice, which the kernel keeps while the thread is real-time. So neither has to be read first, and
 * a renice meanwhile is not undone.
 */
static int class_set(pid_t tid, uint32_t policy, uint32_t priority, bool reset_on_fork)
{
	struct sched_param param = {.sched_priority = (int)priority};
	int flag = reset_on_fork ? SCHED_RESET_ON_FORK : 0;

	return syscall(SYS_sched_setscheduler, tid, (int)policy | flag, &param) < 0 ? -errno : 0;
}

/* "/proc/TID/NAME", without stdio. */
static void thread_path(pid_t tid, const char *name, char path[static 64])
{
	static const char head[] = "/proc/";
	char digits[NUMBER_LEN];
	size_t n = 0, at = sizeof(head) - 1;

	__builtin_memcpy(path, head, at);
	do
		digits[n++] = (char)('0' + tid % 10);
	while ((tid /= 10) > 0);
	while (n > 0)
		path[at++] = digits[--n];
	path[at++] = '/';
	do
		path[at++] = *name;
	while (*name++);
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

int sched_open(pid_t tid, struct sched_thread *ret)
{
	CLEANUP(sched_close) struct sched_thread thread = SCHED_THREAD_NULL;
	uint64_t slack_ns;
	char path[64];

	if (tid <= 0)
		return -EINVAL;
	thread.tid = tid;
	thread_path(tid, "timerslack_ns", path);
	thread.slack_fd = open(path, O_RDWR | O_CLOEXEC);
	if (thread.slack_fd < 0)
		return -errno;
	thread_path(tid, "oom_score_adj", path);
	thread.alive_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (thread.alive_fd < 0)
		return -errno;
	/* if the first file still answers, the TID was not reused in between: both are of one
	 * thread */
	if (slack_get(thread.slack_fd, &slack_ns) == -ESRCH)
		return -ESRCH;
	*ret = STEAL(thread, SCHED_THREAD_NULL);
	return 0;
}

void sched_close(struct sched_thread *thread)
{
	thread->slack_fd = close_fd(thread->slack_fd);
	thread->alive_fd = close_fd(thread->alive_fd);
}

bool sched_alive(const struct sched_thread *thread)
{
	char text[NUMBER_LEN];

	return pread(thread->alive_fd, text, sizeof(text), 0) >= 0;
}

int sched_get_class(pid_t tid, struct sched_state *ret)
{
	struct attributes attributes = {0};
	int r = attributes_get(tid, &attributes);

	if (r < 0)
		return r;
	*ret = (struct sched_state){
	        .policy = attributes.policy,
	        .priority = attributes.priority,
	        .nice = attributes.nice,
	        .reset_on_fork = resets_on_fork(&attributes),
	};
	return 0;
}

int sched_get(const struct sched_thread *thread, struct sched_state *ret)
{
	int r = sched_get_class(thread->tid, ret);

	return r < 0 ? r : slack_get(thread->slack_fd, &ret->slack_ns);
}

bool sched_is_realtime(const struct sched_state *state)
{
	return state->policy == SCHED_FIFO || state->policy == SCHED_RR ||
	       state->policy == SCHED_DEADLINE;
}

int sched_give_boost(pid_t tid, const struct sched_boost *boost)
{
	return class_set(tid, boost->policy, boost->priority, true);
}

static bool is_boost(const struct attributes *attributes, const struct sched_boost *boost)
{
	return attributes->policy == boost->policy && attributes->priority >= 1 &&
	       attributes->priority <= boost->priority;
}

static bool has_left_idle(const struct attributes *attributes, const struct sched_state *before)
{
	return before->policy == SCHED_IDLE &&
	       (attributes->policy == SCHED_OTHER || attributes->policy == SCHED_BATCH);
}

int sched_has_boost(pid_t tid, const struct sched_boost *boost)
{
	struct attributes attributes = {0};
	int r = attributes_get(tid, &attributes);

	if (r < 0)
		return r;
	return resets_on_fork(&attributes) && is_boost(&attributes, boost);
}

int sched_is_ours(pid_t tid, const struct sched_boost *boost, const struct sched_state *before)
{
	struct attributes attributes = {0};
	int r = attributes_get(tid, &attributes);

	if (r < 0)
		return r;
	return resets_on_fork(&attributes) &&
	       (is_boost(&attributes, boost) || has_left_idle(&attributes, before));
}

/*
 * The kernel forgets the slack of a real-time thread, and gives it a default when its class is
 * fair again: always the same for a thread. Once the same value was seen after two boosts it is
 * taken for the default, and the slack of a thread that had the default is not read any more.
 */
static int slack_restore(struct sched_thread *thread, uint64_t slack_ns)
{
	uint64_t now_ns;
	int r;

	if (thread->slack_given_ns == slack_ns)
		return 0;
	r = slack_get(thread->slack_fd, &now_ns);
	if (r < 0)
		return r;
	if (thread->slack_seen_ns == now_ns)
		thread->slack_given_ns = now_ns;
	thread->slack_seen_ns = now_ns;
	return now_ns == slack_ns ? 0 : slack_set(thread->slack_fd, slack_ns);
}

int sched_restore_class(pid_t tid, const struct sched_state *state)
{
	return class_set(tid, state->policy, state->priority, state->reset_on_fork);
}

int sched_restore(struct sched_thread *thread, const struct sched_state *state)
{
	int r = sched_restore_class(thread->tid, state);

	return r < 0 ? r : slack_restore(thread, state->slack_ns);
}

int sched_finish_restore(struct sched_thread *thread, const struct sched_state *state)
{
	struct sched_state now;
	int r = sched_get(thread, &now);

	if (r < 0)
		return r;
	if (now.policy != state->policy || now.priority != state->priority ||
	    now.reset_on_fork != state->reset_on_fork)
		return 0;
	if (now.slack_ns == state->slack_ns)
		return 1;
	r = slack_set(thread->slack_fd, state->slack_ns);
	return r < 0 ? r : 1;
}

int sched_mend_child(struct sched_thread *child, const struct sched_state *parent)
{
	struct sched_state state;
	int r = sched_get(child, &state);
	/* a flag of its own takes a negative nice value from its children, boosted or not */
	int nice = parent->reset_on_fork && parent->nice < 0 ? 0 : parent->nice;

	if (r < 0)
		return r;
	if (parent->policy == SCHED_IDLE && state.policy == SCHED_OTHER)
		r = class_set(child->tid, SCHED_IDLE, 0, state.reset_on_fork);
	if (r == 0 && nice && state.nice == 0 &&
	    (state.policy == SCHED_OTHER || state.policy == SCHED_BATCH) &&
	    setpriority(PRIO_PROCESS, (id_t)child->tid, nice) < 0)
		r = -errno;
	if (r == 0 && state.slack_ns == 0 && parent->slack_ns)
		r = slack_set(child->slack_fd, parent->slack_ns);
	return r == 0 && !sched_alive(child) ? -ESRCH : r;
}

bool sched_is_fair(const struct sched_standing *standing)
{
	return standing->policy == SCHED_OTHER || standing->policy == SCHED_BATCH;
}

int sched_get_standing(pid_t tid, struct sched_standing *ret)
{
	struct attributes attributes = {0};
	int r = attributes_get(tid, &attributes);

	if (r < 0)
		return r;
	*ret = (struct sched_standing){
	        .policy = attributes.policy,
	        .reset_on_fork = resets_on_fork(&attributes),
	        .util_min = attributes.util_min,
	};
	if (sched_is_fair(ret))
		ret->slice_ns = attributes.runtime;
	return 0;
}

/* Reads those of a fair thread. Returns 0, SCHED_NOT_FAIR, or -errno. */
static int attributes_get_fair(pid_t tid, struct attributes *ret)
{
	int r = attributes_get(tid, ret);

	if (r < 0)
		return r;
	return ret->policy == SCHED_OTHER || ret->policy == SCHED_BATCH ? 0 : SCHED_NOT_FAIR;
}

/*
 * Not with FLAG_KEEP_PARAMS, which keeps the slice, too. So policy and nice value are written as
 * they were read just before.
 */
int sched_give_slice(pid_t tid, uint64_t slice_ns, bool reset_on_fork)
{
	struct attributes attributes = {0};
	int r = attributes_get_fair(tid, &attributes);

	if (r != 0)
		return r;
	attributes.size = sizeof(attributes);
	attributes.flags = reset_on_fork ? FLAG_RESET_ON_FORK : 0;
	attributes.runtime = slice_ns;
	return syscall(SYS_sched_setattr, tid, &attributes, 0) < 0 ? -errno : 0;
}

int sched_set_reset_on_fork(pid_t tid, bool reset_on_fork)
{
	struct attributes attributes = {0};
	int r = attributes_get_fair(tid, &attributes);

	if (r != 0 || resets_on_fork(&attributes) == reset_on_fork)
		return r;
	return class_set(tid, attributes.policy, attributes.priority, reset_on_fork);
}

static int clamp_set(pid_t tid, uint32_t util_min)
{
	struct attributes attributes = {
	        .size = sizeof(attributes),
	        .flags = FLAG_KEEP_POLICY | FLAG_KEEP_PARAMS | FLAG_UTIL_CLAMP_MIN,
	        .util_min = util_min,
	};

	return syscall(SYS_sched_setattr, tid, &attributes, 0) < 0 ? -errno : 0;
}

/*
 * The kernel reads the priority that it is to keep before it takes its locks, and says EINVAL if
 * the class has changed by then: a boost begins or ends.
 */
int sched_give_clamp(pid_t tid, uint32_t util_min)
{
	int r = -EINVAL;

	for (int i = 0; i < CLAMP_TRIES && r == -EINVAL; i++)
		r = clamp_set(tid, util_min);
	return r;
}

/* A value that no kernel takes: where there are clamps, that is what is wrong with it. */
bool sched_has_clamps(void)
{
	return clamp_set(0, SCHED_UTIL_MAX + 1) == -EINVAL;
}

int sched_make_self_fifo(uint32_t priority)
{
	struct sched_boost boost = {.policy = SCHED_FIFO, .priority = priority};

	return sched_give_boost(0, &boost);
}

int sched_get_cpus(pid_t tid, struct cpu_set_bits *ret)
{
	*ret = CPU_SET_BITS_NULL;
	return syscall(SYS_sched_getaffinity, tid, sizeof(ret->words), ret->words) < 0 ? -errno : 0;
}

static int cpus_set(pid_t tid, const struct cpu_set_bits *cpus)
{
	return syscall(SYS_sched_setaffinity, tid, sizeof(cpus->words), cpus->words) < 0 ? -errno
	                                                                                 : 0;
}

/* The kernel ignores CPUs that the thread cannot have, without an error unless these are all. */
int sched_set_cpus(pid_t tid, const struct cpu_set_bits *cpus, struct cpu_set_bits *missing)
{
	struct cpu_set_bits before, had = CPU_SET_BITS_NULL;
	uint64_t lacking = 0;
	int r = sched_get_cpus(tid, &before);

	if (r < 0)
		return r;
	r = cpus_set(tid, cpus);
	if (r == 0)
		r = sched_get_cpus(tid, &had);
	if (r < 0 && r != -EINVAL)
		return r;
	for (size_t i = 0; i < CPU_SET_BITS_WORDS; i++) {
		missing->words[i] = cpus->words[i] & ~had.words[i];
		lacking |= missing->words[i];
	}
	if (!lacking)
		return 0;
	cpus_set(tid, &before);
	return SCHED_CPUS_MISSING;
}

void sched_get_home(const struct cpu_set_bits *cpus, struct cpu_set_bits *ret)
{
	struct cpu_set_bits online;
	char text[1024];
	ssize_t n = procfs_read_file("/sys/devices/system/cpu/online", text, sizeof(text) - 1);

	*ret = *cpus;
	if (n <= 0)
		return;
	text[text[n - 1] == '\n' ? n - 1 : n] = '\0';
	if (cpulist_parse(text, &online) == 0 && cpu_set_bits_subset(&online, cpus))
		memset(ret->words, 0xff, sizeof(ret->words));
}

int sched_go_home(const struct cpu_set_bits *home)
{
	return cpus_set(0, home);
}

int sched_visit_cpu(unsigned int cpu, const struct cpu_set_bits *home)
{
	struct cpu_set_bits there = CPU_SET_BITS_NULL;

	if (cpu >= CPU_SET_BITS_MAX || !cpu_set_bits_has(home, cpu))
		return 0;
	there.words[cpu / 64] = UINT64_C(1) << cpu % 64;
	if (cpus_set(0, &there) < 0)
		return 0;
	return sched_go_home(home) < 0 ? SCHED_AWAY : 0;
}
