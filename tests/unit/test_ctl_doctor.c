/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The checks of `pvschedctl doctor`, on a fake root. */

#include <errno.h>
#include <sys/stat.h>

#include "ctl/doctor.h"
#include "test.h"
#include "util/json.h"

static void write_bytes(const char *root, const char *name, const char *bytes, size_t size)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", root, name);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	file = fopen(path, "w");
	CHECK(file);
	fwrite(bytes, 1, size, file);
	fclose(file);
}

static void write_file(const char *root, const char *name, const char *text)
{
	write_bytes(root, name, text, strlen(text));
}

static const struct check *find(const struct doctor_report *report, const char *name)
{
	for (size_t i = 0; i < report->n; i++)
		if (strcmp(report->checks[i].name, name) == 0)
			return &report->checks[i];
	fprintf(stderr, "no check %s\n", name);
	test_fail();
}

static struct doctor_report report;

static void run_doctor(const char *root)
{
	const struct doctor_env env = {
	        .root = root, .socket = "/run/sock", .state_dir = "/var/lib/pvschedd"};

	report.n = 0;
	doctor_run_local(&env, &report);
}

static void test_doctor_finds(void)
{
	char root[] = "/tmp/pvsched-root-XXXXXX", command[64];

	CHECK(mkdtemp(root));
	run_doctor(root);
	CHECK_INT(find(&report, "btf")->status, CHECK_FAIL);
	CHECK_INT(find(&report, "libvirt")->status, CHECK_WARN);
	CHECK_CONTAINS(find(&report, "libvirt")->fix, "virtqemud");
	write_file(root, "/usr/sbin/qm", "");
	run_doctor(root);
	CHECK_STR(find(&report, "libvirt")->fix, "apt install pvschedd-proxmox");
	CHECK_INT(find(&report, "kvm")->status, CHECK_WARN);
	CHECK_INT(find(&report, "enabled")->status, CHECK_OK);
	CHECK_INT(find(&report, "rt_group_sched")->status, CHECK_OK);
	write_file(root, "/sys/kernel/btf/vmlinux", "");
	write_file(root, "/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	write_file(root, "/sys/kernel/sched_ext/state", "enabled\n");
	write_file(root, "/sys/kernel/sched_ext/root/ops", "lavd\n");
	write_file(root, "/proc/sys/kernel/sched_rt_runtime_us", "-1\n");
	write_file(root, "/proc/77/comm", "stalld\n");
	write_file(root, "/run/libvirt/virtqemud-sock-ro", "");
	write_file(root, "/var/lib/pvschedd/disabled", "");
	/* wherever the hierarchy is mounted */
	write_file(root, "/proc/self/mountinfo", "33 31 0:29 / /cgroup/cpu rw - cgroup c rw,cpu\n");
	write_file(root, "/cgroup/cpu/cpu.rt_runtime_us", "950000\n");
	run_doctor(root);
	CHECK_INT(find(&report, "rt_group_sched")->status, CHECK_WARN);
	CHECK_INT(find(&report, "enabled")->status, CHECK_FAIL);
	CHECK_STR(find(&report, "enabled")->fix, "pvschedctl enable");
	CHECK_INT(find(&report, "btf")->status, CHECK_OK);
	CHECK_INT(find(&report, "lockdown")->status, CHECK_FAIL);
	CHECK_INT(find(&report, "libvirt")->status, CHECK_OK);
	CHECK_CONTAINS(find(&report, "sched_ext")->detail, "lavd");
	CHECK_CONTAINS(find(&report, "other_daemons")->detail, "stalld (pid 77)");
	CHECK_INT(find(&report, "kernel_net")->status, CHECK_WARN);
	write_file(root, "/cgroup/cpu/machine/cpu.rt_runtime_us", "300000\n");
	write_file(root, "/cgroup/cpu/machine/web/cpu.rt_runtime_us", "0\n");
	write_file(root, "/cgroup/cpu/machine/web/vcpu0/cpu.rt_runtime_us", "0\n");
	run_doctor(root);
	CHECK_INT(find(&report, "rt_group_sched")->status, CHECK_FAIL);
	CHECK_CONTAINS(find(&report, "rt_group_sched")->detail, "2 groups");
	CHECK_CONTAINS(find(&report, "rt_group_sched")->detail, "/cgroup/cpu/machine/web;");
	CHECK_CONTAINS(find(&report, "rt_group_sched")->fix, "> /cgroup/cpu/machine/web/cpu.rt");
	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK_INT(system(command), 0);
}

static void check_net(const char *root, enum check_status status, const char *detail,
                      const char *fix)
{
	run_doctor(root);
	CHECK_INT(find(&report, "kernel_net")->status, status);
	CHECK_CONTAINS(find(&report, "kernel_net")->detail, detail);
	if (fix[0])
		CHECK_CONTAINS(find(&report, "kernel_net")->fix, fix);
	else
		CHECK_STR(find(&report, "kernel_net")->fix, "");
}

static void test_doctor_knows_the_kernels_net(void)
{
	char root[] = "/tmp/pvsched-root-XXXXXX", command[64];
	static const char btf[] = "x\0fair_server_x\0fair_server";

	CHECK(mkdtemp(root));
	check_net(root, CHECK_WARN, "cannot be read", "");
	/* throttling */
	write_file(root, "/proc/sys/kernel/sched_rt_period_us", "1000000\n");
	write_file(root, "/proc/sys/kernel/sched_rt_runtime_us", "950000\n");
	check_net(root, CHECK_OK, "real-time throttling backs up", "");
	write_file(root, "/proc/sys/kernel/sched_rt_runtime_us", "1000000\n");
	check_net(root, CHECK_WARN, "only the caps", "sched_rt_runtime_us=950000");
	write_file(root, "/proc/sys/kernel/sched_rt_runtime_us", "-1\n");
	check_net(root, CHECK_WARN, "only the caps", "sched_rt_runtime_us=950000");
	write_file(root, "/proc/sys/kernel/sched_rt_runtime_us", "100000\n");
	check_net(root, CHECK_WARN, "early", "sched_rt_runtime_us=950000");
	/* a longer name, or one at the very end, is not it */
	write_bytes(root, "/sys/kernel/btf/vmlinux", btf, sizeof(btf) - 1);
	check_net(root, CHECK_WARN, "early", "sched_rt_runtime_us=950000");
	/* the fair server, by BTF alone, where debugfs is not mounted */
	write_bytes(root, "/sys/kernel/btf/vmlinux", btf, sizeof(btf));
	check_net(root, CHECK_OK, "fair server backs up", "");
	write_file(root, "/sys/kernel/debug/sched/fair_server/cpu0/runtime", "50000000\n");
	write_file(root, "/sys/kernel/debug/sched/fair_server/cpu1/runtime", "0\n");
	check_net(root, CHECK_WARN, "switched off on CPU 1", "fair_server/cpu1/runtime");
	write_file(root, "/sys/kernel/debug/sched/fair_server/cpu1/runtime", "50000000\n");
	check_net(root, CHECK_OK, "fair server backs up", "");
	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK_INT(system(command), 0);
}

static void test_doctor_knows_preempt_rt(void)
{
	char root[] = "/tmp/pvsched-root-XXXXXX", command[64];

	CHECK(mkdtemp(root));
	run_doctor(root);
	CHECK_INT(find(&report, "preempt_rt")->status, CHECK_FAIL);
	CHECK_CONTAINS(find(&report, "preempt_rt")->detail, "cannot be read");
	write_file(root, "/proc/sys/kernel/version", "#1 SMP PREEMPT_RT Debian 6.12.73-1\n");
	run_doctor(root);
	CHECK_INT(find(&report, "preempt_rt")->status, CHECK_FAIL);
	CHECK_CONTAINS(find(&report, "preempt_rt")->detail, "this is a PREEMPT_RT kernel");
	write_file(root, "/proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.73-1\n");
	run_doctor(root);
	for (size_t i = 0; i < report.n; i++)
		CHECK(strcmp(report.checks[i].name, "preempt_rt") != 0);
	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK_INT(system(command), 0);
}

#define STAT(pid, ppid)                                                                            \
#pid " (pvschedd) S " #ppid                                                                \
	     " 9 9 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 20 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0"

/* Of several daemons, the one that answers counts, by its own files. */
static void test_doctor_looks_at_the_daemon_that_answers(void)
{
	char root[] = "/tmp/pvsched-root-XXXXXX", command[64];
	struct doctor_env env = {.root = root,
	                         .socket = "/run/sock",
	                         .state_dir = "/var/lib/pvschedd",
	                         .daemon = 91};

	CHECK(mkdtemp(root));
	write_file(root, "/proc/self/mountinfo", "22 1 0:21 / /proc rw - proc proc rw,hidepid=2\n");
	write_file(root, "/proc/70/stat", STAT(70, 1));
	write_file(root, "/proc/70/status", "Name:\tpvschedd\nCapEff:\t000000c000801000\n");
	write_file(root, "/proc/71/stat", STAT(71, 70)); /* its guardian */
	write_file(root, "/proc/91/stat", STAT(91, 60));
	write_file(root, "/proc/91/status", "Name:\tpvschedd\nCapEff:\t000000c000881000\n");
	report.n = 0;
	doctor_run_local(&env, &report);
	CHECK_CONTAINS(find(&report, "other_pvschedd")->detail, "2 pvschedd run");
	CHECK_CONTAINS(find(&report, "other_pvschedd")->fix, ": kill 70");
	CHECK_INT(find(&report, "hidepid")->status, CHECK_OK);
	env.daemon = 0; /* none answers: the first one */
	report.n = 0;
	doctor_run_local(&env, &report);
	CHECK_INT(find(&report, "hidepid")->status, CHECK_WARN);
	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK_INT(system(command), 0);
}

/* More checks than there is room for are counted, and the worst of them counts. */
static void test_doctor_is_bounded(void)
{
	static char json[DOCTOR_CHECKS_MAX * 64];
	struct json_doc *doc = NULL;
	struct json_error error;
	size_t n = (size_t)sprintf(json, "{\"checks\":[{\"name\":\"libvirt\",\"status\":\"ok\"}");

	for (int i = 0; i < DOCTOR_CHECKS_MAX + 5; i++)
		n += (size_t)sprintf(json + n, ",{\"name\":\"domain %d\",\"status\":\"%s\"}", i,
		                     i == DOCTOR_CHECKS_MAX + 3 ? "fail" : "ok");
	strcpy(json + n, "]}");
	CHECK_INT(json_parse(json, strlen(json), &doc, &error), 0);
	memset(&report, 0, sizeof(report));
	doctor_add(&report, "libvirt", CHECK_WARN); /* which the daemon does not ask */
	doctor_merge(&report, json_root(doc));
	json_free(doc);
	CHECK_INT(find(&report, "libvirt")->status, CHECK_OK);
	CHECK_INT(report.n, DOCTOR_CHECKS_MAX);
	CHECK_INT(report.n_left_out, 7);
	CHECK_STR(find(&report, "more")->detail, "7 more checks are not shown");
	CHECK_INT(doctor_worst(&report), CHECK_FAIL);
	memset(&report, 0, sizeof(report));
}

static void test_doctor_merges(void)
{
	const struct doctor_env env = {.root = "", .socket = "/s", .state_dir = "/d"};
	static const char json[] = "{\"checks\":[{\"name\":\"btf\",\"status\":\"fail\",\"detail\":"
	                           "\"theirs\",\"fix\":\"x\"},{\"name\":\"new\",\"status\":\"ok\"},"
	                           "{\"name\":\"new\",\"status\":\"huh\"},{},7]}";
	struct json_error error;
	struct json_doc *doc = NULL;
	char *text = NULL;
	size_t size;
	FILE *out;

	CHECK_INT(json_parse(json, strlen(json), &doc, &error), 0);
	report.n = 0;
	doctor_add_daemon(&env, &report, 0);
	doctor_add(&report, "btf", CHECK_OK);
	CHECK_INT(doctor_worst(&report), CHECK_OK);
	doctor_merge(&report, json_root(doc));
	json_free(doc);
	CHECK_INT(report.n, 6);
	CHECK_STR(report.checks[1].detail, "theirs");
	CHECK_INT(doctor_worst(&report), CHECK_FAIL);
	out = open_memstream(&text, &size);
	doctor_render(&report, out);
	fclose(out);
	CHECK_CONTAINS(text, "fail  btf: theirs\n      fix: x\n");
	CHECK_CONTAINS(text, "2 ok, 3 warnings, 1 failed\n");
	free(text);
	out = open_memstream(&text, &size);
	CHECK_INT(doctor_render_json(&report, out), 0);
	fclose(out);
	CHECK_CONTAINS(
	        text, "{\"name\":\"btf\",\"status\":\"fail\",\"detail\":\"theirs\",\"fix\":\"x\"}");
	free(text);
	for (int i = 0; i < 2 * DOCTOR_CHECKS_MAX; i++)
		doctor_add(&report, "other", CHECK_OK);
	CHECK_INT(report.n, DOCTOR_CHECKS_MAX - 1);
}

static const struct check *fair_class(int error, unsigned int permille)
{
	const struct fair_order order = {permille, permille <= 500};

	report.n = 0;
	doctor_add_fair_order(&report, error, &order);
	CHECK_INT(report.n, 1);
	CHECK_STR(report.checks[0].name, "fair-class");
	return &report.checks[0];
}

static void test_doctor_tells_the_fair_class(void)
{
	const struct check *check = fair_class(0, 253);

	CHECK_INT(check->status, CHECK_OK);
	CHECK_CONTAINS(check->detail, "got 253 permille of a CPU, where 250 are fair");
	check = fair_class(0, 978);
	CHECK_INT(check->status, CHECK_WARN);
	CHECK_CONTAINS(check->detail, "keep 978 permille of a CPU, where 250 are fair");
	CHECK_CONTAINS(check->fix, "6.18.44");
	check = fair_class(-EACCES, 0);
	CHECK_INT(check->status, CHECK_WARN);
	CHECK_CONTAINS(check->detail, "was not tried: Permission denied");
	CHECK_CONTAINS(check->fix, "sudo pvschedctl doctor --probe");
	check = fair_class(-EOPNOTSUPP, 0);
	CHECK_CONTAINS(check->detail, "one CPU only");
	CHECK_STR(check->fix, "");
	CHECK_CONTAINS(fair_class(-EBUSY, 0)->detail, "another probe is under way");
}

TEST_MAIN({"finds", test_doctor_finds},
          {"knows_the_kernels_net", test_doctor_knows_the_kernels_net},
          {"knows_preempt_rt", test_doctor_knows_preempt_rt}, {"merges", test_doctor_merges},
          {"looks_at_the_daemon_that_answers", test_doctor_looks_at_the_daemon_that_answers},
          {"is_bounded", test_doctor_is_bounded},
          {"tells_the_fair_class", test_doctor_tells_the_fair_class})
