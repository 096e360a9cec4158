// SPDX-License-Identifier: GPL-2.0-or-later
/* Helpers that follow, as the tracer sees them in a running kernel; skipped where none is loaded.
 */
#include "trace/tracer.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/follow.h"

#include "test.h"

#define HELPER  1 /* of domain 0 */
#define SLOT    0
#define OF_VCPU 1 /* the slot of this process, as a vCPU of that domain */

/* A process that sleeps but for each byte that it is sent, and another one that is in its way. */
struct scene {
	struct tracer *tracer;
	struct pvs_vcpu_account *account, *vcpu;
	struct pvs_helper_account *helper;
	pid_t tid, spinner;
	int fd;
	uint64_t told, at_once, exits;
};

static void on_one_cpu(void)
{
	cpu_set_t all, one;
	int cpu = 0;

	CHECK_INT(sched_getaffinity(0, sizeof(all), &all), 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK_INT(sched_setaffinity(0, sizeof(one), &one), 0);
}

static pid_t child_begin(int fd)
{
	pid_t pid = fork();
	char byte;

	CHECK(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0)
		for (;;)
			;
	while (read(fd, &byte, 1) == 1)
		;
	_exit(0);
}

static bool begin(struct scene *scene)
{
	const struct pvs_bucket_rule rule = {.burst_ns = NSEC_PER_SEC, .share_permille = 1000};
	char why[512];
	int fds[2];

	*scene = (struct scene){0};
	if (tracer_new(&scene->tracer, &rule, why, sizeof(why)) < 0)
		return false;
	on_one_cpu();
	CHECK_INT(pipe(fds), 0);
	scene->fd = fds[1];
	scene->tid = child_begin(fds[0]);
	scene->spinner = child_begin(-1);
	close(fds[0]);
	/* it preempts nothing when it is woken, and so waits for whatever else wants that CPU */
	CHECK_INT(sched_setscheduler(scene->tid, SCHED_BATCH, &(struct sched_param){0}), 0);
	scene->account = &tracer_vcpus(scene->tracer)[SLOT];
	scene->vcpu = &tracer_vcpus(scene->tracer)[OF_VCPU];
	scene->helper = &tracer_helpers(scene->tracer)[HELPER];
	scene->account->tid = (uint32_t)scene->tid;
	scene->account->helper = HELPER + 1;
	CHECK_INT(tracer_register_helper(scene->tracer, HELPER, scene->tid), 0);
	CHECK_INT(tracer_follow(scene->tracer, SLOT, HELPER, scene->tid), 0);
	return true;
}

static void end(struct scene *scene)
{
	kill(scene->tid, SIGKILL);
	kill(scene->spinner, SIGKILL);
	waitpid(scene->tid, NULL, 0);
	waitpid(scene->spinner, NULL, 0);
	close(scene->fd);
	tracer_free(scene->tracer);
}

#define BEGIN()                                                                                    \
	if (!begin(&scene))                                                                        \
	TEST_SKIP("no tracer can be had here")

static void on_event(void *userdata, const struct pvs_event *event)
{
	struct scene *scene = userdata;
	uint64_t since_ns;

	if (event->slot != SLOT)
		return;
	scene->exits += event->type == PVS_EVENT_EXIT;
	if (event->type != PVS_EVENT_HELPER_WAITS)
		return;
	CHECK_INT(event->tid, scene->account->tid);
	since_ns = __atomic_load_n(&scene->account->helper_told_ns, __ATOMIC_ACQUIRE);
	scene->told++;
	/* that of a later wait, maybe: then it is no proof */
	scene->at_once += event->at_ns > since_ns &&
	                  event->at_ns < since_ns + PVS_FOLLOW_WAIT_NS - PVS_FOLLOW_EARLY_NS;
}

static void drain(struct scene *scene)
{
	while (tracer_drain(scene->tracer, on_event, scene) == TRACER_MORE)
		;
}

static uint64_t waits(const struct scene *scene)
{
	return __atomic_load_n(&scene->helper->waits, __ATOMIC_ACQUIRE);
}

/* Wakes it, and sleeps or not until it has run. */
static void wake(struct scene *scene, bool sleeps)
{
	const struct timespec short_time = {.tv_nsec = 500000};
	uint64_t before = waits(scene);

	CHECK(write(scene->fd, "x", 1) == 1);
	while (waits(scene) == before)
		if (sleeps)
			nanosleep(&short_time, NULL);
	drain(scene);
}

/* It is accounted for as a helper and as a vCPU, and reported only where that is wanted. */
static void test_not_wanted(void)
{
	struct scene scene;

	BEGIN();
	while (__atomic_load_n(&scene.helper->wait_max_ns, __ATOMIC_ACQUIRE) <
	       3 * PVS_FOLLOW_WAIT_NS)
		wake(&scene, false);
	CHECK_U64(scene.told, 0);
	CHECK_GE(scene.account->switches, waits(&scene));
	CHECK(scene.account->wakeups > 0);
	end(&scene);
}

/* One that has waited for long is, once for each wait. */
static void test_waits(void)
{
	struct scene scene;

	BEGIN();
	__atomic_store_n(&scene.account->flags, PVS_FLAG_REPORT_HELPER_WAITS, __ATOMIC_RELEASE);
	while (scene.told < 5)
		wake(&scene, false);
	CHECK_LE(scene.told, waits(&scene) + 1);
	CHECK_U64(scene.at_once, 0); /* no vCPU of its domain is boosted */
	/* it is boosted by now */
	__atomic_or_fetch(&scene.account->flags, PVS_FLAG_BOOSTED, __ATOMIC_RELEASE);
	scene.account->rule = (struct pvs_bucket_rule){NSEC_PER_SEC, 1000, 0};
	drain(&scene);
	scene.told = 0;
	for (int i = 0; i < 5; i++)
		wake(&scene, false);
	CHECK_U64(scene.told, 0);
	__atomic_store_n(&scene.account->flags, 0, __ATOMIC_RELEASE);
	end(&scene);
}

/* A boosted vCPU of its domain halts where it waits: it is reported at once. */
static void test_vcpu_halts(void)
{
	struct scene scene;

	BEGIN();
	scene.vcpu->tid = (uint32_t)getpid();
	scene.vcpu->rule = (struct pvs_bucket_rule){NSEC_PER_SEC, 1000, 0};
	tracer_domains(scene.tracer)[0].rule = scene.vcpu->rule;
	CHECK_INT(tracer_register(scene.tracer, OF_VCPU, getpid()), 0);
	scene.vcpu->boosted_at_ns = UINT64_MAX / 2; /* no matter which class it has */
	__atomic_store_n(&scene.vcpu->flags, PVS_FLAG_BOOSTED, __ATOMIC_RELEASE);
	__atomic_store_n(&scene.account->flags, PVS_FLAG_REPORT_HELPER_WAITS, __ATOMIC_RELEASE);
	while (scene.at_once < 1)
		wake(&scene, true);
	__atomic_store_n(&scene.vcpu->flags, 0, __ATOMIC_RELEASE);
	tracer_unregister(scene.tracer, OF_VCPU, getpid());
	end(&scene);
}

/* It stays a helper when it follows no longer; its slot is not touched any more. */
static void test_ends(void)
{
	struct scene scene;
	uint64_t switches;

	BEGIN();
	wake(&scene, false);
	tracer_unfollow(scene.tracer, SLOT, HELPER, scene.tid);
	switches = scene.account->switches;
	for (int i = 0; i < 3; i++)
		wake(&scene, false);
	CHECK_U64(scene.account->switches, switches);
	CHECK_GE(waits(&scene), 3);
	tracer_unregister_helper(scene.tracer, HELPER);
	end(&scene);
}

/* Its exit is seen as a vCPU's: its epoch is over, and the booster is told. */
static void test_exits(void)
{
	struct scene scene;

	BEGIN();
	kill(scene.tid, SIGKILL);
	while (!scene.exits)
		drain(&scene);
	CHECK_U64(__atomic_load_n(&scene.account->epoch, __ATOMIC_ACQUIRE), PVS_EPOCH_OVER);
	tracer_unregister_helper(scene.tracer, HELPER);
	tracer_unfollow(scene.tracer, SLOT, HELPER, scene.tid);
	end(&scene);
}

TEST_MAIN(TEST(test_not_wanted), TEST(test_waits), TEST(test_vcpu_halts), TEST(test_ends),
          TEST(test_exits))
