/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Threads that /proc does not show, by mounts of it that only this test sees. */

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "virt/hidden.h"

static void drop_ptrace(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		_exit(2);
	data[0].effective &= ~(1U << CAP_SYS_PTRACE);
	data[0].permitted &= ~(1U << CAP_SYS_PTRACE);
	if (syscall(SYS_capset, &header, data) < 0)
		_exit(2);
}

/** Counts them twice where /proc has these options. Returns 0: some; 1: none; 2: cannot be tried.
 */
static int count_hidden(const char *options)
{
	size_t before = 0;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("proc", "/proc", "proc", 0, options) < 0)
			_exit(2);
		drop_ptrace();
		if (hidden_threads(&before) > 0)
			_exit(3); /* one look is none */
		_exit(hidden_threads(&before) > 0 ? 0 : 1);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_hidden(void)
{
	size_t before = 0;

	if (count_hidden("hidepid=ptraceable") == 2)
		TEST_SKIP("/proc cannot be mounted here");
	CHECK_INT(count_hidden("hidepid=ptraceable"), 0);
	CHECK_INT(count_hidden("hidepid=off"), 1);
	hidden_threads(&before);
	CHECK_U64(hidden_threads(&before), 0); /* nothing is hidden from this test */
}

TEST_MAIN({"hidden", test_hidden})
