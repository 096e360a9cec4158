// SPDX-License-Identifier: GPL-2.0-or-later
/* The booster's sleep: both ways of it, and the way back where the kernel refuses io_uring. */
#include "boost/wait.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"

#include "test.h"

#define FIRST  (1U << 0)
#define SECOND (1U << 1)

struct scene {
	int fds[2];
	struct wait *wait;
};

/* False: the kernel does not allow it. */
static bool begin(struct scene *scene, bool io_uring)
{
	for (size_t i = 0; i < ARRAY_SIZE(scene->fds); i++)
		CHECK((scene->fds[i] = eventfd(0, EFD_NONBLOCK)) >= 0);
	CHECK_INT(wait_open(&scene->wait, scene->fds, ARRAY_SIZE(scene->fds)), 0);
	CHECK(!wait_uses_io_uring(scene->wait));
	if (!io_uring)
		return true;
	return wait_use_io_uring(scene->wait) == 0 && wait_uses_io_uring(scene->wait);
}

static void end(struct scene *scene)
{
	CHECK(!wait_close(scene->wait));
	for (size_t i = 0; i < ARRAY_SIZE(scene->fds); i++)
		close(scene->fds[i]);
}

/* What is ready now, without a sleep. */
static uint32_t ready_now(struct scene *scene)
{
	return wait_until(scene->wait, 1);
}

static void ring(const struct scene *scene, int place)
{
	CHECK(eventfd_write(scene->fds[place], 1) == 0);
}

static void quiet(const struct scene *scene, int place)
{
	eventfd_t value;

	CHECK(eventfd_read(scene->fds[place], &value) == 0);
}

static void tells_who_is_ready(struct scene *scene)
{
	CHECK_INT(ready_now(scene), 0);
	ring(scene, 1);
	CHECK_INT(wait_until(scene->wait, NSEC_NEVER), SECOND);
	quiet(scene, 1);
	CHECK_INT(ready_now(scene), 0);
	ring(scene, 0);
	ring(scene, 1);
	CHECK_INT(ready_now(scene), FIRST | SECOND);
	quiet(scene, 0);
	quiet(scene, 1);
	/* much more often than any queue is long */
	for (int i = 0; i < 1000; i++) {
		ring(scene, i % 2);
		CHECK_INT(wait_until(scene->wait, NSEC_NEVER), 1 << i % 2);
		quiet(scene, i % 2);
	}
	CHECK_INT(ready_now(scene), 0);
}

static void ends_at_the_deadline(struct scene *scene)
{
	uint64_t at_ns = clock_now_ns() + NSEC_PER_MSEC;

	CHECK_INT(wait_until(scene->wait, at_ns), 0);
	CHECK_GE(clock_now_ns(), at_ns);
	/* and what is ready before it is told */
	ring(scene, 0);
	CHECK_INT(wait_until(scene->wait, clock_now_ns() + 3600 * NSEC_PER_SEC), FIRST);
	quiet(scene, 0);
}

static void both(bool io_uring)
{
	struct scene scene;

	if (!begin(&scene, io_uring)) {
		end(&scene);
		TEST_SKIP("no io_uring here");
	}
	tells_who_is_ready(&scene);
	ends_at_the_deadline(&scene);
	CHECK(wait_uses_io_uring(scene.wait) == io_uring);
	end(&scene);
}

static void test_epoll(void)
{
	both(false);
}

static void test_io_uring(void)
{
	both(true);
}

/* Readable before anybody waits. */
static void test_what_was_there_before(void)
{
	for (int io_uring = 0; io_uring < 2; io_uring++) {
		struct scene scene;

		if (!begin(&scene, false))
			TEST_SKIP("no epoll here");
		ring(&scene, 1);
		if (io_uring)
			wait_use_io_uring(scene.wait);
		CHECK_INT(wait_until(scene.wait, NSEC_NEVER), SECOND);
		end(&scene);
	}
}

/* As a filter of system calls does in a container: for the calling process, for good. */
static void refuse(unsigned int call)
{
	struct sock_filter code[] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void in_a_child(void (*what)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		what();
		_exit(0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void forbidden(void)
{
	struct scene scene;

	refuse(SYS_io_uring_setup);
	begin(&scene, false);
	CHECK_INT(wait_use_io_uring(scene.wait), -EPERM);
	tells_who_is_ready(&scene);
	ends_at_the_deadline(&scene);
	end(&scene);
}

static void fails_later(void)
{
	struct scene scene;

	if (!begin(&scene, true))
		return;
	ring(&scene, 0);
	CHECK_INT(ready_now(&scene), FIRST);
	refuse(SYS_io_uring_enter);
	quiet(&scene, 0);
	ring(&scene, 1);
	CHECK_INT(wait_until(scene.wait, NSEC_NEVER), SECOND);
	CHECK(!wait_uses_io_uring(scene.wait));
	quiet(&scene, 1);
	tells_who_is_ready(&scene);
	end(&scene);
}

static void test_forbidden(void)
{
	in_a_child(forbidden);
}

static void test_fails_later(void)
{
	in_a_child(fails_later);
}

TEST_MAIN({"epoll", test_epoll}, {"io_uring", test_io_uring},
          {"what_was_there_before", test_what_was_there_before}, {"forbidden", test_forbidden},
          {"fails_later", test_fails_later})
