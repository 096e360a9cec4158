/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts that doctor judges: a program chooses its name, an administrator what qemu.conf says. */
#include "ctl/doctor_host.h"

#include "fuzz.h"

static struct doctor_report report;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	const struct doctor_rt_group rt = {true, text, text};
	struct doctor_thread threads[2];

	FUZZ_CHECK(text);
	report.n = 0;
	if (doctor_thread_parse(text, &threads[0]) == 0) {
		threads[1] = threads[0];
		doctor_kernel_threads(&report, threads, 2, 1);
		doctor_other_pvschedd(&report, threads, 2, size & 1 ? threads[0].pid : 0);
	}
	doctor_rt_group_sched(&report, &rt);
	doctor_io_uring(&report, text, "io_uring");
	doctor_security(&report, NULL, text, text);
	doctor_security(&report, "Y", NULL, text);
	doctor_hidepid(&report, text, NULL);
	doctor_hidepid(&report, "22 1 0:21 / /proc rw - proc proc rw,hidepid=2\n", text);
	doctor_core_scheduling(&report, "1", text, size & 1);
	for (size_t i = 0; i < report.n; i++) {
		FUZZ_CHECK(report.checks[i].detail[0]);
		FUZZ_CHECK((report.checks[i].fix[0] == '\0') ==
		           (report.checks[i].status == CHECK_OK));
	}
	free(text);
	return 0;
}
