/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/fair_order.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"

#define PLACE     "pvschedd-probe"
#define SETTLE_NS (100 * NSEC_PER_MSEC)
#define TRY_NS    (400 * NSEC_PER_MSEC)
/* Between two wake-ups of the pair: much less than a slice. */
#define WORK_NS (5 * NSEC_PER_USEC)
/* The third thread is busy half of the time. */
#define THIRD_NS NSEC_PER_MSEC

/* Parents first. */
static const char *const groups[] = {PLACE,
                                     PLACE "/vm",
                                     PLACE "/vm/vcpu0",
                                     PLACE "/vm/vcpu1",
                                     PLACE "/vm/emulator",
                                     PLACE "/other0",
                                     PLACE "/other1",
                                     PLACE "/other2"};

enum role {
	ROLE_PING,
	ROLE_PONG,
	ROLE_THIRD,
	ROLE_OTHER, /* and those after it */
	_ROLE_MAX = ROLE_OTHER + 2 * (FAIR_ORDER_GROUPS - 1),
};

struct attempt {
	const struct cgroup_cpu *cpu;
	unsigned int cpus[2]; /* where the pair is, and the other one */
	int wake[2];          /* eventfds: of ping and of pong */
	pid_t pids[_ROLE_MAX];
	unsigned int made; /* groups */
};

/* ---- groups ---- */

static int group_path(const struct attempt *a, const char *group, const char *file, char path[512])
{
	int n = snprintf(path, 512, "%s/%s%s%s", a->cpu->mount, group, file ? "/" : "", file ?: "");

	return n < 512 ? 0 : -ENAMETOOLONG;
}

static int write_text(const char *path, const char *text)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static bool has_children(const char *group)
{
	return strcmp(group, PLACE) == 0 || strcmp(group, PLACE "/vm") == 0;
}

/* In the one hierarchy a group's children have weights only if it says so. */
static int enable_below(const struct attempt *a, const char *group)
{
	char path[512];
	int r = group_path(a, group, "cgroup.subtree_control", path);

	if (r == 0)
		r = write_text(path, "+cpu");
	return r;
}

static int group_make(struct attempt *a, const char *group)
{
	char path[512];
	int r = group_path(a, group, NULL, path);

	if (r < 0)
		return r;
	if (mkdir(path, 0755) < 0)
		return errno == EEXIST ? -EBUSY : -errno;
	a->made++;
	if (a->cpu->kind != PROCFS_CGROUP_V2)
		return 0;
	if (group_path(a, group, "cpu.weight", path) == 0 && access(path, F_OK) < 0)
		return -EOPNOTSUPP;
	return has_children(group) ? enable_below(a, group) : 0;
}

/* A task that was killed leaves its group a moment after its parent has been told. */
static void group_remove(const struct attempt *a, const char *group)
{
	char path[512];

	if (group_path(a, group, NULL, path) < 0)
		return;
	for (int i = 0; i < 200 && rmdir(path) < 0 && errno == EBUSY; i++)
		usleep(5000);
}

/* ---- processes ---- */

static void burn(uint64_t for_ns)
{
	uint64_t end_ns = clock_now_ns() + for_ns;

	while (clock_now_ns() < end_ns)
		;
}

static void pass_on(int mine, int other, bool first)
{
	uint64_t one = 1, got;

	for (;; first = false) {
		if (!first && read(mine, &got, sizeof(got)) < 0)
			return;
		burn(WORK_NS);
		if (write(other, &one, sizeof(one)) < 0)
			return;
	}
}

static void half_busy(void)
{
	for (;;) {
		burn(THIRD_NS);
		usleep(THIRD_NS / NSEC_PER_USEC);
	}
}

static const char *group_of(unsigned int role)
{
	static const char *const of[] = {
	        [ROLE_PING] = PLACE "/vm/vcpu0",
	        [ROLE_PONG] = PLACE "/vm/emulator",
	        [ROLE_THIRD] = PLACE "/vm/vcpu1",
	};
	static const char *const others[] = {PLACE "/other0", PLACE "/other1", PLACE "/other2"};

	return role < ROLE_OTHER ? of[role] : others[(role - ROLE_OTHER) / 2];
}

/* The others are on both CPUs, so that the kernel has no reason to move the pair's share. */
static unsigned int cpu_of(const struct attempt *a, unsigned int role)
{
	if (role == ROLE_PING || role == ROLE_PONG)
		return a->cpus[0];
	return role == ROLE_THIRD ? a->cpus[1] : a->cpus[(role - ROLE_OTHER) % 2];
}

static int settle_in(const struct attempt *a, unsigned int role)
{
	unsigned int cpu = cpu_of(a, role);
	cpu_set_t *cpus = CPU_ALLOC(cpu + 1);
	size_t size = CPU_ALLOC_SIZE(cpu + 1);
	char path[512];
	int r;

	if (!cpus)
		return -ENOMEM;
	CPU_ZERO_S(size, cpus);
	CPU_SET_S(cpu, size, cpus);
	r = sched_setaffinity(0, size, cpus) < 0 ? -errno : 0;
	CPU_FREE(cpus);
	if (r == 0)
		r = group_path(a, group_of(role), "cgroup.procs", path);
	return r < 0 ? r : write_text(path, "0");
}

static void __attribute__((noreturn)) play(const struct attempt *a, unsigned int role)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == 1 || settle_in(a, role) < 0)
		_exit(1);
	if (role == ROLE_PING)
		pass_on(a->wake[0], a->wake[1], true);
	else if (role == ROLE_PONG)
		pass_on(a->wake[1], a->wake[0], false);
	else if (role == ROLE_THIRD)
		half_busy();
	else
		burn(UINT64_MAX / 4);
	_exit(1);
}

static int processes_start(struct attempt *a)
{
	for (unsigned int role = 0; role < _ROLE_MAX; role++) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (pid == 0)
			play(a, role);
		a->pids[role] = pid;
	}
	return 0;
}

static void processes_end(struct attempt *a)
{
	for (unsigned int role = 0; role < _ROLE_MAX; role++)
		if (a->pids[role] > 0)
			kill(a->pids[role], SIGKILL);
	for (unsigned int role = 0; role < _ROLE_MAX; role++)
		if (a->pids[role] > 0)
			waitpid(a->pids[role], NULL, 0);
}

/* ---- the attempt ---- */

static int used_ns(pid_t pid, uint64_t *ret)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
		return -ESRCH;
	*ret += (uint64_t)used.tv_sec * NSEC_PER_SEC + (uint64_t)used.tv_nsec;
	return 0;
}

static int pair_used_ns(const struct attempt *a, uint64_t *at_ns, uint64_t *ret)
{
	int r;

	*ret = 0;
	*at_ns = clock_now_ns();
	r = used_ns(a->pids[ROLE_PING], ret);
	return r < 0 ? r : used_ns(a->pids[ROLE_PONG], ret);
}

/* One that could not settle in has ended. */
static int all_alive(const struct attempt *a)
{
	for (unsigned int role = 0; role < _ROLE_MAX; role++)
		if (waitpid(a->pids[role], NULL, WNOHANG) != 0)
			return -EIO;
	return 0;
}

static int measure(const struct attempt *a, struct fair_order *ret)
{
	uint64_t begin_ns, end_ns, before_ns, after_ns;
	int r;

	usleep(SETTLE_NS / NSEC_PER_USEC);
	r = pair_used_ns(a, &begin_ns, &before_ns);
	if (r < 0)
		return r;
	usleep(TRY_NS / NSEC_PER_USEC);
	r = pair_used_ns(a, &end_ns, &after_ns);
	if (r == 0)
		r = all_alive(a);
	if (r < 0)
		return r;
	ret->permille = (unsigned int)((after_ns - before_ns) * 1000 / (end_ns - begin_ns));
	ret->kept = ret->permille <= 2 * 1000 / FAIR_ORDER_GROUPS;
	return 0;
}

/* The two highest: the lowest ones have most interrupts. */
static int choose_cpus(struct attempt *a)
{
	static cpu_set_t cpus[16]; /* 16,384 CPUs */
	unsigned int n = 0;

	if (sched_getaffinity(0, sizeof(cpus), cpus) < 0)
		return -errno;
	for (unsigned int cpu = 8 * sizeof(cpus); cpu-- > 0 && n < 2;)
		if (CPU_ISSET_S(cpu, sizeof(cpus), cpus))
			a->cpus[n++] = cpu;
	return n < 2 ? -EOPNOTSUPP : 0;
}

/* Of an attempt that was killed; groups of one that goes on are not empty, and stay. */
static void clear_away(const struct attempt *a)
{
	char path[512];

	for (size_t i = ARRAY_SIZE(groups); i-- > 0;)
		if (group_path(a, groups[i], NULL, path) == 0)
			rmdir(path);
}

static int try_it(struct attempt *a, struct fair_order *ret)
{
	int r = choose_cpus(a);

	clear_away(a);
	for (size_t i = 0; i < ARRAY_SIZE(groups) && r == 0; i++)
		r = group_make(a, groups[i]);
	if (r == 0)
		r = processes_start(a);
	if (r == 0)
		r = measure(a, ret);
	processes_end(a);
	while (a->made > 0)
		group_remove(a, groups[--a->made]);
	return r;
}

int fair_order_try(const struct cgroup_cpu *cpu, struct fair_order *ret)
{
	struct attempt a = {.cpu = cpu, .wake = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC)}};
	sigset_t ends, before;
	int r;

	/* it ends soon by itself, and takes its groups with it */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, &before);
	r = a.wake[0] < 0 || a.wake[1] < 0 ? -errno : try_it(&a, ret);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close_fd(a.wake[0]);
	close_fd(a.wake[1]);
	return r;
}
