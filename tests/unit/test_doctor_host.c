// SPDX-License-Identifier: GPL-2.0-or-later
/* The checks of the host as functions of texts: one table each. */
#include "ctl/doctor_host.h"

#include <errno.h>
#include <sys/stat.h>

#include "test.h"

static struct doctor_report report;

/** The check of this name among those made since begin(); NULL: there is none. */
static const struct check *made(const char *name)
{
	for (size_t i = 0; i < report.n; i++)
		if (strcmp(report.checks[i].name, name) == 0)
			return &report.checks[i];
	return NULL;
}

static void check_one(const char *name, enum check_status status, const char *detail)
{
	const struct check *check = made(name);

	CHECK(check);
	CHECK_INT(report.n, 1);
	CHECK_INT(check->status, status);
	CHECK_CONTAINS(check->detail, detail);
	/* what is wrong has a fix, what is not has none */
	CHECK_INT(check->fix[0] != '\0', status != CHECK_OK);
	CHECK(strlen(check->fix) < sizeof(check->fix) - 1);
	CHECK(strlen(check->detail) < sizeof(check->detail) - 1);
	report.n = 0;
}

static void test_rt_group_sched(void)
{
	static const struct {
		bool compiled;
		const char *cmdline, *config;
		enum check_status status;
		const char *detail;
	} cases[] = {
	        {false, NULL, NULL, CHECK_OK, "no CONFIG_RT_GROUP_SCHED"},
	        {true, NULL, NULL, CHECK_FAIL, "refuses SCHED_FIFO"},
	        {true, "quiet root=/dev/vda1\n", "CONFIG_RT_GROUP_SCHED=y\n", CHECK_FAIL,
	         "cgroup v2"},
	        {true, "quiet rt_group_sched=0\n", NULL, CHECK_OK, "switched off"},
	        {true, "rt_group_sched=01\n", NULL, CHECK_FAIL, "refuses"},
	        {true, "x.rt_group_sched=0\n", NULL, CHECK_FAIL, "refuses"},
	        {true, "quiet\n", "A=y\nCONFIG_RT_GROUP_SCHED_DEFAULT_DISABLED=y\nB=y\n", CHECK_OK,
	         "switched off"},
	        {true, "rt_group_sched=1\n", "CONFIG_RT_GROUP_SCHED_DEFAULT_DISABLED=y\n",
	         CHECK_FAIL, "refuses"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct doctor_rt_group texts = {cases[i].compiled, cases[i].cmdline,
		                                      cases[i].config};

		doctor_rt_group_sched(&report, &texts);
		check_one("rt_group_sched", cases[i].status, cases[i].detail);
	}
}

#define KERNEL                                                                                     \
	"S 2 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 1 0 20 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 "
#define USER "S 1 9 9 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 20 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 "

static struct doctor_thread thread(const char *stat)
{
	struct doctor_thread ret;

	CHECK_INT(doctor_thread_parse(stat, &ret), 0);
	return ret;
}

static void test_thread_parse(void)
{
	static const char *const bad[] = {
	        "", "x", "12", "12 (a", "12 a) S 1", "-3 (a) S 1 2", "0 (a) S 1", "12 )a( S 1"};
	struct doctor_thread t = thread("17 (ksoftirqd/1) " KERNEL "2 1 0 0 0\n");

	CHECK_INT(t.pid, 17);
	CHECK_INT(t.ppid, 2);
	CHECK(t.kernel);
	CHECK_INT(t.rt_priority, 2);
	CHECK_STR(t.comm, "ksoftirqd/1");
	t = thread("42 (a) b (c) " USER "0 0 0\n");
	CHECK_STR(t.comm, "a) b (c");
	CHECK(!t.kernel && t.rt_priority == 0 && t.ppid == 1);
	/* cut off: what is missing is 0 */
	t = thread("42 (a) S 7");
	CHECK(t.ppid == 7 && !t.kernel && t.rt_priority == 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(doctor_thread_parse(bad[i], &t), -EBADMSG);
}

static void test_kernel_threads(void)
{
	const struct doctor_thread usual[] = {
	        thread("18 (migration/0) " KERNEL "99 1 0\n"),
	        thread("19 (irq/24-ACPI:Ged) " KERNEL "50 1 0\n"),
	        thread("20 (ksoftirqd/0) " KERNEL "0 0 0\n"),
	        thread("21 (ksoftirqd/x) " USER "60 1 0\n"), /* a user's, of that name */
	};
	const struct doctor_thread tuned[] = {
	        usual[0],
	        thread("20 (ksoftirqd/0) " KERNEL "2 1 0\n"),
	        thread("22 (ksoftirqd/1) " KERNEL "2 1 0\n"),
	        thread("23 (rcuc/0) " KERNEL "4 1 0\n"),
	};
	const struct doctor_thread high[] = {thread("23 (rcuc/0) " KERNEL "11 1 0\n")};

	doctor_kernel_threads(&report, usual, ARRAY_SIZE(usual), 1);
	check_one("kernel_threads", CHECK_OK, "no kernel thread but the usual ones");
	doctor_kernel_threads(&report, tuned, ARRAY_SIZE(tuned), 1);
	CHECK_CONTAINS(made("kernel_threads")->detail,
	               "ksoftirqd (priority 2), rcuc (priority 4);");
	CHECK_CONTAINS(made("kernel_threads")->fix, "\"rt_priority\": 5");
	check_one("kernel_threads", CHECK_WARN, "priority of boosts (1) or above");
	/* below ours they do not matter */
	doctor_kernel_threads(&report, tuned, ARRAY_SIZE(tuned), 5);
	check_one("kernel_threads", CHECK_OK, "of 5 or above");
	doctor_kernel_threads(&report, high, ARRAY_SIZE(high), 1);
	CHECK(!strstr(made("kernel_threads")->fix, "rt_priority"));
	check_one("kernel_threads", CHECK_WARN, "rcuc (priority 11)");
}

static void test_other_pvschedd(void)
{
	const struct doctor_thread threads[] = {
	        thread("1 (systemd) " USER "0 0\n"), thread("70 (pvschedd) S 1 0"),
	        thread("71 (pvschedd) S 70 0"), /* its guardian */
	        thread("72 (pvschedd) S 70 0"), /* its reader */
	        thread("90 (pvschedctl) S 1 0"),     thread("91 (pvschedd) S 60 0"),
	};

	doctor_other_pvschedd(&report, threads, 5, 70);
	CHECK_INT(report.n, 0);
	doctor_other_pvschedd(&report, threads, 6, 70);
	CHECK_CONTAINS(made("other_pvschedd")->fix, ": kill 91");
	check_one("other_pvschedd", CHECK_WARN, "2 pvschedd run, with the pids 70 91:");
	/* none answers */
	doctor_other_pvschedd(&report, threads, 6, 0);
	CHECK_CONTAINS(made("other_pvschedd")->fix, "kill 70 91; systemctl restart pvschedd");
	check_one("other_pvschedd", CHECK_WARN, "with the pids 70 91:");
}

static void test_io_uring(void)
{
	static const struct {
		const char *disabled, *wait;
		enum check_status status;
		const char *detail;
	} cases[] = {
	        {NULL, "auto", CHECK_OK, "does not need it"},
	        {"0\n", "io_uring", CHECK_OK, "not switched off"},
	        {"2\n", "auto", CHECK_OK, "waits by epoll"},
	        {"1\n", "", CHECK_OK, "waits by epoll"},
	        {"2\n", "io_uring", CHECK_WARN, "kernel.io_uring_disabled=2"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		doctor_io_uring(&report, cases[i].disabled, cases[i].wait);
		check_one("io_uring", cases[i].status, cases[i].detail);
	}
}

static void test_security(void)
{
	static const struct {
		const char *apparmor, *selinux, *label, *name;
		enum check_status status;
		const char *detail;
	} cases[] = {
	        {"Y\n", NULL, NULL, "apparmor", CHECK_OK, "AppArmor is on"},
	        {"Y\n", NULL, "unconfined\n", "apparmor", CHECK_OK, "does not confine"},
	        {"Y\n", NULL, "pvschedd (enforce)\n", "apparmor", CHECK_WARN,
	         "confines pvschedd: pvschedd (enforce);"},
	        {NULL, "0", "system_u:system_r:init_t:s0", "selinux", CHECK_OK, "permissive"},
	        {NULL, "1", NULL, "selinux", CHECK_OK, "SELinux enforces"},
	        {NULL, "1", "system_u:system_r:unconfined_service_t:s0", "selinux", CHECK_OK,
	         "runs as unconfined_service_t"},
	        {"Y\n", "1", "system_u:system_r:init_t:s0\n", "selinux", CHECK_WARN, "init_t"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		doctor_security(&report, cases[i].apparmor, cases[i].selinux, cases[i].label);
		check_one(cases[i].name, cases[i].status, cases[i].detail);
	}
	doctor_security(&report, NULL, NULL, "unconfined");
	doctor_security(&report, "N\n", NULL, NULL);
	CHECK_INT(report.n, 0);
}

#define HIDES "22 1 0:21 / /proc rw - proc proc rw,hidepid=2\n"

static void test_hidepid(void)
{
	static const struct {
		const char *mountinfo, *status;
		enum check_status result;
		const char *detail;
	} cases[] = {
	        {NULL, NULL, CHECK_OK, "hides no"},
	        {"", NULL, CHECK_OK, "hides no"},
	        {"22 1 0:21 / /proc rw,nosuid - proc proc rw\n", NULL, CHECK_OK, "hides no"},
	        {HIDES, NULL, CHECK_WARN, "hidepid=2"},
	        {"22 1 0:21 / /proc rw - proc proc rw,hidepid=invisible\n", NULL, CHECK_WARN,
	         "hidepid=2"},
	        /* what the daemon may see counts: bit 19 */
	        {HIDES, "", CHECK_WARN, "does not see"},
	        {HIDES, "Name:\tpvschedd\nCapPrm:\t0000000000080000\nCapEff:\t000000c000801000\n",
	         CHECK_WARN, "does not see"},
	        {HIDES, "Name:\tpvschedd\nCapEff:\t000000c000881000\n", CHECK_OK, "sees all QEMUs"},
	        {HIDES, "Name:\tpvschedd\nCapEff:", CHECK_WARN, "does not see"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		doctor_hidepid(&report, cases[i].mountinfo, cases[i].status);
		check_one("hidepid", cases[i].result, cases[i].detail);
	}
}

static void test_core_scheduling(void)
{
	static const struct {
		const char *smt, *qemu_conf;
		enum check_status status;
		const char *detail;
	} cases[] = {
	        {NULL, "sched_core = \"full\"\n", CHECK_OK, "no two CPUs"},
	        {"0\n", "sched_core = \"full\"\n", CHECK_OK, "no two CPUs"},
	        {"1\n", NULL, CHECK_OK, "no vCPU has core"},
	        {"1\n", "#sched_core = \"vcpus\"\n", CHECK_OK, "no vCPU has core"},
	        {"1\n", "sched_core_x = \"vcpus\"\n", CHECK_OK, "no vCPU has core"},
	        {"1\n", "sched_core = \"none\"\n", CHECK_OK, "no vCPU has core"},
	        {"1\n", "a = 1\n  sched_core=\"vcpus\"\nb = 2\n", CHECK_WARN, "\"vcpus\""},
	        {"1\n", "sched_core = \"vcpus\"\nsched_core = \"none\"", CHECK_OK,
	         "no vCPU has core"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		doctor_core_scheduling(&report, cases[i].smt, cases[i].qemu_conf, 0);
		check_one("core_scheduling", cases[i].status, cases[i].detail);
	}
	/* cookies that something else than libvirt gave */
	doctor_core_scheduling(&report, "1\n", NULL, 3);
	check_one("core_scheduling", CHECK_WARN, "3 threads now");
	doctor_core_scheduling(&report, "0\n", NULL, 3);
	check_one("core_scheduling", CHECK_OK, "no two CPUs");
}

static void test_vhost_vsock(void)
{
	static const struct {
		struct doctor_node node;
		enum check_status status;
		const char *detail;
	} cases[] = {
	        {{false, 0, NULL}, CHECK_OK, "modprobe vhost_vsock"},
	        {{true, S_IFCHR | 0660, "kvm"}, CHECK_OK, "root and the group kvm"},
	        {{true, S_IFCHR | 0600, "root"}, CHECK_OK, "root alone"},
	        {{true, S_IFCHR | 0666, "kvm"}, CHECK_WARN, "every user may open"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		doctor_vhost_vsock(&report, &cases[i].node);
		check_one("vhost_vsock", cases[i].status, cases[i].detail);
	}
}

TEST_MAIN(TEST(test_rt_group_sched), TEST(test_thread_parse), TEST(test_kernel_threads),
          TEST(test_other_pvschedd), TEST(test_io_uring), TEST(test_security), TEST(test_hidepid),
          TEST(test_core_scheduling), TEST(test_vhost_vsock))
