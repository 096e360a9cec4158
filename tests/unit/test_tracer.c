// SPDX-License-Identifier: GPL-2.0-or-later
/* What the tracer says of epochs of TIDs, in a running kernel; skipped where it cannot be loaded.
 */
#include "trace/tracer.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/procfs.h"

#include "test.h"

/* A process of two threads, of which the second one is the vCPU; each does once what it is told. */
struct scene {
	struct tracer *tracer;
	struct pvs_vcpu_account *vcpu;
	struct pvs_domain_account *domain;
	pid_t pid, tid;
	/* to them: x: it ends; e: exec; f: it makes a thread; s: it sleeps many times; w: nothing
	 */
	int main_fd, thread_fd;
	struct pvs_event wanted; /* type: which event is waited for; the rest: as it came */
	bool came;
};

static void *sleep_on(void *userdata)
{
	for (;;)
		pause();
	return userdata;
}

#define SLEEPS 20000 /* more than the ring has room for */

static void sleep_often(void)
{
	struct timespec shortest = {.tv_nsec = 1000};

	for (int i = 0; i < SLEEPS; i++)
		nanosleep(&shortest, NULL);
}

static void obey(int fd)
{
	char command = 0;
	pthread_t thread;

	while (read(fd, &command, 1) == 1 && strchr("fsw", command)) {
		if (command == 'f')
			pthread_create(&thread, NULL, sleep_on, NULL);
		if (command == 's')
			sleep_often();
	}
	if (command == 'e')
		execl("/bin/sleep", "sleep", "600", NULL);
	syscall(SYS_exit, 0); /* this thread alone */
}

struct child {
	int main_fds[2], thread_fds[2], answer_fds[2];
};

static void *thread_main(void *userdata)
{
	const struct child *child = userdata;
	pid_t tid = gettid();

	if (write(child->answer_fds[1], &tid, sizeof(tid)) == sizeof(tid))
		obey(child->thread_fds[0]);
	return NULL;
}

static void process_begin(struct scene *scene)
{
	struct child child;
	pthread_t thread;

	CHECK(pipe(child.main_fds) == 0 && pipe(child.thread_fds) == 0 &&
	      pipe(child.answer_fds) == 0);
	scene->pid = fork();
	CHECK(scene->pid >= 0);
	if (scene->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&thread, NULL, thread_main, &child))
			_exit(1);
		obey(child.main_fds[0]);
	}
	CHECK(read(child.answer_fds[0], &scene->tid, sizeof(scene->tid)) == sizeof(scene->tid));
	scene->main_fd = child.main_fds[1];
	scene->thread_fd = child.thread_fds[1];
	close(child.main_fds[0]);
	close(child.thread_fds[0]);
	close(child.answer_fds[0]);
	close(child.answer_fds[1]);
}

static void end(struct scene *scene)
{
	kill(scene->pid, SIGKILL);
	waitpid(scene->pid, NULL, 0);
	close(scene->main_fd);
	close(scene->thread_fd);
	tracer_free(scene->tracer);
}

/* False: no tracer here. */
static bool begin(struct scene *scene)
{
	const struct pvs_bucket_rule rule = {.burst_ns = NSEC_PER_MSEC, .share_permille = 300};
	char why[512];

	*scene = (struct scene){0};
	if (tracer_new(&scene->tracer, &rule, why, sizeof(why)) < 0)
		return false;
	process_begin(scene);
	scene->vcpu = &tracer_vcpus(scene->tracer)[0];
	scene->domain = &tracer_domains(scene->tracer)[0];
	scene->vcpu->tid = (uint32_t)scene->tid;
	CHECK_INT(tracer_register(scene->tracer, 0, scene->tid), 0);
	CHECK_INT(tracer_register_helper(scene->tracer, 0, scene->pid), 0);
	return true;
}

static uint32_t epoch(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool is_joined(const struct scene *scene)
{
	uint32_t joined = epoch(&scene->vcpu->epoch);

	return joined != PVS_EPOCH_UNKNOWN && joined != PVS_EPOCH_OVER &&
	       joined == epoch(&scene->domain->leader_epoch);
}

static bool begin_joined(struct scene *scene)
{
	if (!begin(scene))
		return false;
	tracer_set_leader(scene->tracer, 0);
	tracer_join_epoch(scene->tracer, 0);
	CHECK(is_joined(scene));
	return true;
}

#define BEGIN(begins)                                                                              \
	if (!begins(&scene))                                                                       \
	TEST_SKIP("no tracer can be had here")

static void on_event(void *userdata, const struct pvs_event *event)
{
	struct scene *scene = userdata;

	if (event->slot != 0 || event->type != scene->wanted.type)
		return;
	scene->wanted = *event;
	scene->came = true;
}

static void wait_event(struct scene *scene, enum pvs_event_type type)
{
	struct pollfd fd = {.fd = tracer_events_fd(scene->tracer), .events = POLLIN};

	scene->wanted.type = type;
	while (!scene->came) {
		CHECK(poll(&fd, 1, 10000) == 1);
		tracer_drain(scene->tracer, on_event, scene);
	}
}

/* No vCPU before its process's leader, whose exit may be missed otherwise. */
static void test_the_leader_comes_first(void)
{
	struct scene scene;

	BEGIN(begin);
	tracer_join_epoch(scene.tracer, 0);
	CHECK_U64(epoch(&scene.vcpu->epoch), PVS_EPOCH_UNKNOWN);
	tracer_set_leader(scene.tracer, 0);
	CHECK_U64(epoch(&scene.vcpu->epoch), PVS_EPOCH_UNKNOWN);
	tracer_join_epoch(scene.tracer, 0);
	CHECK(is_joined(&scene));
	end(&scene);
}

/* A leader that is tracked anew has a new epoch, which its vCPUs have not joined. */
static void test_tracked_anew(void)
{
	struct scene scene;
	uint32_t before;

	BEGIN(begin_joined);
	before = epoch(&scene.vcpu->epoch);
	tracer_unregister_helper(scene.tracer, 0);
	CHECK_U64(epoch(&scene.domain->leader_epoch), PVS_EPOCH_UNKNOWN);
	CHECK_INT(tracer_register_helper(scene.tracer, 0, scene.pid), 0);
	tracer_set_leader(scene.tracer, 0);
	CHECK(!is_joined(&scene));
	tracer_join_epoch(scene.tracer, 0);
	CHECK(is_joined(&scene));
	CHECK(epoch(&scene.vcpu->epoch) != before);
	tracer_unregister(scene.tracer, 0, scene.tid);
	CHECK_U64(epoch(&scene.vcpu->epoch), PVS_EPOCH_UNKNOWN);
	end(&scene);
}

/* The word is there before the event, and is final. */
static void test_exit(void)
{
	struct scene scene;

	BEGIN(begin_joined);
	CHECK(write(scene.thread_fd, "x", 1) == 1);
	wait_event(&scene, PVS_EVENT_EXIT);
	CHECK_U64(epoch(&scene.vcpu->epoch), PVS_EPOCH_OVER);
	tracer_join_epoch(scene.tracer, 0);
	CHECK_U64(epoch(&scene.vcpu->epoch), PVS_EPOCH_OVER);
	end(&scene);
}

static void leader_exits(struct scene *scene)
{
	struct procfs_stat stat = {0};

	CHECK(write(scene->main_fd, "x", 1) == 1);
	while (stat.state != 'Z')
		CHECK_INT(procfs_stat(0, scene->pid, &stat), 0);
}

static void test_exit_of_the_leader(void)
{
	struct scene scene;

	BEGIN(begin_joined);
	leader_exits(&scene);
	CHECK_U64(epoch(&scene.domain->leader_epoch), PVS_EPOCH_OVER);
	CHECK(!is_joined(&scene));
	end(&scene);
}

/* It is still there, for its parent, and its exit will never be seen. */
static void test_exit_was_before(void)
{
	struct scene scene;

	BEGIN(begin);
	tracer_unregister_helper(scene.tracer, 0);
	leader_exits(&scene);
	CHECK_INT(tracer_register_helper(scene.tracer, 0, scene.pid), 0);
	tracer_set_leader(scene.tracer, 0);
	CHECK_U64(epoch(&scene.domain->leader_epoch), PVS_EPOCH_UNKNOWN);
	tracer_join_epoch(scene.tracer, 0);
	CHECK_U64(epoch(&scene.vcpu->epoch), PVS_EPOCH_UNKNOWN);
	end(&scene);
}

/* Its TID is free without its exit, and it has the leader's. */
static void test_exec(void)
{
	struct scene scene;

	BEGIN(begin_joined);
	CHECK(write(scene.thread_fd, "e", 1) == 1);
	wait_event(&scene, PVS_EVENT_EXEC);
	CHECK_INT((pid_t)scene.wanted.arg, scene.pid);
	CHECK_U64(epoch(&scene.domain->leader_epoch), PVS_EPOCH_OVER);
	CHECK_U64(epoch(&scene.vcpu->epoch), PVS_EPOCH_OVER);
	end(&scene);
}

/* Its slice is not its own, then is, then is not. */
static void test_levers(void)
{
	struct attributes {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attributes = {.size = sizeof(attributes), .runtime = 3 * NSEC_PER_MSEC};
	struct pvs_levers levers = {0};
	struct scene scene;
	bool shows_slices;

	BEGIN(begin);
	CHECK_INT(tracer_read_levers(scene.tracer, scene.tid, &levers), 0);
	CHECK_INT(levers.tid, scene.tid);
	CHECK_INT(levers.own, 0);
	CHECK_INT(tracer_read_levers(scene.tracer, 0x7ffffff, &levers), -ESRCH);
	/* a kernel that shows a fair thread's slice has them */
	CHECK_INT(syscall(SYS_sched_setattr, scene.tid, &attributes, 0), 0);
	CHECK_INT(syscall(SYS_sched_getattr, scene.tid, &attributes, sizeof(attributes), 0), 0);
	shows_slices = attributes.runtime != 0;
	CHECK_INT(tracer_read_levers(scene.tracer, scene.tid, &levers), 0);
	printf("# has 0x%x, own 0x%x\n", levers.has, levers.own);
	CHECK(!(levers.has & PVS_LEVER_SLICE) == !shows_slices);
	CHECK_INT(levers.own, shows_slices ? PVS_LEVER_SLICE : 0);
	CHECK_INT(tracer_read_levers(scene.tracer, scene.pid, &levers), 0);
	CHECK_INT(levers.own, 0);
	attributes.runtime = 0;
	CHECK_INT(syscall(SYS_sched_setattr, scene.tid, &attributes, 0), 0);
	CHECK_INT(tracer_read_levers(scene.tracer, scene.tid, &levers), 0);
	CHECK_INT(levers.own, 0);
	end(&scene);
}

/* Counts the threads of a process; *newest is the one with the greatest TID. */
static unsigned int count_threads(pid_t pid, pid_t *newest)
{
	struct dirent *entry;
	unsigned int n = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	CHECK(dir);
	*newest = 0;
	while ((entry = readdir(dir))) {
		n += entry->d_name[0] != '.';
		*newest = MAX(*newest, (pid_t)atoi(entry->d_name));
	}
	closedir(dir);
	return n;
}

/* A thread that lacks what its maker has, as by SCHED_RESET_ON_FORK: told, whatever the account
 * says.
 */
static void test_fork(void)
{
	const struct sched_param none = {0};
	pid_t first = 0, newest = 0;
	struct scene scene;

	BEGIN(begin);
	if (setpriority(PRIO_PROCESS, (id_t)scene.tid, -5) < 0) {
		end(&scene);
		TEST_SKIP("no negative nice value here");
	}
	CHECK(write(scene.thread_fd, "f", 1) == 1); /* not told: the flag is not set */
	while (count_threads(scene.pid, &first) < 3)
		usleep(1000);
	CHECK_INT(sched_setscheduler(scene.tid, SCHED_OTHER | SCHED_RESET_ON_FORK, &none), 0);
	CHECK(write(scene.thread_fd, "f", 1) == 1);
	wait_event(&scene, PVS_EVENT_FORK);
	CHECK((pid_t)scene.wanted.arg != first);
	CHECK_INT(count_threads(scene.pid, &newest), 4);
	end(&scene);
}

/* Wakes the vCPU on that CPU, and waits until it was switched in there. */
static void wake_on(struct scene *scene, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_INT(sched_setaffinity(scene->tid, sizeof(set), &set), 0);
	CHECK(write(scene->thread_fd, "w", 1) == 1);
	while (__atomic_load_n(&scene->vcpu->cpu, __ATOMIC_ACQUIRE) != cpu)
		sched_yield();
}

/* Waits until it sleeps: else it might always find more to read. */
static void wake_once(const struct scene *scene)
{
	uint64_t halts = __atomic_load_n(&scene->vcpu->halts, __ATOMIC_ACQUIRE);
	CHECK(write(scene->thread_fd, "w", 1) == 1);
	while (__atomic_load_n(&scene->vcpu->halts, __ATOMIC_ACQUIRE) == halts)
		sched_yield();
}

/* The tracer marks the counters when a vCPU is switched in. */
static void test_marks(void)
{
	struct pvs_windows windows;
	const struct pvs_mark *mark = &windows.windows[0].marks[1];
	struct scene scene;

	BEGIN(begin);
	CHECK_INT(tracer_read_windows(scene.tracer, 1, &windows), -ENOENT);
	do {
		wake_once(&scene);
		CHECK_INT(tracer_read_windows(scene.tracer, 0, &windows), 0);
	} while (!mark->until_ns);
	CHECK_LE(mark->from_ns, mark->until_ns);
	CHECK_U64(scene.vcpu->mark_due_ns, mark->until_ns + pvs_window_part_ns(0));
	end(&scene);
}

/* Waits until the bit of slot 0 is set, and clears it. */
static void take_move(struct scene *scene)
{
	__u64 *word = &tracer_moved(scene->tracer)->words[0];

	while (__atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST) != 1)
		sched_yield();
}

/* The tracer notes when a boosted vCPU is switched in on another CPU; only then. */
static void test_moves(void)
{
	unsigned int cpus[2], n = 0;
	struct scene scene;
	cpu_set_t all;

	CHECK_INT(sched_getaffinity(0, sizeof(all), &all), 0);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &all))
			cpus[n++] = cpu;
	if (n < 2)
		TEST_SKIP("there is one CPU only");
	BEGIN(begin);
	scene.vcpu->rule = (struct pvs_bucket_rule){NSEC_PER_SEC, 1000, 0};
	scene.domain->rule = scene.vcpu->rule;
	wake_on(&scene, cpus[0]);
	wake_on(&scene, cpus[1]);
	CHECK_U64(tracer_moved(scene.tracer)->words[0], 0); /* it is not boosted */
	scene.vcpu->boosted_at_ns = UINT64_MAX / 2;         /* no matter which class it has */
	__atomic_store_n(&scene.vcpu->flags, PVS_FLAG_BOOSTED, __ATOMIC_RELEASE);
	for (int i = 0; i < 20; i++) {
		wake_on(&scene, cpus[i % 2]);
		take_move(&scene);
	}
	__atomic_store_n(&scene.vcpu->flags, 0, __ATOMIC_RELEASE);
	end(&scene);
}

/* Its state is S before it is switched out. */
static void wait_asleep(const struct scene *scene)
{
	struct procfs_stat stat = {0};

	while (stat.state != 'S')
		CHECK_INT(procfs_stat(scene->pid, scene->tid, &stat), 0);
	usleep(10000);
}

static void count_halted(void *userdata, const struct pvs_event *event)
{
	*(uint64_t *)userdata += event->slot == 0 && event->type == PVS_EVENT_HALTED;
}

static uint64_t drain_halted(struct scene *scene)
{
	uint64_t n = 0;

	while (tracer_drain(scene->tracer, count_halted, &n) == TRACER_MORE)
		;
	return n;
}

/* The daemon stands still: of what the vCPU did, each event was kept or is counted as lost. */
static void test_ring_is_full(void)
{
	uint64_t before, halts, seen, lost;
	struct scene scene;
	pid_t newest;

	BEGIN(begin);
	wait_asleep(&scene);
	drain_halted(&scene);
	before = scene.vcpu->halts;
	__atomic_store_n(&scene.vcpu->flags, PVS_FLAG_REPORT_HALTED, __ATOMIC_RELEASE);
	CHECK(write(scene.thread_fd, "sf", 2) == 2);
	while (count_threads(scene.pid, &newest) < 3)
		usleep(1000);
	wait_asleep(&scene);
	halts = scene.vcpu->halts - before;
	lost = *tracer_events_lost(scene.tracer);
	seen = drain_halted(&scene);
	printf("# %" PRIu64 " halts, %" PRIu64 " events, %" PRIu64 " lost\n", halts, seen, lost);
	CHECK_GE(lost, 1);
	CHECK_U64(seen + lost, halts);
	CHECK_U64(scene.vcpu->events_lost, lost);
	/* there is room again */
	wake_once(&scene);
	wait_asleep(&scene);
	CHECK_U64(drain_halted(&scene), 1);
	CHECK_U64(*tracer_events_lost(scene.tracer), lost);
	end(&scene);
}

TEST_MAIN({"the_leader_comes_first", test_the_leader_comes_first},
          {"tracked_anew", test_tracked_anew}, {"exit", test_exit},
          {"exit_of_the_leader", test_exit_of_the_leader},
          {"exit_was_before", test_exit_was_before}, {"exec", test_exec}, TEST(test_levers),
          TEST(test_fork), TEST(test_marks), TEST(test_moves), TEST(test_ring_is_full))
