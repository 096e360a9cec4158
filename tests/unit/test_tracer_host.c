// SPDX-License-Identifier: GPL-2.0-or-later
/* Hosts on which the tracer would charge other threads, or none. */
#include "trace/host.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static char root[] = "/tmp/pvsched-host-XXXXXX";
static char why[512];

static void make_path(const char *path)
{
	char command[256];

	snprintf(command, sizeof(command), "mkdir -p %s%s", root, path);
	CHECK_INT(system(command), 0);
}

/* The namespace is the one of this process; @possible NULL: the file is not there. */
static int check(const char *possible)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/sys/devices/system/cpu/possible", root);
	unlink(path);
	if (possible) {
		file = fopen(path, "we");
		CHECK(file && fputs(possible, file) >= 0);
		fclose(file);
	}
	*why = '\0';
	return tracer_check_host(root, why, sizeof(why));
}

static void make_root(void)
{
	char path[256];

	if (strcmp(root + strlen(root) - 6, "XXXXXX") != 0)
		return;
	CHECK(mkdtemp(root));
	make_path("/sys/devices/system/cpu");
	make_path("/proc/self/ns");
	snprintf(path, sizeof(path), "%s/proc/self/ns/pid", root);
	CHECK_INT(symlink("/proc/self/ns/pid", path), 0);
}

static bool of_host(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == 0xEFFFFFFCU;
}

/* CPUs that have no account are named, not taken for others. */
static void test_cpus(void)
{
	static const struct {
		const char *possible;
		int result;
	} cases[] = {
	        {"0\n", 0},
	        {"0-1023\n", 0},
	        {"0-1024\n", -EOPNOTSUPP},
	        {"0-3,2000\n", -EOPNOTSUPP},
	        {"0-8191\n", -EOPNOTSUPP},
	        {"", -EOPNOTSUPP},
	        {NULL, -EOPNOTSUPP},
	};

	if (!of_host())
		TEST_SKIP("this is a PID namespace of its own");
	make_root();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_INT(check(cases[i].possible), cases[i].result);
		CHECK(!*why == !cases[i].result);
	}
	CHECK_INT(check("0-1024\n"), -EOPNOTSUPP);
	CHECK(strstr(why, "above number 1023"));
}

/* Returns 0: a process in a namespace of its own was refused; 1; 2: there can be none. */
static int be_in_namespace(void)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		return 2;
	pid = fork();
	if (pid == 0)
		_exit(check("0\n") == -EOPNOTSUPP && strstr(why, "PID namespace") ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1;
}

/* Another namespace, by another file in its place; none; and a true one. */
static void test_namespace(void)
{
	char path[256], other[256];
	int status;
	pid_t pid;

	make_root();
	snprintf(path, sizeof(path), "%s/proc/self/ns/pid", root);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(check("0\n"), -EOPNOTSUPP);
	CHECK(strstr(why, "PID namespace"));
	snprintf(other, sizeof(other), "%s/other", root);
	close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	CHECK_INT(symlink(other, path), 0);
	CHECK_INT(check("0\n"), -EOPNOTSUPP);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(symlink("/proc/self/ns/pid", path), 0);
	if (!of_host())
		TEST_SKIP("this is a PID namespace of its own");
	CHECK_INT(check("0\n"), 0);
	/* who makes a namespace can make no process after the first one in it has ended */
	pid = fork();
	if (pid == 0)
		_exit(be_in_namespace());
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		TEST_SKIP("no PID namespace can be made here");
	CHECK_INT(WEXITSTATUS(status), 0);
}

/* The last one: what it has made goes. */
static void test_cleans_up(void)
{
	char command[256];

	make_root();
	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK(WIFEXITED(system(command)));
	CHECK(access(root, F_OK) < 0);
}

TEST_MAIN({"cpus", test_cpus}, {"namespace", test_namespace}, {"cleans_up", test_cleans_up})
