/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/doctor_host.h"
#include "ctl/doctor_read.h"
#include "util/cgroup.h"
#include "util/cleanup.h"
#include "util/kernel_net.h"
#include "util/preempt_rt.h"

static void make_path(const struct doctor_env *env, char path[static 1024], const char *format, ...)
        PRINTF_FORMAT(3, 4);

static void make_path(const struct doctor_env *env, char path[static 1024], const char *format, ...)
{
	size_t used = (size_t)snprintf(path, 1024, "%s", env->root);
	va_list args;

	va_start(args, format);
	vsnprintf(path + MIN(used, (size_t)1023), 1024 - MIN(used, (size_t)1023), format, args);
	va_end(args);
}

/** Reads the first line of a small file, without its newline. Returns 0 or -errno. */
static int read_line(const char *path, char *line, size_t size)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, line, size - 1);
	if (n < 0)
		return -errno;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

static int read_at(const struct doctor_env *env, const char *name, char *line, size_t size)
{
	char path[1024];

	make_path(env, path, "%s", name);
	return read_line(path, line, size);
}

static bool exists(const struct doctor_env *env, const char *name)
{
	char path[1024];

	make_path(env, path, "%s", name);
	return access(path, F_OK) == 0;
}

static void check_disabled(const struct doctor_env *env, struct doctor_report *report)
{
	struct check *check;
	char path[1024];
	int r;

	make_path(env, path, "%s/disabled", env->state_dir);
	r = access(path, F_OK) == 0 ? 0 : -errno;
	check = doctor_add(report, "enabled", r == 0 ? CHECK_FAIL : CHECK_OK);
	if (r == 0) {
		doctor_say(check, "an administrator switched boosting off: %s exists", path);
		doctor_fix(check, "pvschedctl enable");
	} else if (r == -EACCES) {
		if (check)
			check->status = CHECK_WARN;
		doctor_say(check, "this user has no permission to check whether %s exists", path);
		doctor_fix(check, "sudo pvschedctl doctor");
	} else {
		doctor_say(check, "boosting is not switched off");
	}
}

static void check_btf(const struct doctor_env *env, struct doctor_report *report)
{
	bool ok = exists(env, "/sys/kernel/btf/vmlinux");
	struct check *check = doctor_add(report, "btf", ok ? CHECK_OK : CHECK_FAIL);

	if (ok) {
		doctor_say(check, "the kernel has BTF type information, which the tracer needs");
		return;
	}
	doctor_say(check,
	           "/sys/kernel/btf/vmlinux does not exist: the tracer cannot be loaded without "
	           "it, and nothing is boosted");
	doctor_fix(check, "boot a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian's kernels have it)");
}

static void check_lockdown(const struct doctor_env *env, struct doctor_report *report)
{
	struct check *check;
	char line[128];
	bool locked;

	if (read_at(env, "/sys/kernel/security/lockdown", line, sizeof(line)) < 0)
		return; /* no lockdown, or no securityfs; the daemon's tracer check still covers it
		         */
	locked = strstr(line, "[confidentiality]");
	check = doctor_add(report, "lockdown", locked ? CHECK_FAIL : CHECK_OK);
	doctor_say(check,
	           locked ? "kernel lockdown is at level confidentiality: BPF may not read kernel "
	                    "memory, so the tracer cannot be loaded"
	                  : "kernel lockdown does not prevent the tracer");
	if (locked)
		doctor_fix(check, "boot with lockdown=integrity, or without lockdown=");
}

/** Where groups have RT budgets. */
struct rt_groups {
	const struct doctor_env *env;
	struct cgroup_cpu cpu;
};

/** Returns -1 if the group or its budget does not exist. */
static long long rt_budget(const struct rt_groups *groups, const char *group)
{
	char path[1024], line[64];

	make_path(groups->env, path, "%s%s/cpu.rt_runtime_us", groups->cpu.mount, group);
	return read_line(path, line, sizeof(line)) < 0 ? -1 : atoll(line);
}

/** Counts the groups below @group that have no budget. @first gets the first one's path. */
static size_t count_unbudgeted(const struct rt_groups *groups, const char *group, int depth,
                               char *first, size_t size)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	char path[1024], child[512];
	struct dirent *entry;
	size_t count = 0;

	make_path(groups->env, path, "%s%s", groups->cpu.mount, group);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(child, sizeof(child), "%s/%s", group, entry->d_name) >=
		    (int)sizeof(child))
			continue;
		if (rt_budget(groups, child) < 0)
			continue;
		if (rt_budget(groups, child) == 0 && count++ == 0 && first[0] == '\0')
			snprintf(first, size, "%s", child);
		if (depth > 0)
			count += count_unbudgeted(groups, child, depth - 1, first, size);
	}
	return count;
}

/** With RT_GROUP_SCHED, the kernel refuses SCHED_FIFO in a group without RT budget, even to root.
 */
static void check_rt_groups(const struct doctor_env *env, struct doctor_report *report)
{
	static const char *const tops[] = {"/machine", "/machine.slice"};
	struct rt_groups groups = {.env = env};
	char first[512] = "", path[1024];
	struct check *check;
	size_t count = 0;
	bool any = false;

	make_path(env, path, "/proc/self/mountinfo");
	if (cgroup_cpu_find_in(path, &groups.cpu) < 0 || rt_budget(&groups, "") < 0) {
		doctor_read_rt_group(env, report);
		return;
	}
	check = doctor_add(report, "rt_group_sched", CHECK_OK);
	if (!check)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		any = any || rt_budget(&groups, tops[i]) >= 0;
		if (rt_budget(&groups, tops[i]) == 0 && count++ == 0)
			snprintf(first, sizeof(first), "%s", tops[i]);
		count += count_unbudgeted(&groups, tops[i], 1, first, sizeof(first));
	}
	if (any && count == 0) {
		doctor_say(check,
		           "every cgroup of libvirt has an RT budget (CONFIG_RT_GROUP_SCHED)");
		return;
	}
	check->status = any ? CHECK_FAIL : CHECK_WARN;
	if (any)
		doctor_say(
		        check,
		        "CONFIG_RT_GROUP_SCHED: %zu groups of libvirt have no RT budget, the first "
		        "is %s%s; the kernel refuses SCHED_FIFO there, so those domains are only "
		        "observed",
		        count, groups.cpu.mount, first);
	else
		doctor_say(
		        check,
		        "CONFIG_RT_GROUP_SCHED: cgroups of new domains will have no RT budget, so "
		        "the kernel will refuse SCHED_FIFO there");
	doctor_fix(check,
	           "set \"grant_rt_budget\": true under \"host\" in " PVSCHEDD_CONFIG ", under "
	           "systemd also a drop-in with ProtectControlGroups=no, then: systemctl restart "
	           "pvschedd. Or set budgets by hand, from the top down: echo 300000 > "
	           "%s%s/cpu.rt_runtime_us",
	           groups.cpu.mount, first[0] ? first : "/machine");
}

/** Only looks for sockets: a connection could start a libvirtd that was stopped on purpose. */
static void check_libvirt(const struct doctor_env *env, struct doctor_report *report)
{
	static const char *const sockets[] = {"/run/libvirt/virtqemud-sock-ro",
	                                      "/run/libvirt/libvirt-sock-ro"};
	struct check *check = doctor_add(report, "libvirt", CHECK_OK);

	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
		if (!exists(env, sockets[i]))
			continue;
		doctor_say(check, "libvirt's socket %s exists", sockets[i]);
		return;
	}
	if (!check)
		return;
	/* whether it is asked is for the daemon to say, by its configuration */
	check->status = CHECK_WARN;
	if (exists(env, "/usr/sbin/qm")) {
		doctor_say(check, "this is a host of Proxmox, which has no libvirt");
		doctor_fix(check, "apt install pvschedd-proxmox");
		return;
	}
	doctor_say(check,
	           "libvirt has no socket (of libvirtd or virtqemud), so none of its domains is "
	           "found");
	doctor_fix(
	        check,
	        "systemctl enable --now virtqemud.socket virtqemud-ro.socket, or libvirtd.socket "
	        "libvirtd-ro.socket; on a host without libvirt: \"discovery\": [\"procfs\"]");
}

static void check_kvm(const struct doctor_env *env, struct doctor_report *report)
{
	bool ok = exists(env, "/dev/kvm");
	struct check *check = doctor_add(report, "kvm", ok ? CHECK_OK : CHECK_WARN);

	doctor_say(check,
	           ok ? "/dev/kvm exists"
	              : "/dev/kvm does not exist: guests are emulated, and their interrupts cannot "
	                "be seen");
	if (!ok)
		doctor_fix(check, "modprobe kvm_intel (or kvm_amd); enable virtualisation in the "
		                  "firmware");
}

/** The first CPU whose fair server was switched off; -1: none, or its files are unreadable. */
static long fair_server_off(const struct doctor_env *env)
{
	char path[128], line[64];

	for (long cpu = 0;; cpu++) {
		snprintf(path, sizeof(path), KERNEL_NET_FAIR_SERVER_DIR "/cpu%ld/runtime", cpu);
		if (read_at(env, path, line, sizeof(line)) < 0)
			return -1;
		if (atoll(line) == 0)
			return cpu;
	}
}

static void check_fair_server(const struct doctor_env *env, struct check *check)
{
	long cpu = fair_server_off(env);

	if (cpu < 0) {
		doctor_say(
		        check,
		        "the kernel's fair server backs up the caps of pvschedd: it gives ordinary "
		        "threads a share of each CPU (5 %% by default), whatever real-time threads "
		        "do");
		return;
	}
	check->status = CHECK_WARN;
	doctor_say(check,
	           "the kernel's fair server was switched off on CPU %ld: only the caps of "
	           "pvschedd stop "
	           "a runaway real-time thread there",
	           cpu);
	doctor_fix(check, "echo 50000000 > " KERNEL_NET_FAIR_SERVER_DIR "/cpu%ld/runtime", cpu);
}

/** Checks sched_rt_runtime_us against sched_rt_period_us, on kernels without a fair server. */
static void check_rt_throttling(const struct kernel_net *net, struct check *check)
{
	long long runtime = net->runtime_us, period = net->period_us;

	if (!net->known) {
		check->status = CHECK_WARN;
		doctor_say(check,
		           "kernel.sched_rt_runtime_us cannot be read, so it is not known whether "
		           "the kernel stops a runaway real-time thread");
		return;
	}
	if (kernel_net_never_throttles(net)) {
		check->status = CHECK_WARN;
		doctor_say(check,
		           "kernel.sched_rt_runtime_us is %lld of %lld, and the kernel has no fair "
		           "server: only the caps of pvschedd stop a runaway real-time thread",
		           runtime, period);
		doctor_fix(check, "sysctl kernel.sched_rt_runtime_us=%lld", period / 20 * 19);
	} else if (runtime < period / 2) {
		check->status = runtime == 0 ? CHECK_FAIL : CHECK_WARN;
		doctor_say(check,
		           "kernel.sched_rt_runtime_us is %lld of %lld: the kernel stops real-time "
		           "threads early, including the booster and the guardian",
		           runtime, period);
		doctor_fix(check, "sysctl kernel.sched_rt_runtime_us=%lld", period / 20 * 19);
	} else {
		doctor_say(check,
		           "real-time throttling backs up the caps of pvschedd: "
		           "kernel.sched_rt_runtime_us is %lld of %lld",
		           runtime, period);
	}
}

/**
 * Checks what the kernel does if pvschedd fails to end a boost. Since Linux 6.12 the fair server
 * protects ordinary threads, and sched_rt_runtime_us no longer throttles ordinary real-time
 * threads.
 */
static void check_kernel_net(const struct doctor_env *env, struct doctor_report *report)
{
	struct check *check = doctor_add(report, "kernel_net", CHECK_OK);
	struct kernel_net net;

	if (!check)
		return;
	kernel_net_look(env->root, &net);
	if (net.fair_server)
		check_fair_server(env, check);
	else
		check_rt_throttling(&net, check);
}

static void check_preempt_rt(const struct doctor_env *env, struct doctor_report *report)
{
	enum preempt_rt found = preempt_rt_look(env->root);
	struct check *check;

	if (found == PREEMPT_RT_NO)
		return;
	check = doctor_add(report, "preempt_rt", CHECK_FAIL);
	if (found == PREEMPT_RT_UNKNOWN) {
		doctor_say(check,
		           "/proc/sys/kernel/version cannot be read. It says whether this is a "
		           "PREEMPT_RT kernel, so pvschedd only observes");
		doctor_fix(check, "let pvschedd read /proc/sys");
		return;
	}
	doctor_say(
	        check,
	        "this is a PREEMPT_RT kernel, which handles ring-buffer wake-ups and soft "
	        "timers in threads; a boosted vCPU would starve them, so pvschedd only observes");
	doctor_fix(check, "boot an ordinary kernel, or pin vCPUs and use libvirt's <vcpusched>");
}

static void check_sched_ext(const struct doctor_env *env, struct doctor_report *report)
{
	char state[64], ops[64] = "";
	struct check *check;

	if (read_at(env, "/sys/kernel/sched_ext/state", state, sizeof(state)) < 0)
		return; /* the kernel has no sched_ext */
	(void)read_at(env, "/sys/kernel/sched_ext/root/ops", ops, sizeof(ops));
	check = doctor_add(report, "sched_ext", CHECK_OK);
	if (!check || strcmp(state, "disabled") == 0) {
		doctor_say(check, "no sched_ext scheduler is loaded");
		return;
	}
	check->status = CHECK_WARN;
	doctor_say(check,
	           "a sched_ext scheduler is %s (%s): it schedules ordinary threads, so their "
	           "waits may "
	           "differ from the documented ones; SCHED_FIFO still goes before it",
	           state, ops);
	doctor_fix(check, "stop its service, which systemctl list-units 'scx*' names");
}

/** Daemons that set priorities of threads of other processes. */
static const struct {
	const char *comm;
	const char *meaning;
	const char *fix;
} rivals[] = {
        {"stalld",
         "boosts starving threads; it may boost threads that pvschedd makes wait for boosted vCPUs",
         "systemctl disable --now stalld"},
        {"rtkit-daemon",
         "gives real-time priority to desktop programs, which then count against the caps", ""},
        {"tuned", "a profile such as realtime-virtual-host sets priorities of kernel threads",
         "tuned-adm active; make sure that its [scheduler] section has no vCPU or kernel threads"},
        {"ananicy", "sets priorities by program name, also those of QEMU",
         "exclude qemu in its rules"},
        {"ananicy-cpp", "sets priorities by program name, also those of QEMU",
         "exclude qemu in its rules"},
};

static void report_rival(const struct doctor_env *env, struct doctor_report *report, size_t pid)
{
	char path[1024], comm[64];
	struct check *check;

	make_path(env, path, "/proc/%zu/comm", pid);
	if (read_line(path, comm, sizeof(comm)) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rivals); i++) {
		if (strcmp(comm, rivals[i].comm) != 0)
			continue;
		check = doctor_add(report, "other_daemons",
		                   rivals[i].fix[0] ? CHECK_WARN : CHECK_OK);
		doctor_say(check, "%s (pid %zu) runs: %s", comm, pid, rivals[i].meaning);
		doctor_fix(check, "%s", rivals[i].fix);
	}
}

static void check_rivals(const struct doctor_env *env, struct doctor_report *report)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	size_t before = report->n;
	struct dirent *entry;
	char path[1024];

	make_path(env, path, "/proc");
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			report_rival(env, report, strtoul(entry->d_name, NULL, 10));
	if (dir && report->n == before)
		doctor_say(doctor_add(report, "other_daemons", CHECK_OK),
		           "no other daemon that sets priorities runs (rtkit, stalld, tuned, "
		           "ananicy)");
}

static void check_privileges(const struct doctor_env *env, struct doctor_report *report)
{
	bool root = geteuid() == 0;
	struct check *check = doctor_add(report, "privileges", root ? CHECK_OK : CHECK_WARN);
	char path[1024];

	make_path(env, path, "%s", env->socket);
	if (root) {
		doctor_say(check, "pvschedctl runs as root, so it can check everything");
		return;
	}
	doctor_say(check, "pvschedctl does not run as root, so it cannot read some files%s",
	           access(path, W_OK) == 0 ? "; it may query the daemon, but not change anything"
	                                   : ", and may not query the daemon");
	doctor_fix(check, "sudo pvschedctl doctor; to query without root: adduser %s pvsched",
	           env->user ?: "USER");
}

void doctor_run_local(const struct doctor_env *env, struct doctor_report *report)
{
	static void (*const checks[])(const struct doctor_env *, struct doctor_report *) = {
	        check_privileges, check_disabled,   check_btf,        check_lockdown,
	        check_rt_groups,  check_kernel_net, check_preempt_rt, check_libvirt,
	        check_kvm,        check_sched_ext,  check_rivals,
	};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		checks[i](env, report);
	doctor_read_host(env, report);
}
