// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What ran while a thread waited, in a running kernel: a thread that spins beside it on its CPU.
 * Skipped where no tracer can be loaded.
 */
#include "trace/blockers.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cgroup.h"
#include "util/procfs.h"

#include "test.h"

#define NAME  "spin\n\xff\"<&>" /* any bytes may be in a name */
#define TRIES 3000              /* of 10 ms */

struct scene {
	struct tracer *tracer;
	pid_t vcpu, spinner;
	struct pvs_wait_trace trace;
};

static int last_cpu(void)
{
	cpu_set_t set;
	int cpu = CPU_SETSIZE - 1;

	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	while (cpu > 0 && !CPU_ISSET(cpu, &set))
		cpu--;
	return cpu;
}

static pid_t spin(const char *name, int cpu)
{
	cpu_set_t set;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, name);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (;;)
		;
}

static bool begin(struct scene *scene)
{
	const struct pvs_bucket_rule rule = {.burst_ns = NSEC_PER_MSEC, .share_permille = 300};
	char why[512];
	int cpu = last_cpu();

	*scene = (struct scene){0};
	if (tracer_new(&scene->tracer, &rule, why, sizeof(why)) < 0 ||
	    !(tracer_parts(scene->tracer)->loaded & PVS_PART_BLOCKERS)) {
		scene->tracer = tracer_free(scene->tracer);
		return false;
	}
	scene->spinner = spin(NAME, cpu);
	scene->vcpu = spin("vcpu", cpu);
	tracer_vcpus(scene->tracer)[0].tid = (uint32_t)scene->vcpu;
	CHECK_INT(tracer_register(scene->tracer, 0, scene->vcpu), 0);
	return true;
}

static void end(struct scene *scene)
{
	kill(scene->vcpu, SIGKILL);
	kill(scene->spinner, SIGKILL);
	waitpid(scene->vcpu, NULL, 0);
	waitpid(scene->spinner, NULL, 0);
	tracer_free(scene->tracer);
}

static const struct pvs_blocker *find_spinner(const struct scene *scene)
{
	for (size_t i = 0; i < PVS_BLOCKERS; i++) {
		const struct pvs_blocker *blocker = &scene->trace.blockers[i];

		if (blocker->ns && strncmp((const char *)blocker->runner.name, NAME, 16) == 0)
			return blocker;
	}
	return NULL;
}

static const struct pvs_long_wait *find_behind_spinner(const struct scene *scene)
{
	for (size_t kind = 0; kind < PVS_WAIT_KINDS; kind++) {
		const struct pvs_long_wait *wait = &scene->trace.longest[kind];

		for (size_t i = 0; wait->until_ns && i < PVS_WAIT_BEHIND; i++)
			if (wait->behind[i].ns &&
			    (pid_t)wait->behind[i].runner.tid == scene->spinner)
				return wait;
	}
	return NULL;
}

/* Until the trace has the spinner, with some runs, and one of its long waits, too. */
static const struct pvs_blocker *wait_spinner(struct scene *scene)
{
	const struct pvs_blocker *found = NULL;

	for (int i = 0; i < TRIES; i++) {
		usleep(10000);
		CHECK_INT(tracer_read_waits(scene->tracer, scene->vcpu, &scene->trace), 0);
		found = find_spinner(scene);
		if (found && found->runs >= 3 && find_behind_spinner(scene))
			return found;
	}
	CHECK(false);
	return found;
}

/* The inode of a thread's cgroup; 0: it cannot be told here. */
static uint64_t group_of(pid_t pid)
{
	char group[CGROUP_GROUP_MAX], located[CGROUP_GROUP_MAX];
	char path[CGROUP_MOUNT_MAX + CGROUP_GROUP_MAX];
	enum procfs_cgroup_kind kind;
	struct cgroup_cpu cpu;
	struct stat st;

	if (cgroup_cpu_find(&cpu) < 0 || procfs_cgroup(0, pid, &kind, group, sizeof(group)) < 0 ||
	    cgroup_locate(&cpu, kind, group, located) < 0)
		return 0;
	snprintf(path, sizeof(path), "%s%s", cpu.mount, located);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static void test_spinner(void)
{
	const struct pvs_blocker *spinner;
	const struct pvs_long_wait *wait;
	struct scene scene;
	uint64_t sum = 0;

	if (!begin(&scene))
		TEST_SKIP("no tracer can be had here");
	CHECK_INT(tracer_waits_traced(scene.tracer), 0);
	CHECK_INT(tracer_trace_waits(scene.tracer, scene.vcpu), 0);
	CHECK_INT(tracer_trace_waits(scene.tracer, scene.vcpu), 0);
	CHECK_INT(tracer_waits_traced(scene.tracer), 1);
	spinner = wait_spinner(&scene);
	CHECK_INT(spinner->runner.tid, scene.spinner);
	printf("# its group is %" PRIu64 "\n", (uint64_t)spinner->runner.group);
	if (group_of(scene.spinner))
		CHECK_U64(spinner->runner.group, group_of(scene.spinner));
	for (size_t i = 0; i < PVS_BLOCKERS; i++)
		sum += scene.trace.blockers[i].ns;
	/* the tracer may have been adding a wait to the one and not yet to the other */
	printf("# waited %" PRIu64 " ns in %" PRIu64 " waits, %" PRIu64
	       " of it behind the spinner\n",
	       (uint64_t)scene.trace.wait_ns, (uint64_t)scene.trace.waits, (uint64_t)spinner->ns);
	CHECK(scene.trace.waits > 0 && sum > 0);
	wait = find_behind_spinner(&scene);
	CHECK(wait);
	CHECK_INT(wait->cpu, last_cpu());
	CHECK(wait->wait_ns > 0);
	end(&scene);
}

/* While no wait is traced nothing is kept, and a new trace begins with nothing. */
static void test_ends(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no tracer can be had here");
	CHECK_INT(tracer_read_waits(scene.tracer, scene.vcpu, &scene.trace), -ENOENT);
	CHECK_INT(tracer_trace_waits(scene.tracer, scene.vcpu), 0);
	wait_spinner(&scene);
	tracer_untrace_waits(scene.tracer, scene.vcpu);
	tracer_untrace_waits(scene.tracer, scene.vcpu);
	CHECK_INT(tracer_waits_traced(scene.tracer), 0);
	CHECK_INT(tracer_read_waits(scene.tracer, scene.vcpu, &scene.trace), -ENOENT);
	kill(scene.vcpu, SIGSTOP);
	CHECK_INT(waitpid(scene.vcpu, NULL, WUNTRACED), scene.vcpu);
	CHECK_INT(tracer_trace_waits(scene.tracer, scene.vcpu), 0);
	CHECK_INT(tracer_read_waits(scene.tracer, scene.vcpu, &scene.trace), 0);
	CHECK_INT(scene.trace.waits, 0);
	CHECK(!find_spinner(&scene));
	kill(scene.vcpu, SIGCONT);
	wait_spinner(&scene);
	end(&scene);
}

TEST_MAIN({"spinner", test_spinner}, {"ends", test_ends})
