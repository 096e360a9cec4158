// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the tracer reads of a guest page by QEMU's address, in a running kernel; skipped where it
 * cannot be loaded. QEMU is a process that shares its memory with this one.
 */
#include "trace/tracer.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pvsched/page.h"
#include "test.h"
#include "util/clock.h"

#define GENERATION  UINT64_C(0x1234567890)
#define PATIENCE_NS (20 * NSEC_PER_SEC)
#define URGENT      (PVSCHED_POLICY_FIFO | 50 << 16)
#define ORDINARY    PVSCHED_POLICY_NORMAL

struct scene {
	struct tracer *tracer;
	struct pvs_vcpu_account *vcpu;
	struct pvsched_page *page, *gone; /* the second is not readable there */
	pid_t pid;
	int wakes, slept; /* a byte each */
};

/* The vCPU thread: it sleeps, and runs a little at each byte. */
static void run(int wakes, int slept)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(wakes, &byte, 1) == 1 && write(slept, &byte, 1) == 1)
		;
	_exit(0);
}

static struct pvsched_page *map(int protection)
{
	void *page = mmap(NULL, PVSCHED_PAGE_SIZE, protection, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	return page;
}

/* False: no tracer here. */
static bool begin(struct scene *scene)
{
	const struct pvs_bucket_rule rule = {.burst_ns = NSEC_PER_MSEC, .share_permille = 300};
	int wakes[2], slept[2];
	char why[512];

	*scene = (struct scene){.page = map(PROT_READ | PROT_WRITE), .gone = map(PROT_NONE)};
	if (tracer_new(&scene->tracer, &rule, why, sizeof(why)) < 0)
		return false;
	CHECK(pipe(wakes) == 0 && pipe(slept) == 0);
	scene->page->generation_echo = GENERATION; /* resident before the fork */
	scene->pid = fork();
	CHECK(scene->pid >= 0);
	if (scene->pid == 0) {
		__atomic_load_n(&scene->page->generation_echo, __ATOMIC_RELAXED);
		run(wakes[0], slept[1]);
	}
	scene->wakes = wakes[1];
	scene->slept = slept[0];
	scene->vcpu = &tracer_vcpus(scene->tracer)[0];
	scene->vcpu->tid = (uint32_t)scene->pid;
	CHECK_INT(tracer_register(scene->tracer, 0, scene->pid), 0);
	return true;
}

static void end(struct scene *scene)
{
	kill(scene->pid, SIGKILL);
	waitpid(scene->pid, NULL, 0);
	close(scene->wakes);
	close(scene->slept);
	tracer_free(scene->tracer);
	munmap(scene->page, PVSCHED_PAGE_SIZE);
	munmap(scene->gone, PVSCHED_PAGE_SIZE);
}

static void give_page(struct scene *scene, const struct pvsched_page *page, bool agent)
{
	scene->vcpu->page_generation = GENERATION;
	scene->vcpu->flags = agent ? PVS_FLAG_AGENT : 0;
	__atomic_store_n(&scene->vcpu->page_address, (uint64_t)(uintptr_t)page, __ATOMIC_RELEASE);
}

#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		uint64_t until_ns = clock_now_ns() + PATIENCE_NS;                                  \
		while (!(condition)) {                                                             \
			CHECK(clock_now_ns() < until_ns);                                          \
			usleep(500);                                                               \
		}                                                                                  \
	} while (0)

/* One run of the vCPU, up to the tracer's look at its page. */
static void run_once(struct scene *scene)
{
	uint64_t looks = __atomic_load_n(&scene->vcpu->request.read_ns, __ATOMIC_ACQUIRE);
	uint32_t faults = __atomic_load_n(&scene->vcpu->page_faults, __ATOMIC_ACQUIRE);
	char byte = 0;

	CHECK(write(scene->wakes, &byte, 1) == 1 && read(scene->slept, &byte, 1) == 1);
	WAIT_FOR(__atomic_load_n(&scene->vcpu->request.read_ns, __ATOMIC_ACQUIRE) != looks ||
	         __atomic_load_n(&scene->vcpu->page_faults, __ATOMIC_ACQUIRE) != faults);
}

static uint32_t urgency(const struct scene *scene)
{
	return __atomic_load_n(&scene->vcpu->request.urgency, __ATOMIC_ACQUIRE);
}

static void say(struct scene *scene, uint64_t intent, uint64_t cs_state)
{
	__atomic_store_n(&scene->page->cs_state, cs_state, __ATOMIC_RELAXED);
	__atomic_store_n(&scene->page->task_intent, intent, __ATOMIC_RELEASE);
}

/* A guest whose agent says that a real-time task runs; @agent: the host takes it for one. */
static bool begin_urgent(struct scene *scene, bool agent)
{
	if (!begin(scene))
		return false;
	scene->page->agent_generation = 1;
	say(scene, URGENT, 0);
	give_page(scene, scene->page, agent);
	run_once(scene);
	CHECK_INT(urgency(scene), agent ? PVSCHED_URGENCY_URGENT : PVSCHED_URGENCY_NONE);
	return true;
}

/* What the agent of a guest writes of its scheduler. */
static void test_scheduler(void)
{
	struct scene scene;

	if (!begin_urgent(&scene, true))
		TEST_SKIP("no tracer can be loaded here");
	CHECK_U64(scene.vcpu->request.words[1], URGENT);
	say(&scene, ORDINARY, 0);
	run_once(&scene);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_ORDINARY);
	say(&scene, ORDINARY, PVSCHED_CS_HARDIRQ);
	run_once(&scene);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_URGENT);
	CHECK_U64(scene.vcpu->request.words[2], PVSCHED_CS_HARDIRQ);
	/* a task that was woken there and does not run yet */
	say(&scene, ORDINARY | (uint64_t)URGENT << 24 | (uint64_t)PVSCHED_INTENT_PENDING << 48, 0);
	run_once(&scene);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_URGENT);
	/* without a meaning: counted */
	say(&scene, UINT64_MAX, 0);
	run_once(&scene);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_NONE);
	CHECK_INT(scene.vcpu->request.invalid_total, 1);
	end(&scene);
}

/* By the vCPU's run time, which the tracer has; the test lets it pass. */
static void test_signs_of_life(void)
{
	struct scene scene;

	if (!begin_urgent(&scene, true))
		TEST_SKIP("no tracer can be loaded here");
	scene.vcpu->run_ns += PVSCHED_AGENT_LEASE_NS - PATIENCE_NS / 1000;
	run_once(&scene);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_URGENT);
	scene.vcpu->run_ns += PATIENCE_NS / 1000 + 1;
	run_once(&scene);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_NONE);
	__atomic_store_n(&scene.page->pulse, 1, __ATOMIC_RELEASE);
	run_once(&scene);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_URGENT);
	CHECK_U64(scene.vcpu->request.pulse, 1);
	end(&scene);
}

/* The words of an agent that ended, or that the host does not take for one, say nothing. */
static void test_no_agent(void)
{
	struct scene scene;

	if (!begin_urgent(&scene, false))
		TEST_SKIP("no tracer can be loaded here");
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_NONE);
	give_page(&scene, scene.page, true);
	run_once(&scene);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_URGENT);
	scene.page->agent_generation = 0;
	run_once(&scene);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_NONE);
	/* an application's request is not the agent's */
	scene.page->request = pvsched_request(URGENT, 1);
	run_once(&scene);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_URGENT);
	end(&scene);
}

/* Memory that is another's by now, or that is not there. */
static void test_not_its_page(void)
{
	struct scene scene;

	if (!begin_urgent(&scene, true))
		TEST_SKIP("no tracer can be loaded here");
	scene.page->generation_echo = GENERATION + 1;
	run_once(&scene);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_NONE);
	CHECK_INT(scene.vcpu->request.stale_total, 1);
	give_page(&scene, scene.gone, true);
	run_once(&scene);
	CHECK_INT(scene.vcpu->page_faults, 1);
	CHECK_INT(urgency(&scene), PVSCHED_URGENCY_NONE);
	end(&scene);
}

TEST_MAIN(TEST(test_scheduler), TEST(test_signs_of_life), TEST(test_no_agent),
          TEST(test_not_its_page))
