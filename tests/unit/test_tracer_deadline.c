// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The deadlines of CPUs in a running kernel. Threads of this process are vCPUs that are boosted by
 * their accounts alone: they stay fair, since nothing here depends on their class. Skipped where
 * the tracer cannot be loaded, or there is one CPU.
 */
#include "trace/tracer.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

#include "test.h"

#define MS NSEC_PER_MSEC

/* A stated bound may be missed by as much on a machine that does other things. */
#define MARGIN_NS (90 * MS)

#define VCPUS 6

/* A thread that runs for a while and then sleeps for a while, over and over. */
struct victim {
	pthread_t thread;
	atomic_int tid;
	atomic_bool ends;
	uint64_t run_ns, sleep_ns; /* sleep 0: it never sleeps */
	uint64_t exhausted_ns;     /* when its end was first reported; 0: not yet */
};

struct scene {
	struct tracer *tracer;
	int cpus[2];
	struct victim victims[VCPUS];
	unsigned int n;
};

static void *victim_main(void *userdata)
{
	struct victim *victim = userdata;
	struct timespec pause = {.tv_nsec = (long)victim->sleep_ns};
	uint64_t until_ns;

	atomic_store(&victim->tid, gettid());
	while (!atomic_load(&victim->ends)) {
		until_ns = clock_now_ns() + victim->run_ns;
		while (clock_now_ns() < until_ns && !atomic_load(&victim->ends))
			;
		if (victim->sleep_ns)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static void pin(const struct victim *victim, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_INT(sched_setaffinity(atomic_load(&victim->tid), sizeof(set), &set), 0);
}

/* NULL, or why there is none. The buckets of CPUs and domains bound nothing. */
static const char *begin(struct scene *scene)
{
	const struct pvs_bucket_rule endless = {.burst_ns = 10 * NSEC_PER_SEC,
	                                        .share_permille = 1000};
	char why[512];
	cpu_set_t set;
	int n = 0;

	memset(scene, 0, sizeof(*scene));
	CHECK_INT(sched_getaffinity(0, sizeof(set), &set), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			scene->cpus[n++] = cpu;
	if (n < 2)
		return "there is only one CPU";
	if (tracer_new(&scene->tracer, &endless, why, sizeof(why)) < 0)
		return "no tracer can be had here";
	tracer_domains(scene->tracer)[0].rule = endless;
	for (int i = 0; i < 2; i++)
		tracer_cpus(scene->tracer)[scene->cpus[i]].sheet.limit_ns = NSEC_PER_SEC;
	return NULL;
}

/* Adds a vCPU that is boosted from its next switch-in on. */
static struct victim *add(struct scene *scene, uint64_t run_ns, uint64_t sleep_ns,
                          const struct pvs_bucket_rule *rule)
{
	struct pvs_vcpu_account *account = &tracer_vcpus(scene->tracer)[scene->n];
	struct victim *victim = &scene->victims[scene->n];

	victim->run_ns = run_ns;
	victim->sleep_ns = sleep_ns;
	CHECK_INT(pthread_create(&victim->thread, NULL, victim_main, victim), 0);
	while (!atomic_load(&victim->tid))
		sched_yield();
	pin(victim, scene->cpus[0]);
	account->tid = (uint32_t)atomic_load(&victim->tid);
	account->rule = *rule;
	account->priority = 1;
	account->boosted_at_ns = clock_now_ns();
	CHECK_INT(tracer_register(scene->tracer, scene->n, atomic_load(&victim->tid)), 0);
	__atomic_store_n(&account->flags, PVS_FLAG_BOOSTED, __ATOMIC_RELEASE);
	scene->n++;
	return victim;
}

static void end(struct scene *scene)
{
	for (unsigned int i = 0; i < scene->n; i++)
		atomic_store(&scene->victims[i].ends, true);
	for (unsigned int i = 0; i < scene->n; i++) {
		pthread_join(scene->victims[i].thread, NULL);
		tracer_unregister(scene->tracer, i, scene->victims[i].tid);
	}
	tracer_free(scene->tracer);
}

static void on_event(void *userdata, const struct pvs_event *event)
{
	struct scene *scene = userdata;

	if (event->type == PVS_EVENT_EXHAUSTED && event->slot < scene->n &&
	    !scene->victims[event->slot].exhausted_ns)
		scene->victims[event->slot].exhausted_ns = event->at_ns;
}

static void drain(struct scene *scene)
{
	while (tracer_drain(scene->tracer, on_event, scene) == TRACER_MORE)
		;
}

/* In ns from the report of the vCPU's end to the guardian's news; moved: each ms to another CPU. */
static uint64_t overdue_ns(bool moved)
{
	const struct pvs_bucket_rule little = {.burst_ns = MS, .share_permille = 1};
	struct pollfd overdue = {.events = POLLIN};
	struct scene scene;
	struct victim *victim;
	uint64_t told_ns = 0, until_ns;

	CHECK(begin(&scene) == NULL);
	overdue.fd = tracer_overdue_fd(scene.tracer);
	victim = add(&scene, MS, 0, &little);
	until_ns = clock_now_ns() + 5 * NSEC_PER_SEC;
	for (unsigned int i = 1; !told_ns && clock_now_ns() < until_ns; i++) {
		if (moved)
			pin(victim, scene.cpus[i % 2]);
		if (poll(&overdue, 1, 1) == 1)
			told_ns = clock_now_ns();
		drain(&scene);
	}
	CHECK(victim->exhausted_ns != 0);
	CHECK(told_ns > victim->exhausted_ns);
	told_ns -= victim->exhausted_ns;
	printf("# told %.3f ms after the report%s\n", (double)told_ns / (double)MS,
	       moved ? ", moved each ms" : "");
	end(&scene);
	return told_ns;
}

static const char *why_not(void)
{
	struct scene scene;
	const char *why = begin(&scene);

	tracer_free(scene.tracer);
	return why;
}

static bool is_told_in_time(bool moved)
{
	/* one retry: the machine may do something else */
	return overdue_ns(moved) <= PVS_OVERDUE_NS + MARGIN_NS ||
	       overdue_ns(moved) <= PVS_OVERDUE_NS + MARGIN_NS;
}

static void test_overdue(void)
{
	const char *why = why_not();

	if (why)
		TEST_SKIP(why);
	CHECK(is_told_in_time(false));
}

static void test_overdue_and_moved(void)
{
	const char *why = why_not();

	if (why)
		TEST_SKIP(why);
	CHECK(is_told_in_time(true));
}

/* vCPUs that share a CPU share its timer: it is started for time that passes, not for wake-ups. */
static void test_shared(void)
{
	const struct pvs_bucket_rule enough = {.burst_ns = 20 * MS, .share_permille = 900};
	struct tracer_totals before, after;
	struct scene scene;
	const char *why = begin(&scene);
	uint64_t from_ns, took_ns, wakeups = 0, starts;

	if (why)
		TEST_SKIP(why);
	for (int i = 0; i < VCPUS; i++)
		add(&scene, 20 * NSEC_PER_USEC, MS, &enough);
	tracer_totals(scene.tracer, &before);
	from_ns = clock_now_ns();
	while (wakeups < 2000) {
		usleep(10000);
		drain(&scene);
		wakeups = 0;
		for (int i = 0; i < VCPUS; i++)
			wakeups += tracer_vcpus(scene.tracer)[i].wakeups_boosted;
	}
	took_ns = clock_now_ns() - from_ns;
	tracer_totals(scene.tracer, &after);
	starts = after.deadlines_started - before.deadlines_started;
	printf("# %llu wake-ups in %.0f ms: %llu starts of timers\n", (unsigned long long)wakeups,
	       (double)took_ns / (double)MS, (unsigned long long)starts);
	CHECK(starts > 0);
	/* a timer lasts for three quarters of a bucket, or a vCPU had less than that left */
	CHECK(starts <= wakeups / 4);
	CHECK_U64(after.deadlines_refused, 0);
	end(&scene);
}

/* One of them that runs on is reported, whichever vCPU the timer was started for. */
static void test_shared_with_a_hog(void)
{
	const struct pvs_bucket_rule enough = {.burst_ns = 50 * MS, .share_permille = 900};
	const struct pvs_bucket_rule little = {.burst_ns = 5 * MS, .share_permille = 1};
	struct scene scene;
	const char *why = begin(&scene);
	struct victim *hog;
	uint64_t until_ns;

	if (why)
		TEST_SKIP(why);
	for (int i = 0; i < VCPUS - 1; i++)
		add(&scene, 20 * NSEC_PER_USEC, MS, &enough);
	hog = add(&scene, MS, 0, &little);
	until_ns = clock_now_ns() + 5 * NSEC_PER_SEC;
	while (!hog->exhausted_ns && clock_now_ns() < until_ns) {
		usleep(1000);
		drain(&scene);
	}
	CHECK(hog->exhausted_ns != 0);
	/* nothing ends its boost here: what it has used at the report is within two reports */
	printf("# reported; used %.3f ms of 5 since\n",
	       (double)tracer_vcpus(scene.tracer)[VCPUS - 1].used_ns / (double)MS);
	end(&scene);
}

TEST_MAIN({"overdue", test_overdue}, {"overdue_and_moved", test_overdue_and_moved},
          {"shared", test_shared}, {"shared_with_a_hog", test_shared_with_a_hog})
