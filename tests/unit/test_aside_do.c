// SPDX-License-Identifier: GPL-2.0-or-later
/* Stepping aside and back, on a tree of files: what is moved, what is not, and what is refused. */
#include "agent/aside_do.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "agent/aside_record.h"
#include "agent/aside_tasks.h"
#include "util/procfs.h"

#include "aside_tree.h"

static struct aside_outcome outcome;

static struct cpu_set_bits set_of(const char *list)
{
	struct cpu_set_bits set;

	CHECK_INT(cpulist_parse(list, &set), 0);
	return set;
}

static void do_it(const char *list)
{
	struct cpu_set_bits wanted = set_of(list);

	aside_do(&places, &wanted, &outcome);
}

static const char *text_of(const struct cpu_set_bits *set)
{
	static char text[256];

	cpulist_format(set, text, sizeof(text));
	return text;
}

static void check_as_before(void)
{
	CHECK_STR(tree_read("cgroup/system.slice/cpuset.cpus"), "");
	CHECK_STR(tree_read("cgroup/user.slice/cpuset.cpus"), "1-3");
	CHECK_STR(tree_read("irq/9/smp_affinity_list"), "0-3");
	CHECK_STR(tree_read("irq/24/smp_affinity_list"), "3");
	CHECK_INT(strtoul(tree_read("workqueue"), NULL, 16), 0xf);
	CHECK(!tree_read("run/record"));
}

static void test_away_and_back(void)
{
	tree_make();
	do_it("2-3");
	CHECK_INT(outcome.result, ASIDE_AWAY);
	CHECK_STR(text_of(&outcome.avoided), "2-3");
	CHECK_INT(outcome.units, 4); /* machine.slice, which begins later, too */
	CHECK_INT(outcome.irqs, 3);  /* 9, the default and unbound work; 24 has no other CPU */
	CHECK_INT(outcome.irqs_fixed, 0);
	CHECK_STR(tree_read("cgroup/system.slice/cpuset.cpus"), "0-1");
	CHECK_STR(tree_read("cgroup/user.slice/cpuset.cpus"), "1");
	CHECK_STR(tree_read("cgroup/init.scope/cpuset.cpus"), "0-1");
	CHECK_STR(tree_read("irq/9/smp_affinity_list"), "0-1");
	CHECK_STR(tree_read("irq/24/smp_affinity_list"), "3");
	CHECK_STR(tree_read("irq/25/smp_affinity_list"), "0");
	CHECK_STR(tree_read("irq/default_smp_affinity"), "00000003");
	CHECK_STR(tree_read("workqueue"), "00000003");
	do_it("3"); /* less than before: 2 is given back */
	CHECK_STR(text_of(&outcome.avoided), "3");
	CHECK_STR(tree_read("cgroup/user.slice/cpuset.cpus"), "1-2");
	CHECK_STR(tree_read("irq/9/smp_affinity_list"), "0-2");
	do_it("");
	CHECK_INT(outcome.result, ASIDE_BACK);
	check_as_before();
	do_it("");
	CHECK_INT(outcome.result, ASIDE_BACK);
	tree_remove();
}

static void test_what_stays(void)
{
	tree_make();
	tree_write("cgroup/user.slice/cpuset.cpus", "2-3\n");
	do_it("0,2-3,7"); /* 0 stays, and 7 is none */
	CHECK_STR(text_of(&outcome.avoided), "2-3");
	CHECK_INT(outcome.units, 3);
	CHECK_INT(outcome.units_left, 1); /* user.slice has no other CPU */
	CHECK_STR(tree_read("cgroup/user.slice/cpuset.cpus"), "2-3");
	do_it("0");
	CHECK_INT(outcome.result, ASIDE_REFUSED);
	CHECK_INT(outcome.reason, ASIDE_ONE_CPU);
	tree_write("cgroup/user.slice/cpuset.cpus", "1-3\n");
	check_as_before();
	tree_write("online", "1\n");
	do_it("1");
	CHECK_INT(outcome.reason, ASIDE_ONE_CPU);
	tree_remove();
}

/* It can be read, and what is written is refused, as with an interrupt that the kernel manages. */
static void test_interrupt_that_is_fixed(void)
{
	int fd = memfd_create("irq", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char target[64];

	tree_make();
	CHECK(fd >= 0 && write(fd, "0-3\n", 4) == 4);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK) == 0);
	snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
	CHECK(mkdir(tree_path("irq/30"), 0755) == 0);
	CHECK(symlink(target, tree_path("irq/30/smp_affinity_list")) == 0);
	do_it("2-3");
	CHECK_INT(outcome.result, ASIDE_AWAY);
	CHECK_INT(outcome.irqs_fixed, 1);
	CHECK_INT(outcome.irqs, 3);
	do_it("");
	CHECK_INT(outcome.result, ASIDE_BACK);
	check_as_before();
	close(fd);
	tree_remove();
}

static void test_refusals(void)
{
	tree_make();
	tree_write("steal_governor", "");
	do_it("2");
	CHECK_INT(outcome.reason, ASIDE_KERNEL_GOVERNOR);
	unlink(places.governor);
	tree_write("preferred", "0-3\n");
	CHECK(!aside_kernel_governs(&places));
	tree_write("preferred", "0-2\n");
	CHECK(aside_kernel_governs(&places));
	unlink(places.preferred);
	places.keeps_affinities = false; /* init.scope has no cpuset */
	do_it("2");
	CHECK_INT(outcome.reason, ASIDE_CPUSET_OFF);
	places.keeps_affinities = true;
	tree_write("cgroup/cgroup.controllers", "cpu io cpusets memory\n");
	do_it("2");
	CHECK_INT(outcome.reason, ASIDE_NO_CPUSET);
	CHECK(rmdir(places.systemd) == 0);
	do_it("2");
	CHECK_INT(outcome.reason, ASIDE_NO_SYSTEMD);
	CHECK_INT(outcome.result, ASIDE_REFUSED);
	CHECK(!tree_read("asked.log") && !tree_read("run/record"));
	tree_remove();
}

/* What the kernel's own list is told, where there is one that may be written. */
static void test_kernel_list(void)
{
	tree_make();
	tree_write("paravirt", "\n");
	do_it("2-3");
	CHECK_INT(outcome.result, ASIDE_AWAY);
	CHECK_STR(tree_read("paravirt"), "2-3");
	CHECK(!tree_read("asked.log"));
	CHECK_STR(tree_read("irq/9/smp_affinity_list"), "0-3");
	do_it("");
	CHECK_STR(tree_read("paravirt"), "");
	check_as_before();
	tree_remove();
}

static void test_refused_by_governor_gives_back(void)
{
	tree_make();
	do_it("2-3");
	tree_write("steal_governor", "");
	do_it("2-3");
	CHECK_INT(outcome.result, ASIDE_REFUSED);
	check_as_before();
	tree_remove();
}

static void test_others_are_left_alone(void)
{
	tree_make();
	do_it("2-3");
	tree_write("cgroup/user.slice/cpuset.cpus", "0-2\n");
	tree_write("irq/9/smp_affinity_list", "2\n");
	do_it("");
	CHECK_STR(tree_read("cgroup/user.slice/cpuset.cpus"), "0-2");
	CHECK_STR(tree_read("irq/9/smp_affinity_list"), "2");
	CHECK_STR(tree_read("cgroup/system.slice/cpuset.cpus"), "");
	CHECK(!tree_read("run/record"));
	do_it("2-3"); /* and is what is there before, from then on */
	CHECK_STR(tree_read("cgroup/user.slice/cpuset.cpus"), "0-1");
	do_it("");
	CHECK_STR(tree_read("cgroup/user.slice/cpuset.cpus"), "0-2");
	tree_remove();
}

static void test_killed_half_way(void)
{
	tree_make();
	do_it("2-3");
	/* the record was written, and then it was killed: some are as ours, and some are not */
	tree_write("run/record",
	           "pvsched-aside 1 changing 2-3\nslice system.slice - 0-1\n"
	           "slice user.slice 1-3 1\nirq 9 0-3 0-1\nworkqueue unbound 0-3 0-1\n");
	tree_write("cgroup/user.slice/cpuset.cpus", "1-2\n");
	tree_write("irq/9/smp_affinity_list", "0-2\n");
	do_it("");
	CHECK_INT(outcome.result, ASIDE_BACK);
	check_as_before();
	tree_write("run/record", "nonsense\n");
	do_it("2");
	CHECK_INT(outcome.result, ASIDE_FAILED);
	CHECK_INT(outcome.reason, ASIDE_RECORD);
	CHECK_STR(tree_read("run/record"), "nonsense"); /* for a person to look at */
	tree_remove();
}

/* A unit whose last task has ended is as told when it begins again. */
static void test_unit_that_ends(void)
{
	tree_make();
	do_it("2-3");
	CHECK(unlink(tree_path("cgroup/user.slice/cgroup.procs")) == 0);
	CHECK(unlink(tree_path("cgroup/user.slice/cpuset.cpus")) == 0);
	CHECK(rmdir(tree_path("cgroup/user.slice")) == 0);
	tree_write("has",
	           "#!/bin/sh\ncd \"${0%/*}\" && grep -qx 'user.slice AllowedCPUs=1-3' asked.log "
	           "&& grep -qx 'machine.slice AllowedCPUs=' asked.log\n");
	CHECK(chmod(tree_path("has"), 0755) == 0);
	do_it("");
	CHECK_INT(outcome.result, ASIDE_BACK);
	CHECK_INT(system(tree_path("has")), 0);
	CHECK(!tree_read("run/record"));
	tree_remove();
}

static void test_systemd_refuses(void)
{
	tree_make();
	tree_unit("broken.slice", "\n");
	do_it("2-3");
	CHECK_INT(outcome.result, ASIDE_FAILED);
	CHECK_INT(outcome.reason, ASIDE_SYSTEMD_REFUSED);
	CHECK(cpu_set_bits_empty(&outcome.avoided));
	CHECK_STR(tree_read("cgroup/system.slice/cpuset.cpus"), "");
	CHECK_STR(tree_read("irq/9/smp_affinity_list"), "0-3");
	tree_remove();
}

/* It says that it did, and the kernel did not take it. */
static void test_kernel_refuses(void)
{
	tree_make();
	tree_systemctl("test ! -d \"${0%/*}\"/cgroup/\"$6\" || echo 0-2 "
	               ">\"${0%/*}\"/cgroup/\"$6\"/cpuset.cpus\n");
	do_it("2-3");
	CHECK_INT(outcome.reason, ASIDE_SYSTEMD_REFUSED);
	tree_remove();
}

/* It answers, and changes the group a moment later. */
static void test_systemd_is_late(void)
{
	tree_make();
	tree_systemctl("test -d \"${0%/*}\"/cgroup/\"$6\" || exit 0\n"
	               "echo >\"${0%/*}\"/cgroup/\"$6\"/cpuset.cpus\n"
	               "{ sleep 0.1; echo \"${7#AllowedCPUs=}\" "
	               ">\"${0%/*}\"/cgroup/\"$6\"/cpuset.cpus; } &\n");
	do_it("2-3");
	CHECK_INT(outcome.result, ASIDE_AWAY);
	CHECK_STR(tree_read("cgroup/system.slice/cpuset.cpus"), "0-1");
	do_it("");
	CHECK_INT(outcome.result, ASIDE_BACK);
	check_as_before();
	tree_remove();
}

static void test_commands(void)
{
	tree_make();
	tree_write("asked", "2-3\n");
	CHECK_INT(aside_command_in(&places, "asked"), 0);
	CHECK_INT(aside_outcome_parse("1 0 0 0 0 3 0 3 0\n2-3\n\n", &outcome), 0);
	CHECK(tree_read("run/outcome"));
	CHECK_STR(tree_read("cgroup/system.slice/cpuset.cpus"), "0-1");
	CHECK_INT(aside_command_in(&places, "none"), 0);
	check_as_before();
	CHECK(!tree_read("asked"));
	unlink(places.outcome);
	CHECK_INT(aside_command_in(&places, "none"), 0);
	CHECK(!tree_read("run/outcome")); /* there was nothing to do */
	CHECK_INT(aside_command_in(&places, "asked"), 0);
	CHECK_INT(aside_command_in(&places, "1-"), 2);
	tree_write("steal_governor", "");
	CHECK_INT(aside_command_in(&places, "3"), 1);
	tree_write("asked", "3\n");
	CHECK_INT(aside_command_in(&places, "asked"), 0);
	tree_remove();
}

/* --- Tasks --- */

static pid_t bound_child(const char *list)
{
	struct cpu_set_bits set = set_of(list);
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	CHECK_INT(sched_setaffinity(pid, sizeof(set.words), (const void *)set.words), 0);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static const char *affinity_of(pid_t pid)
{
	struct cpu_set_bits set = CPU_SET_BITS_NULL;

	CHECK(sched_getaffinity(pid, sizeof(set.words), (void *)set.words) == 0);
	return text_of(&set);
}

static bool has_two_cpus(void)
{
	struct cpu_set_bits own = CPU_SET_BITS_NULL;

	return sched_getaffinity(0, sizeof(own.words), (void *)own.words) == 0 &&
	       cpu_set_bits_has(&own, 0) && cpu_set_bits_has(&own, 1);
}

static void test_bound_task(void)
{
	struct aside_bound bound;
	struct cpu_set_bits wanted = set_of("1-2");
	pid_t pid;

	if (!has_two_cpus())
		TEST_SKIP("needs CPUs 0 and 1");
	tree_make();
	pid = bound_child("1");
	CHECK_INT(aside_tasks_bound(&wanted, &bound), 0);
	CHECK(bound.tasks >= 1);
	CHECK_STR(text_of(&bound.cpus), "1");
	do_it("1-2");
	CHECK_STR(text_of(&outcome.avoided), "2");
	CHECK_STR(text_of(&outcome.left_out), "1");
	CHECK(outcome.tasks_bound >= 1);
	do_it("1");
	CHECK_INT(outcome.reason, ASIDE_TASKS_BOUND);
	CHECK_STR(text_of(&outcome.left_out), "1");
	check_as_before();
	end_child(pid);
	tree_remove();
}

static struct aside_entry *entry_of(const struct aside_record *record, pid_t pid)
{
	struct thread_id thread = {.tid = pid};

	CHECK_INT(procfs_start_ticks(pid, pid, &thread.start_ticks), 0);
	return aside_record_task(record, &thread);
}

/* Noting only reads; what is applied here is the child's entry alone. */
static void test_tasks_before_6_2(void)
{
	struct cpu_set_bits online = set_of("0-1"), full = set_of("0-2"), avoided = set_of("1"),
	                    none = CPU_SET_BITS_NULL;
	struct aside_tasks tasks = {.online = &online, .full = &full, .users = true};
	struct aside_record all = {0}, one = {0};
	struct aside_entry *entry;
	pid_t pid, other;

	if (!has_two_cpus())
		TEST_SKIP("needs CPUs 0 and 1");
	pid = bound_child("0-1");
	other = bound_child("0");
	CHECK_INT(aside_tasks_note(&tasks, &avoided, &all), 0);
	entry = entry_of(&all, pid);
	CHECK(entry);
	CHECK_STR(text_of(&entry->prior), "0-1");
	CHECK_STR(text_of(&entry->ours), "0");
	entry = aside_record_add(&one, ASIDE_TASK, "");
	*entry = *entry_of(&all, pid);
	CHECK_INT(aside_tasks_apply(&one, false), 1);
	CHECK_STR(affinity_of(pid), "0");
	/* one whose affinity is ours gets its own back; one that chose another keeps that */
	CHECK_INT(aside_tasks_note(&tasks, &none, &all), 0);
	CHECK_STR(text_of(&entry_of(&all, pid)->prior), "0-1");
	CHECK_STR(text_of(&entry_of(&all, other)->prior), "0");
	*entry = *entry_of(&all, pid);
	CHECK_INT(aside_tasks_apply(&one, true), 1);
	CHECK_STR(affinity_of(pid), "0-1");
	CHECK(entry->gone);
	/* another task with this TID is none of ours */
	entry->gone = false;
	entry->prior = set_of("0");
	entry->thread.start_ticks++;
	CHECK_INT(aside_tasks_apply(&one, true), 0);
	CHECK_STR(affinity_of(pid), "0-1");
	end_child(pid);
	end_child(other);
	aside_record_free(&all);
	aside_record_free(&one);
}

/* --- irqbalance --- */

/* Answers one connection. Returns what it was told. */
static const char *serve(int listening, const char *answer)
{
	static char text[512];
	int fd = accept(listening, NULL, NULL);
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	CHECK(n > 0);
	text[n] = '\0';
	if (strcmp(text, "setup") == 0)
		CHECK(send(fd, answer, strlen(answer), 0) > 0);
	close(fd);
	return text;
}

static void test_irqbalance(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int status, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	tree_make();
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", tree_path("irqbalance/irqbalance7.sock"));
	CHECK(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 4) == 0);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		serve(fd, "SLEEP 10 BANNED 00000002");
		if (strcmp(serve(fd, ""), "settings cpus 1-3") != 0)
			_exit(1);
		_exit(strcmp(serve(fd, ""), "settings cpus NULL") != 0);
	}
	do_it("2-3");
	CHECK_INT(outcome.irqbalance, ASIDE_IRQBALANCE_TOLD);
	do_it("");
	CHECK_INT(outcome.irqbalance, ASIDE_IRQBALANCE_TOLD);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);
	close(fd); /* one that was killed left its socket */
	do_it("2-3");
	CHECK_INT(outcome.irqbalance, ASIDE_IRQBALANCE_ABSENT);
	do_it("");
	tree_remove();
}

TEST_MAIN(TEST(test_away_and_back), TEST(test_what_stays), TEST(test_interrupt_that_is_fixed),
          TEST(test_refusals), TEST(test_kernel_list), TEST(test_refused_by_governor_gives_back),
          TEST(test_others_are_left_alone), TEST(test_killed_half_way), TEST(test_unit_that_ends),
          TEST(test_systemd_refuses), TEST(test_kernel_refuses), TEST(test_systemd_is_late),
          TEST(test_commands), TEST(test_bound_task), TEST(test_tasks_before_6_2),
          TEST(test_irqbalance))
