/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor_host.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/advice.h"

void doctor_say(struct check *check, const char *format, ...)
{
	va_list args;

	if (!check)
		return;
	va_start(args, format);
	vsnprintf(check->detail, sizeof(check->detail), format, args);
	va_end(args);
}

void doctor_fix(struct check *check, const char *format, ...)
{
	va_list args;

	if (!check)
		return;
	va_start(args, format);
	vsnprintf(check->fix, sizeof(check->fix), format, args);
	va_end(args);
}

/* ---- RT_GROUP_SCHED ---- */

/** Is @word one of the blank-separated words of @text? */
static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = text; at && (at = strstr(at, word)); at++)
		if ((at == text || strchr(" \n", at[-1])) && strchr(" \n", at[length]))
			return true;
	return false;
}

void doctor_rt_group_sched(struct doctor_report *report, const struct doctor_rt_group *texts)
{
	bool off = has_word(texts->cmdline, "rt_group_sched=0") ||
	           (has_word(texts->config, "CONFIG_RT_GROUP_SCHED_DEFAULT_DISABLED=y") &&
	            !has_word(texts->cmdline, "rt_group_sched=1"));
	bool refuses = texts->compiled && !off;
	struct check *check = doctor_add(report, "rt_group_sched", refuses ? CHECK_FAIL : CHECK_OK);

	if (!texts->compiled)
		doctor_say(check, "cgroups need no RT budget here: this kernel has no "
		                  "CONFIG_RT_GROUP_SCHED");
	else if (off)
		doctor_say(check, "CONFIG_RT_GROUP_SCHED is switched off (rt_group_sched=0)");
	if (!refuses)
		return;
	doctor_say(check, "CONFIG_RT_GROUP_SCHED on cgroup v2: the kernel refuses SCHED_FIFO in "
	                  "every group with the cpu controller except the root, and cgroup v2 has "
	                  "no budget that could be granted; domains in such groups are only "
	                  "observed");
	doctor_fix(check, "boot with rt_group_sched=0 (Linux 6.15 and later), or a kernel without "
	                  "CONFIG_RT_GROUP_SCHED, or with systemd.unified_cgroup_hierarchy=0");
}

/* ---- threads ---- */

/** The fields of a stat file behind the name: the first is number 3. */
#define FIELD_PPID        4
#define FIELD_FLAGS       9
#define FIELD_RT_PRIORITY 40

static unsigned long field(const char *behind_name, int number)
{
	for (int i = 3; i < number && behind_name; i++) {
		behind_name = strchr(behind_name, ' ');
		behind_name += behind_name ? 1 : 0;
	}
	return behind_name ? strtoul(behind_name, NULL, 10) : 0;
}

int doctor_thread_parse(const char *stat, struct doctor_thread *ret)
{
	const char *open = strchr(stat, '('), *close = strrchr(stat, ')');
	long pid = strtol(stat, NULL, 10);

	if (!open || !close || close < open || close[1] != ' ' || pid <= 0)
		return -EBADMSG;
	*ret = (struct doctor_thread){
	        .pid = (pid_t)pid,
	        .ppid = (pid_t)field(close + 2, FIELD_PPID),
	        .kernel = field(close + 2, FIELD_FLAGS) & PROCFS_FLAG_KTHREAD,
	        .rt_priority = (unsigned int)field(close + 2, FIELD_RT_PRIORITY),
	};
	snprintf(ret->comm, sizeof(ret->comm), "%.*s", (int)(close - open - 1), open + 1);
	return 0;
}

/** Threads that are real-time ones on every host, and run briefly. */
static bool is_usual(const char *comm)
{
	static const char *const usual[] = {"migration/",   "watchdogd", "irq/",
	                                    "idle_inject/", "psimon",    "card"};

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (strncmp(comm, usual[i], strlen(usual[i])) == 0)
			return true;
	return false;
}

/** "ksoftirqd/3" is of the kind "ksoftirqd". */
static int kind_length(const char *comm)
{
	return (int)strcspn(comm, "/:");
}

static bool same_kind(const struct doctor_thread *a, const struct doctor_thread *b)
{
	return a->rt_priority == b->rt_priority && kind_length(a->comm) == kind_length(b->comm) &&
	       strncmp(a->comm, b->comm, (size_t)kind_length(a->comm)) == 0;
}

/** The kinds of them, each once. Returns the highest priority; 0: there are none. */
static unsigned int list_kinds(const struct doctor_thread *threads, size_t n,
                               unsigned int rt_priority, char *text, size_t size)
{
	unsigned int highest = 0;
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		const struct doctor_thread *t = &threads[i];
		size_t j = 0;

		if (!t->kernel || t->rt_priority < rt_priority || is_usual(t->comm))
			continue;
		while (j < i && !(threads[j].kernel && same_kind(t, &threads[j])))
			j++;
		highest = MAX(highest, t->rt_priority);
		if (j == i && used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%.*s (priority %u)",
			                         used ? ", " : "", kind_length(t->comm), t->comm,
			                         t->rt_priority);
	}
	return highest;
}

void doctor_kernel_threads(struct doctor_report *report, const struct doctor_thread *threads,
                           size_t n, unsigned int rt_priority)
{
	char kinds[256] = "";
	unsigned int highest = list_kinds(threads, n, rt_priority, kinds, sizeof(kinds));
	struct check *check = doctor_add(report, "kernel_threads", highest ? CHECK_WARN : CHECK_OK);

	if (!highest) {
		doctor_say(check,
		           "no kernel thread but the usual ones has a real-time priority of %u or "
		           "above, as boosts have",
		           rt_priority);
		return;
	}
	doctor_say(check,
	           "kernel threads with the priority of boosts (%u) or above: %s; boosts and the "
	           "booster wait for their work, and it counts as real time of their CPUs",
	           rt_priority, kinds);
	if (highest < 10)
		doctor_fix(check,
		           "lower theirs (a profile of tuned such as realtime-virtual-host sets "
		           "them: tuned-adm active), or set \"rt_priority\": %u under \"host\" in "
		           "" PVSCHEDD_CONFIG ", then: systemctl restart pvschedd",
		           highest + 1);
	else
		doctor_fix(check, "lower theirs (a profile of tuned such as realtime-virtual-host "
		                  "sets them: tuned-adm active)");
}

static bool is_pvschedd(const struct doctor_thread *thread)
{
	return strcmp(thread->comm, "pvschedd") == 0;
}

static bool is_child_of_one(const struct doctor_thread *threads, size_t n,
                            const struct doctor_thread *thread)
{
	for (size_t i = 0; i < n; i++)
		if (threads[i].pid == thread->ppid)
			return is_pvschedd(&threads[i]);
	return false;
}

static void append_pid(char *pids, size_t size, size_t *used, pid_t pid)
{
	if (*used < size)
		*used += (size_t)snprintf(pids + *used, size - *used, " %d", pid);
}

void doctor_other_pvschedd(struct doctor_report *report, const struct doctor_thread *threads,
                           size_t n, pid_t answers)
{
	char pids[128] = "", others[128] = "";
	size_t count = 0, used = 0, used_others = 0;
	struct check *check;

	for (size_t i = 0; i < n; i++) {
		if (!is_pvschedd(&threads[i]) || is_child_of_one(threads, n, &threads[i]))
			continue;
		count++;
		append_pid(pids, sizeof(pids), &used, threads[i].pid);
		if (threads[i].pid != answers)
			append_pid(others, sizeof(others), &used_others, threads[i].pid);
	}
	if (count < 2)
		return;
	check = doctor_add(report, "other_pvschedd", CHECK_WARN);
	doctor_say(check,
	           "%zu pvschedd run, with the pids%s: each leaves alone what another one boosts, "
	           "and takes it for foreign real time",
	           count, pids);
	if (answers)
		doctor_fix(check, "end those that are not asked now: kill%s", others);
	else
		doctor_fix(check,
		           "end them, and start the service's: kill%s; systemctl restart "
		           "pvschedd",
		           pids);
}

/* ---- settings of the kernel ---- */

void doctor_io_uring(struct doctor_report *report, const char *disabled, const char *wait)
{
	bool off = disabled && atoi(disabled) > 0, wanted = strcmp(wait, "io_uring") == 0;
	struct check *check = doctor_add(report, "io_uring", off && wanted ? CHECK_WARN : CHECK_OK);

	if (!off)
		doctor_say(check, "io_uring is not switched off%s",
		           wanted ? "" : "; the booster waits by epoll and does not need it");
	else if (!wanted)
		doctor_say(check, "io_uring is switched off, and the booster waits by epoll");
	else
		doctor_say(check,
		           "host.booster_wait is io_uring, which kernel.io_uring_disabled=%d "
		           "forbids: the booster waits by epoll",
		           atoi(disabled));
	if (off && wanted)
		doctor_fix(check,
		           "sysctl kernel.io_uring_disabled=0, or \"booster_wait\": \"auto\" "
		           "under \"host\" in " PVSCHEDD_CONFIG "");
}

/** Copies the type of an SELinux label, its third part. */
static void label_type(const char *label, char *type, size_t size)
{
	for (int i = 0; i < 2 && label; i++) {
		label = strchr(label, ':');
		label += label ? 1 : 0;
	}
	snprintf(type, size, "%.*s", label ? (int)strcspn(label, ":\n") : 0, label ?: "");
}

static void check_selinux(struct doctor_report *report, const char *enforce, const char *label)
{
	bool enforcing = atoi(enforce) == 1;
	char type[64] = "";
	struct check *check;
	bool bad;

	if (label)
		label_type(label, type, sizeof(type));
	bad = enforcing && strcmp(type, "init_t") == 0;
	check = doctor_add(report, "selinux", bad ? CHECK_WARN : CHECK_OK);
	if (bad) {
		doctor_say(check, "SELinux enforces, and pvschedd runs as init_t: without a policy "
		                  "of its own NoNewPrivileges= keeps it there, and what init_t may "
		                  "not do fails");
		doctor_fix(check,
		           "ausearch -m avc -c pvschedd shows what is denied; a policy module "
		           "that allows nnp_transition lets it leave init_t");
		return;
	}
	doctor_say(check, "SELinux %s%s%s", enforcing ? "enforces" : "is permissive",
	           type[0] ? "; pvschedd runs as " : "", type);
}

static void check_apparmor(struct doctor_report *report, const char *label)
{
	int length = label ? (int)strcspn(label, "\n") : 0;
	bool confined = length && strncmp(label, "unconfined", (size_t)length) != 0;
	struct check *check = doctor_add(report, "apparmor", confined ? CHECK_WARN : CHECK_OK);

	if (!confined) {
		doctor_say(check, "AppArmor is on%s",
		           length ? ", and does not confine pvschedd" : "");
		return;
	}
	doctor_say(check, "AppArmor confines pvschedd: %.*s; what that profile forbids fails",
	           length, label);
	doctor_fix(check, "journalctl -k --grep 'apparmor=\"DENIED\".*pvschedd' shows what is "
	                  "denied; aa-complain pvschedd lets it pass");
}

void doctor_security(struct doctor_report *report, const char *apparmor, const char *selinux,
                     const char *label)
{
	if (selinux)
		check_selinux(report, selinux, label);
	else if (apparmor && apparmor[0] == 'Y')
		check_apparmor(report, label);
}

/** Has a process of this status file CAP_SYS_PTRACE, to which nothing is hidden? */
static bool may_trace(const char *status)
{
	static const char key[] = "\nCapEff:";
	const char *at = status ? strstr(status, key) : NULL;

	return at && strtoull(at + strlen(key), NULL, 16) & UINT64_C(1) << CAP_SYS_PTRACE;
}

void doctor_hidepid(struct doctor_report *report, const char *mountinfo, const char *status)
{
	int hidepid = mountinfo ? procfs_parse_hidepid(mountinfo, strlen(mountinfo)) : 0;
	bool hides = hidepid > 0 && !may_trace(status);
	struct check *check = doctor_add(report, "hidepid", hides ? CHECK_WARN : CHECK_OK);

	if (hidepid <= 0) {
		doctor_say(check, "/proc hides no processes");
		return;
	}
	if (!hides) {
		doctor_say(check,
		           "/proc is mounted with hidepid=%d, and pvschedd has CAP_SYS_PTRACE, so "
		           "it sees all QEMUs",
		           hidepid);
		return;
	}
	doctor_say(check,
	           "/proc is mounted with hidepid=%d: without CAP_SYS_PTRACE pvschedd does not see "
	           "QEMUs of other users",
	           hidepid);
	doctor_fix(check, "mount -o remount,hidepid=0 /proc, or " ADVICE_GUEST_PAGES);
}

/** The value of sched_core in qemu.conf, "none" by default. */
static void find_sched_core(const char *text, char *value, size_t size)
{
	static const char key[] = "sched_core";

	snprintf(value, size, "none");
	for (const char *line = text; line && *line; line += strcspn(line, "\n")) {
		line += strspn(line, " \t\n");
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		line += strlen(key) + strspn(line + strlen(key), " \t");
		if (*line != '=')
			continue;
		line += 1 + strspn(line + 1, " \t\"");
		snprintf(value, size, "%.*s", (int)strcspn(line, " \t\"\n"), line);
	}
}

void doctor_core_scheduling(struct doctor_report *report, const char *smt, const char *qemu_conf,
                            size_t n_cookies)
{
	bool shared = smt && atoi(smt) == 1, on;
	struct check *check;
	char value[32];

	find_sched_core(qemu_conf, value, sizeof(value));
	on = strcmp(value, "none") != 0 || n_cookies;
	check = doctor_add(report, "core_scheduling", shared && on ? CHECK_WARN : CHECK_OK);
	if (!shared) {
		doctor_say(check, "no two CPUs share a core here (SMT is off or there is none)");
		return;
	}
	if (!on) {
		doctor_say(check, "CPUs share cores (SMT), and no vCPU has core scheduling");
		return;
	}
	doctor_say(
	        check,
	        "CPUs share cores (SMT), and vCPUs have core scheduling (sched_core of qemu.conf: "
	        "\"%s\"; %zu threads now): while a boosted vCPU runs, the other CPU of its core "
	        "runs threads of that guest or nothing, so a boost may cost twice the time that "
	        "is counted",
	        value, n_cookies);
	doctor_fix(check,
	           "halve \"cpu_share_permille\" and \"domain_share_permille\" under \"host\" "
	           "in " PVSCHEDD_CONFIG "; or sched_core = \"none\" in "
	           "/etc/libvirt/qemu.conf, or no coresched(1)");
}

void doctor_vhost_vsock(struct doctor_report *report, const struct doctor_node *node)
{
	bool open = node->present && (node->mode & S_IWOTH);
	struct check *check = doctor_add(report, "vhost_vsock", open ? CHECK_WARN : CHECK_OK);

	if (!node->present) {
		doctor_say(check, "there is no /dev/vhost-vsock, so no guest can have a vsock "
		                  "device, nor an agent; modprobe vhost_vsock makes it");
	} else if (open) {
		doctor_say(check, "every user may open /dev/vhost-vsock, and take a CID before its "
		                  "domain does: that domain does not start, or has no agent");
		doctor_fix(check, "chmod o= /dev/vhost-vsock, and the udev rule that opens it");
	} else if (node->mode & S_IWGRP) {
		doctor_say(check,
		           "root and the group %s may give guests vsock devices "
		           "(/dev/vhost-vsock)",
		           node->group);
	} else {
		doctor_say(check, "root alone may give guests vsock devices (/dev/vhost-vsock), "
		                  "as libvirt does for its domains");
	}
}
