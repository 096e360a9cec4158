// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The proc connector when the kernel drops messages, and when its socket fails. Linked with
 * -Wl,--wrap=nl_recv. The last test needs the kernel's own connector, and is skipped without it.
 */
#include "virt/procconn.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>

#include <netlink/errno.h>
#include <netlink/netlink.h>

#include "test.h"

int __real_nl_recv(struct nl_sock *socket, struct sockaddr_nl *from, unsigned char **buffer,
                   struct ucred **credentials);
int __wrap_nl_recv(struct nl_sock *socket, struct sockaddr_nl *from, unsigned char **buffer,
                   struct ucred **credentials);

static int failures[4]; /* libnl's errors, which come first */
static unsigned int n_failures, calls;

int __wrap_nl_recv(struct nl_sock *socket, struct sockaddr_nl *from, unsigned char **buffer,
                   struct ucred **credentials)
{
	calls++;
	if (n_failures > 0)
		return failures[--n_failures];
	return __real_nl_recv(socket, from, buffer, credentials);
}

static void count(void *userdata, pid_t tgid)
{
	(void)tgid;
	++*(unsigned int *)userdata;
}

static struct procconn *begin(void)
{
	struct procconn *procconn = NULL;

	n_failures = 0;
	return procconn_new(&procconn) == 0 ? procconn : NULL;
}

static void drain(struct procconn *procconn)
{
	unsigned int n = 0;
	int r;

	do {
		calls = 0;
		r = procconn_read(procconn, count, &n);
		CHECK(r >= 0);
	} while (calls > 1);
}

/* What comes after a loss is read all the same. */
static void test_dropped(void)
{
	struct procconn *procconn = begin();
	unsigned int n = 0;

	if (!procconn)
		TEST_SKIP("no proc connector here");
	drain(procconn);
	prctl(PR_SET_NAME, "CPU test");
	failures[0] = failures[1] = -NLE_NOMEM;
	n_failures = 2;
	CHECK_INT(procconn_read(procconn, count, &n), PROCCONN_LOST);
	CHECK_U64(procconn_lost_total(procconn), 2);
	CHECK_GE(n, 1);
	CHECK_INT(procconn_read(procconn, count, &n), 0);
	procconn_free(procconn);
}

static void test_socket_fails(void)
{
	struct procconn *procconn = begin();
	unsigned int n = 0;

	if (!procconn)
		TEST_SKIP("no proc connector here");
	failures[0] = -NLE_BAD_SOCK;
	n_failures = 1;
	CHECK(procconn_read(procconn, count, &n) < 0);
	CHECK_U64(n, 0);
	procconn_free(procconn);
}

/* More names than the socket's buffer holds, and nothing reads. */
static void test_storm(void)
{
	struct procconn *procconn = begin();
	unsigned int n = 0;
	int r;

	if (!procconn)
		TEST_SKIP("no proc connector here");
	for (unsigned int i = 0; i < 50000; i++)
		prctl(PR_SET_NAME, i % 2 ? "CPU 1/TCG" : "CPU 0/TCG");
	do {
		calls = 0;
		r = procconn_read(procconn, count, &n);
		CHECK(r >= 0);
	} while (r != PROCCONN_LOST && calls > 1);
	CHECK_INT(r, PROCCONN_LOST);
	CHECK_GE(procconn_lost_total(procconn), 1);
	printf("# %u of 50000 were kept\n", n);
	drain(procconn);
	/* it works as before */
	n = 0;
	prctl(PR_SET_NAME, "CPU test");
	CHECK_INT(procconn_read(procconn, count, &n), 0);
	CHECK_GE(n, 1);
	procconn_free(procconn);
}

TEST_MAIN(TEST(test_dropped), TEST(test_socket_fails), TEST(test_storm))
