// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A QEMU that is hostile, in the eyes of pvschedd's procfs source: its vCPU thread sleeps and
 * wakes, and each time it finds itself with a real-time class it changes what OWNER_WAY says. It
 * prints the outcome, if it is not the last one. With OWNER_SPIN_US it works for so long then. It
 * sleeps for OWNER_SLEEP_US, or 2 ms. With OWNER_IO it then has an iothread work for so many us,
 * and waits for that; the iothread does the same with OWNER_IO_WAY. With OWNER_NAMES it has so many
 * more threads that have the names of vCPUs, and sleep. With OWNER_SANDBOX it may do no more than
 * QEMU under libvirt: -sandbox on,spawn=deny,resourcecontrol=deny.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FLAG_RESET_ON_FORK 0x01
#define CHILDREN_MAX       8

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

static int give(struct attributes attributes)
{
	attributes.size = sizeof(attributes);
	return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

static int lower_priority(void)
{
	return give((struct attributes){
	        .policy = SCHED_FIFO, .priority = 1, .flags = FLAG_RESET_ON_FORK});
}

static int raise_priority(void)
{
	return give((struct attributes){
	        .policy = SCHED_FIFO, .priority = 9, .flags = FLAG_RESET_ON_FORK});
}

static int clear_flag(void)
{
	return give((struct attributes){.policy = SCHED_FIFO, .priority = 1});
}

static int round_robin(void)
{
	return give((struct attributes){
	        .policy = SCHED_RR, .priority = 1, .flags = FLAG_RESET_ON_FORK});
}

/* Less than that takes a privilege. */
static int nice_now(void)
{
	return getpriority(PRIO_PROCESS, 0);
}

static int to_other(void)
{
	return give((struct attributes){
	        .policy = SCHED_OTHER, .nice = nice_now(), .flags = FLAG_RESET_ON_FORK});
}

static int to_idle(void)
{
	return give((struct attributes){.policy = SCHED_IDLE, .flags = FLAG_RESET_ON_FORK});
}

static int lower_nice(void)
{
	return give((struct attributes){
	        .policy = SCHED_OTHER, .nice = -5, .flags = FLAG_RESET_ON_FORK});
}

static int take_slice(void)
{
	return give((struct attributes){.policy = SCHED_OTHER,
	                                .nice = nice_now(),
	                                .runtime = 100000,
	                                .flags = FLAG_RESET_ON_FORK});
}

static int set_slack(void)
{
	return prctl(PR_SET_TIMERSLACK, 1);
}

static int set_affinity(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* Into the group of its choice: the file of threads of the root group. */
static int move_group(void)
{
	const char *file = getenv("OWNER_GROUP");
	int fd = file ? open(file, O_WRONLY) : -1;
	int r = fd < 0 ? -1 : (int)write(fd, "0", 1);

	if (fd >= 0)
		close(fd);
	return r < 0 ? -1 : 0;
}

static int execute(void)
{
	return execl("/bin/sleep", "sleep", "600", NULL);
}

/* Out of SCHED_IDLE, where that takes no privilege, and away from its TID. */
static int other_then_execute(void)
{
	int r = to_other();

	return r < 0 ? r : execute();
}

static pid_t io_tid;

/* Once its iothread has a real-time class, too. */
static int leave_with_helper(void);

static int leave(void)
{
	puts("exit: done");
	pthread_exit(NULL);
}

static int leave_with_helper(void)
{
	if (!io_tid || (sched_getscheduler(io_tid) & ~SCHED_RESET_ON_FORK) != SCHED_FIFO)
		return 0;
	return leave();
}

static void *child(void *unused)
{
	prctl(PR_SET_NAME, "child");
	for (;;)
		pause();
	return unused;
}

static int make_child(void)
{
	static int children;
	pthread_t thread;
	int r;

	if (children == CHILDREN_MAX)
		return 0;
	r = pthread_create(&thread, NULL, child, NULL);
	if (r != 0) {
		errno = r;
		return -1;
	}
	children++;
	return 0;
}

static long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void *nothing(void *unused)
{
	return unused;
}

/* As many threads as it can for half a millisecond: its tokens last as long. */
static int make_many(void)
{
	long end = now_us() + 500;
	pthread_t thread;
	int r = 0;

	while (r == 0 && now_us() < end) {
		r = pthread_create(&thread, NULL, nothing, NULL);
		if (r == 0)
			pthread_join(thread, NULL);
	}
	errno = r;
	return r ? -1 : 0;
}

/* Names itself again and again: each time an event of the kernel's proc connector. */
static void *renames(void *unused)
{
	for (;;) {
		prctl(PR_SET_NAME, "CPU 7/TCG");
		prctl(PR_SET_NAME, "CPU 8/TCG");
	}
	return unused;
}

static const struct {
	const char *name;
	int (*change)(void);
} ways[] = {
        {"lower-priority", lower_priority},
        {"raise-priority", raise_priority},
        {"clear-flag", clear_flag},
        {"round-robin", round_robin},
        {"other", to_other},
        {"idle", to_idle},
        {"lower-nice", lower_nice},
        {"slice", take_slice},
        {"slack", set_slack},
        {"affinity", set_affinity},
        {"group", move_group},
        {"exec", execute},
        {"exit", leave},
        {"exit-with-helper", leave_with_helper},
        {"other-exec", other_then_execute},
        {"children", make_child},
        {"forks", make_many},
};

static int change(const char *way)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].name, way) == 0)
			return ways[i].change();
	return 0; /* nothing */
}

static long number(const char *variable, long otherwise)
{
	const char *text = getenv(variable);

	return text ? atol(text) : otherwise;
}

static void work(long us)
{
	for (long end = now_us() + us; us && now_us() < end;)
		;
}

/* Changes what the way says, once it finds itself with a real-time class. */
static bool act(const char *way, int *last)
{
	if ((sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) != SCHED_FIFO)
		return false;
	errno = 0;
	change(way);
	if (errno != *last)
		printf("%s: %s\n", way, errno ? strerror(errno) : "done");
	*last = errno;
	return true;
}

static int asks[2], answers[2];

static void *iothread(void *unused)
{
	const char *way = getenv("OWNER_IO_WAY");
	long work_us = number("OWNER_IO", 0);
	int last = -1;
	char byte;

	prctl(PR_SET_NAME, "IO owner");
	io_tid = (pid_t)syscall(SYS_gettid);
	while (read(asks[0], &byte, 1) == 1) {
		if (way)
			act(way, &last);
		work(work_us);
		if (write(answers[1], &byte, 1) != 1)
			break;
	}
	return unused;
}

static bool do_io(void)
{
	char byte = 0;

	return write(asks[1], &byte, 1) == 1 && read(answers[0], &byte, 1) == 1;
}

static void *vcpu(void *unused)
{
	const struct timespec sleep = {.tv_nsec = 1000 * number("OWNER_SLEEP_US", 2000)};
	const char *way = getenv("OWNER_WAY");
	long spin_us = number("OWNER_SPIN_US", 0);
	bool has_io = getenv("OWNER_IO");
	int last = -1;

	prctl(PR_SET_NAME, "CPU 0/TCG");
	for (;;) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &sleep, NULL);
		if (has_io && !do_io())
			break;
		if (act(way, &last))
			work(spin_us);
	}
	return unused;
}

static void *named(void *index)
{
	char name[16];

	snprintf(name, sizeof(name), "CPU %u/TCG", (unsigned int)(uintptr_t)index);
	prctl(PR_SET_NAME, name);
	for (;;)
		pause();
	return index;
}

static bool make_names(unsigned int n)
{
	pthread_attr_t small;
	pthread_t thread;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (unsigned int i = 1; i <= n; i++)
		if (pthread_create(&thread, &small, named, (void *)(uintptr_t)i) != 0)
			return false;
	return true;
}

/* Each of them is EPERM; else, the program is to go on and try. */
static void confine(void)
{
	static const int denied[] = {
#ifdef SYS_fork
	        SYS_fork,
#endif
#ifdef SYS_vfork
	        SYS_vfork,
#endif
	        SYS_execve,
	        SYS_setpriority,
	        SYS_sched_setparam,
	        SYS_sched_setscheduler,
	        SYS_sched_setaffinity,
	};
	struct sock_filter code[2 * sizeof(denied) / sizeof(denied[0]) + 2];
	struct sock_fprog program = {.filter = code};

	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	                                                   offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		code[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		                                                   (uint32_t)denied[i], 0, 1);
		code[program.len++] =
		        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	}
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("seccomp");
		exit(EXIT_FAILURE);
	}
}

int main(void)
{
	const char *names = getenv("OWNER_NAMES"), *way = getenv("OWNER_WAY");
	pthread_t thread;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!way)
		return EXIT_FAILURE;
	if (getenv("OWNER_IO") &&
	    (pipe(asks) || pipe(answers) || pthread_create(&thread, NULL, iothread, NULL) != 0))
		return EXIT_FAILURE;
	if (getenv("OWNER_SANDBOX"))
		confine();
	if (strcmp(way, "renames") == 0 && pthread_create(&thread, NULL, renames, NULL) != 0)
		return EXIT_FAILURE;
	if (pthread_create(&thread, NULL, vcpu, NULL) != 0 ||
	    (names && !make_names((unsigned int)atoi(names))))
		return EXIT_FAILURE;
	for (;;)
		pause();
}
