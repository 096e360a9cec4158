// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sheet of a CPU in a running kernel: real-time threads of a child run there, and the tracer
 * counts. Skipped where it cannot be loaded, or no thread may be real-time.
 */
#include "core/run.h"
#include "trace/tracer.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

#include "test.h"

#define MS NSEC_PER_MSEC

/* What else is real-time here, and the reaction of a timer: a stated bound, with a margin. */
#define OTHERS_NS (20 * MS)

/* This many ms are: until the next byte comes, or for SPIN_AT_MOST_MS. */
#define SPIN_ON         0
#define SPIN_AT_MOST_MS 900

/* A child on the last CPU, and we on the others. It spins for so many ms as it is told, then
 * answers. */
struct scene {
	struct tracer *tracer;
	struct pvs_vcpu_account *vcpu;
	struct pvs_cpu_account *cpu;
	pid_t pid;
	cpu_set_t before; /* our affinity */
	int to_fd, from_fd;
	struct pvs_event exhausted;
	bool came;
};

/* For so much CPU time, or until @until_fd, if it is not negative, has something to read. */
static void spin(uint64_t ns, int until_fd)
{
	struct pollfd until_ready = {.fd = until_fd, .events = POLLIN};
	struct timespec now;
	uint64_t until = 0, used;

	do {
		if (until_fd >= 0 && poll(&until_ready, 1, 0) == 1)
			break;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
		used = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
		until = until ? until : used + ns;
	} while (used < until);
}

static void serve(int in_fd, int out_fd)
{
	unsigned char ms;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(in_fd, &ms, 1) == 1) {
		if (ms == SPIN_ON) {
			spin(SPIN_AT_MOST_MS * MS, in_fd);
			if (read(in_fd, &ms, 1) != 1)
				break;
		} else {
			spin(ms * MS, -1);
		}
		if (write(out_fd, &ms, 1) != 1)
			break;
	}
	_exit(0);
}

/* The last CPU that we may run on is the child's, and the others are ours: we could wait for it. */
static int take_last_cpu(cpu_set_t *last, cpu_set_t *others)
{
	int cpu = CPU_SETSIZE - 1;

	CHECK_INT(sched_getaffinity(0, sizeof(*others), others), 0);
	if (CPU_COUNT(others) < 2)
		return -1;
	while (!CPU_ISSET(cpu, others))
		cpu--;
	CPU_ZERO(last);
	CPU_SET(cpu, last);
	CPU_CLR(cpu, others);
	return cpu;
}

/* It has left its CPU: what it ran is charged, and it has the class that it was given. */
static void wait_asleep(const struct scene *scene)
{
	char path[64], text[256], *state = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", scene->pid);
	do {
		usleep(1000);
		file = fopen(path, "r");
		CHECK(file && fgets(text, sizeof(text), file));
		fclose(file);
		state = strrchr(text, ')');
	} while (!state || state[2] != 'S');
	usleep(1000); /* the state is set before it is switched out */
}

static void end(struct scene *scene)
{
	kill(scene->pid, SIGKILL);
	waitpid(scene->pid, NULL, 0);
	close(scene->to_fd);
	close(scene->from_fd);
	tracer_free(scene->tracer);
	CHECK_INT(sched_setaffinity(0, sizeof(scene->before), &scene->before), 0);
}

static bool set_class(const struct scene *scene, int policy)
{
	struct sched_param param = {.sched_priority = policy == SCHED_FIFO};

	return sched_setscheduler(scene->pid, policy, &param) == 0;
}

/* NULL, or why there is none. The buckets of the CPU bound nothing. */
static const char *begin(struct scene *scene)
{
	const struct pvs_bucket_rule rule = {.burst_ns = 10 * NSEC_PER_SEC, .share_permille = 1000};
	cpu_set_t last, others;
	int to[2], from[2], cpu = take_last_cpu(&last, &others);
	char why[512];

	*scene = (struct scene){0};
	CHECK_INT(sched_getaffinity(0, sizeof(scene->before), &scene->before), 0);
	setpriority(PRIO_PROCESS, 0, -20); /* to look in time, where that is allowed */
	if (cpu < 0)
		return "there is only one CPU";
	if (tracer_new(&scene->tracer, &rule, why, sizeof(why)) < 0)
		return "no tracer can be had here";
	CHECK(pipe(to) == 0 && pipe(from) == 0);
	scene->pid = fork();
	CHECK(scene->pid >= 0);
	if (scene->pid == 0) {
		close(to[1]);
		serve(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	scene->to_fd = to[1];
	scene->from_fd = from[0];
	CHECK_INT(sched_setaffinity(scene->pid, sizeof(last), &last), 0);
	CHECK_INT(sched_setaffinity(0, sizeof(others), &others), 0);
	wait_asleep(scene);
	scene->vcpu = &tracer_vcpus(scene->tracer)[0];
	scene->cpu = &tracer_cpus(scene->tracer)[cpu];
	if (set_class(scene, SCHED_FIFO))
		return NULL;
	end(scene);
	return "no thread may be real-time here";
}

static void answer(const struct scene *scene)
{
	struct pollfd from = {.fd = scene->from_fd, .events = POLLIN};
	char byte;

	CHECK(poll(&from, 1, 5000) == 1 && read(scene->from_fd, &byte, 1) == 1);
	wait_asleep(scene);
}

/* It has run so long, and sleeps again. */
static void run(const struct scene *scene, unsigned char ms)
{
	CHECK(write(scene->to_fd, &ms, 1) == 1);
	answer(scene);
}

static uint64_t used_ns(const struct scene *scene)
{
	return pvs_cpu_sheet_used(scene->cpu, clock_now_ns());
}

/* What others ran a moment ago leaves the sheet at any time, and must not be part of a difference.
 */
static void wait_for_empty_sheet(const struct scene *scene)
{
	while (used_ns(scene) > OTHERS_NS / 2)
		usleep(1000);
}

/* A run is on the sheet before it is charged. It may be over when we come to look: then again. */
static bool counts_while_it_runs(const struct scene *scene)
{
	unsigned char ms = SPIN_ON;
	uint64_t end_ns, charged_ns;
	bool seen = false;

	for (int i = 0; i < 20 && !seen; i++) {
		wait_for_empty_sheet(scene);
		end_ns = clock_now_ns() + SPIN_AT_MOST_MS * MS;
		CHECK(write(scene->to_fd, &ms, 1) == 1);
		while (used_ns(scene) < 100 * MS && clock_now_ns() < end_ns)
			usleep(1000);
		seen = used_ns(scene) >= 100 * MS;
		charged_ns = pvs_sheet_used(&scene->cpu->sheet, clock_now_ns());
		seen = seen && charged_ns < 100 * MS;
		run(scene, 1);
	}
	return seen;
}

/* A thread that pvschedd does not know is on the sheet, while it runs and for a second after. */
static void test_foreign(void)
{
	struct scene scene;
	const char *why = begin(&scene);
	uint64_t before_ns, seen_ns;

	if (why)
		TEST_SKIP(why);
	wait_for_empty_sheet(&scene);
	before_ns = used_ns(&scene);
	run(&scene, 60);
	seen_ns = used_ns(&scene) - before_ns;
	printf("# 60 ms of FIFO are %.3f ms on the sheet\n", (double)seen_ns / (double)MS);
	CHECK(seen_ns >= 60 * MS && seen_ns <= 60 * MS + OTHERS_NS);
	CHECK(counts_while_it_runs(&scene));
	/* as a fair thread it is not */
	CHECK(set_class(&scene, SCHED_OTHER));
	wait_asleep(&scene);
	before_ns = scene.cpu->rt_run_ns;
	run(&scene, 100);
	CHECK(scene.cpu->rt_run_ns <= before_ns + OTHERS_NS);
	end(&scene);
}

static void on_event(void *userdata, const struct pvs_event *event)
{
	struct scene *scene = userdata;

	if (event->type != PVS_EVENT_EXHAUSTED || scene->came)
		return;
	scene->exhausted = *event;
	scene->came = true;
}

/* The child is a boosted vCPU, whose buckets bound nothing. */
static void boost(const struct scene *scene)
{
	const struct pvs_bucket_rule endless = {.burst_ns = 10 * NSEC_PER_SEC,
	                                        .share_permille = 1000};

	tracer_domains(scene->tracer)[0].rule = endless;
	scene->vcpu->tid = (uint32_t)scene->pid;
	/* a share beyond the fair one, which is little on a busy CPU, would make it run dearer */
	scene->vcpu->rule = (struct pvs_bucket_rule){endless.burst_ns, 1, 0};
	scene->vcpu->priority = 1;
	scene->vcpu->boosted_at_ns = clock_now_ns();
	scene->vcpu->flags = PVS_FLAG_BOOSTED;
	CHECK_INT(tracer_register(scene->tracer, 0, scene->pid), 0);
}

/* The tracer says that the boost must end when the sheet is used up, in the middle of a run. */
static void test_boost_ends(void)
{
	struct scene scene;
	const char *why = begin(&scene);
	struct pollfd events;
	unsigned char ms = 250;
	uint64_t ran_ns, limit_ns, from_ns, woken_ns;
	bool late; /* we could not run for so long that the sheet has forgotten what was before */

	if (why)
		TEST_SKIP(why);
	wait_for_empty_sheet(&scene);
	from_ns = clock_now_ns();
	run(&scene, 30); /* not boosted yet: foreign */
	limit_ns = used_ns(&scene) + 50 * MS;
	scene.cpu->sheet.limit_ns = (uint32_t)limit_ns;
	boost(&scene);
	events = (struct pollfd){.fd = tracer_events_fd(scene.tracer), .events = POLLIN};
	woken_ns = clock_now_ns();
	CHECK(write(scene.to_fd, &ms, 1) == 1);
	while (!scene.came && poll(&events, 1, 5000) == 1)
		tracer_drain(scene.tracer, on_event, &scene);
	CHECK(scene.came);
	ran_ns = scene.exhausted.at_ns - woken_ns;
	CHECK(set_class(&scene, SCHED_OTHER));
	scene.vcpu->unboosted_at_ns = clock_now_ns();
	__atomic_store_n(&scene.vcpu->flags, 0, __ATOMIC_RELEASE);
	printf("# with 50 ms left, told after %.3f ms\n", (double)ran_ns / (double)MS);
	CHECK_INT(scene.exhausted.arg, PVS_BUCKET_SHEET);
	late = scene.exhausted.at_ns - from_ns > NSEC_PER_SEC - 100 * MS;
	CHECK_LE(ran_ns, 50 * MS + OTHERS_NS + (late ? 40 * MS : 0));
	answer(&scene);
	/* and at once, when it is switched in while the sheet is used up */
	CHECK(set_class(&scene, SCHED_FIFO));
	scene.cpu->sheet.limit_ns = 0;
	scene.came = false;
	scene.vcpu->exhausted_at_ns = 0;
	scene.vcpu->boosted_at_ns = clock_now_ns();
	__atomic_store_n(&scene.vcpu->flags, PVS_FLAG_BOOSTED, __ATOMIC_RELEASE);
	run(&scene, 1);
	while (tracer_drain(scene.tracer, on_event, &scene) == TRACER_MORE)
		;
	CHECK(scene.came);
	CHECK_INT(scene.exhausted.arg, PVS_BUCKET_SHEET);
	end(&scene);
}

/* A thread of any class that the child preempts on its CPU. */
static pid_t begin_spinner(const struct scene *scene)
{
	cpu_set_t there;
	pid_t pid;

	CHECK_INT(sched_getaffinity(scene->pid, sizeof(there), &there), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sched_setaffinity(0, sizeof(there), &there);
		spin(30 * NSEC_PER_SEC, -1);
		_exit(0);
	}
	return pid;
}

/* The prices that the daemon has set are those that count, as of the next switch. */
static void test_prices(void)
{
	struct scene scene;
	const char *why = begin(&scene);
	struct pvs_prices *prices;
	uint64_t before_ns;
	pid_t spinner;

	if (why)
		TEST_SKIP(why);
	prices = tracer_prices(scene.tracer);
	CHECK_U64(pvs_charge_min_ns(prices), PVS_CHARGE_MIN_NS);
	wait_for_empty_sheet(&scene);
	scene.cpu->sheet.limit_ns = NSEC_PER_SEC;
	boost(&scene);
	prices->charge_min_ns = 300 * MS;
	before_ns = tracer_domains(scene.tracer)[0].used_ns;
	run(&scene, 1);
	CHECK(tracer_domains(scene.tracer)[0].used_ns - before_ns >= 300 * MS);
	while (tracer_drain(scene.tracer, on_event, &scene) == TRACER_MORE)
		;
	CHECK(!scene.came);
	/* what it takes to wake it up, in place of another thread */
	prices->charge_min_ns = PVS_CHARGE_LEAST_NS;
	spinner = begin_spinner(&scene);
	while (!__atomic_load_n(&scene.vcpu->wake_low_ns, __ATOMIC_RELAXED))
		run(&scene, 1);
	printf("# woken in %u ns\n", scene.vcpu->wake_low_ns);
	kill(spinner, SIGKILL);
	waitpid(spinner, NULL, 0);
	/* all that the sheet has left is none */
	prices->tokens_min_ns = NSEC_PER_SEC;
	run(&scene, 1);
	while (tracer_drain(scene.tracer, on_event, &scene) == TRACER_MORE)
		;
	CHECK(scene.came);
	CHECK_INT(scene.exhausted.arg, PVS_BUCKET_SHEET);
	end(&scene);
}

TEST_MAIN(TEST(test_foreign), TEST(test_boost_ends), TEST(test_prices))
