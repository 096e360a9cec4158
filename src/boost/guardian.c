// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boost/guardian_messages.h"
#include "util/cleanup.h"
#include "util/memory.h"

/* A thread or group that cannot be given back now (EBUSY) is tried again. */
#define RETRY_MS    20
#define RETRIES_MAX 250

#define PING_TIMEOUT_MS 500

/* Until it has its priority it is an ordinary process, which may wait long on a busy host. */
#define START_TIMEOUT_MS 2000

struct guardian {
	pid_t pid;
	int socket;
	bool realtime;
};

/* ---- in the guardian process: system calls and the ledger only ---- */

static void say(const char *text)
{
	/* "<4>" is the journal's mark for a warning; harmless on a terminal */
	ssize_t n = write(STDERR_FILENO, text, strlen(text));

	(void)n;
}

static void restore_all(struct ledger *ledger, uint32_t owner, const char *cause)
{
	struct ledger_result result, total = {0};
	char text[256];

	if (ledger_owner(ledger) != owner)
		return; /* another daemon has it, with a guardian of its own */
	ledger_count_guardian_act(ledger);
	for (int i = 0; i < RETRIES_MAX && ledger_owner(ledger) == owner; i++) {
		ledger_restore(ledger, &result);
		total.restored += result.restored;
		total.foreign += result.foreign;
		total.gone += result.gone;
		total.invalid += result.invalid;
		total.failed = result.failed;
		if (result.failed == 0)
			break;
		poll(NULL, 0, RETRY_MS);
	}
	if (total.restored + total.foreign + total.gone + total.invalid + total.failed == 0)
		return;
	snprintf(text, sizeof(text),
	         "<4>pvschedd-guardian: %s: %u given back, %u changed by others, %u gone, %u not "
	         "valid, %u failed\n",
	         cause, total.restored, total.foreign, total.gone, total.invalid, total.failed);
	say(text);
}

/* Receives a message, maybe with a file descriptor. Returns its type; 0 at end of file; -errno. */
static int receive(int socket, int *fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	unsigned char type = 0;
	struct iovec iov = {.iov_base = &type, .iov_len = 1};
	struct msghdr message = {
	        .msg_iov = &iov,
	        .msg_iovlen = 1,
	        .msg_control = control,
	        .msg_controllen = sizeof(control),
	};
	const struct cmsghdr *c;
	ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 ? -errno : 0;
	c = CMSG_FIRSTHDR(&message);
	if (c && c->cmsg_type == SCM_RIGHTS) {
		close_fd(*fd);
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	}
	return type;
}

/* Reads what the daemon sent. Returns the cause to give everything back, or NULL. */
static const char *serve(int socket, int *overdue_fd)
{
	unsigned char pong = GUARDIAN_PONG;
	int type = receive(socket, overdue_fd);

	if (type == GUARDIAN_PING)
		send(socket, &pong, 1, MSG_NOSIGNAL);
	if (type == GUARDIAN_BYE)
		return "the daemon leaves";
	/* its socket is closed a moment before its pidfd is readable */
	return type == 0 ? "the daemon is gone" : NULL;
}

static void __attribute__((noreturn)) guard(struct ledger *ledger, int daemon_fd, int socket)
{
	int overdue_fd = -1;

	const char *cause = NULL;
	uint32_t owner = ledger_owner(ledger);

	while (!cause) {
		struct pollfd fds[] = {
		        {.fd = daemon_fd, .events = POLLIN},
		        {.fd = socket, .events = POLLIN},
		        {.fd = overdue_fd, .events = POLLIN},
		};

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			cause = "poll failed";
		else if (fds[0].revents)
			cause = "the daemon is gone";
		else if (overdue_fd >= 0 && fds[2].revents)
			cause = "the daemon does not answer";
		else if (fds[1].revents)
			cause = serve(socket, &overdue_fd);
	}
	restore_all(ledger, owner, cause);
	_exit(0);
}

/* Closes all but standard error and @keep: else sockets of the daemon would never be closed. */
static void close_others(const int *keep, size_t n)
{
	unsigned int from = STDERR_FILENO + 1;

	for (;;) {
		unsigned int next = UINT32_MAX;

		for (size_t i = 0; i < n; i++)
			if ((unsigned int)keep[i] >= from && (unsigned int)keep[i] < next)
				next = (unsigned int)keep[i];
		if (next > from)
			syscall(SYS_close_range, from, next == UINT32_MAX ? next : next - 1, 0);
		if (next == UINT32_MAX)
			return;
		from = next + 1;
	}
}

static void __attribute__((noreturn))
guardian_main(struct ledger *ledger, int daemon_fd, int socket, uint32_t priority)
{
	int keep[] = {daemon_fd, socket};
	unsigned char hello = GUARDIAN_HELLO;
	sigset_t all;

	/* a stop of the service stops the daemon; the guardian leaves when its work is done */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "pvschedd-guard");
	close_others(keep, ARRAY_SIZE(keep));
	memory_lock();
	if (sched_make_self_fifo(priority) < 0)
		hello = GUARDIAN_HELLO_NO_RT;
	if (send(socket, &hello, 1, MSG_NOSIGNAL) != 1)
		_exit(1);
	guard(ledger, daemon_fd, socket);
}

/* ---- in the daemon ---- */

static int wait_message(int socket, int timeout_ms)
{
	struct pollfd pfd = {.fd = socket, .events = POLLIN};
	unsigned char type;
	int r = poll(&pfd, 1, timeout_ms);
	ssize_t n;

	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	n = recv(socket, &type, 1, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	return type;
}

int guardian_start(struct guardian **ret, struct ledger *ledger, uint32_t priority)
{
	CLEANUP(cleanup_fd) int daemon_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct guardian *guardian;
	int sockets[2], r;

	if (daemon_fd < 0)
		return -errno;
	guardian = calloc(1, sizeof(*guardian));
	if (!guardian)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
		r = -errno;
		free(guardian);
		return r;
	}
	guardian->socket = sockets[0];
	guardian->pid = fork();
	if (guardian->pid == 0)
		guardian_main(ledger, daemon_fd, sockets[1], priority);
	r = guardian->pid < 0 ? -errno : 0;
	close(sockets[1]);
	if (r == 0)
		r = wait_message(guardian->socket, START_TIMEOUT_MS);
	guardian->realtime = r == GUARDIAN_HELLO;
	if (r < 0) {
		if (guardian->pid > 0)
			kill(guardian->pid, SIGKILL);
		guardian_stop(guardian);
		return r;
	}
	*ret = guardian;
	return 0;
}

bool guardian_realtime(const struct guardian *guardian)
{
	return guardian->realtime;
}

pid_t guardian_pid(const struct guardian *guardian)
{
	return guardian->pid;
}

int guardian_watch_overdue(struct guardian *guardian, int ring_fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
	unsigned char type = GUARDIAN_OVERDUE_RING;
	struct iovec iov = {.iov_base = &type, .iov_len = 1};
	struct msghdr message = {
	        .msg_iov = &iov,
	        .msg_iovlen = 1,
	        .msg_control = control,
	        .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &ring_fd, sizeof(ring_fd));
	if (sendmsg(guardian->socket, &message, MSG_NOSIGNAL) < 0)
		return -errno;
	return guardian_ping(guardian);
}

int guardian_ping(struct guardian *guardian)
{
	unsigned char type = GUARDIAN_PING;
	int r;

	/* an answer that came too late for the last ping is not the answer to this one */
	while (recv(guardian->socket, &type, 1, MSG_DONTWAIT) > 0)
		;
	type = GUARDIAN_PING;
	if (send(guardian->socket, &type, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	r = wait_message(guardian->socket, PING_TIMEOUT_MS);
	return r < 0 ? r : 0;
}

struct guardian *guardian_stop(struct guardian *guardian)
{
	unsigned char type = GUARDIAN_BYE;

	if (!guardian)
		return NULL;
	if (guardian->pid > 0) {
		kill(guardian->pid, SIGCONT); /* it may have been stopped */
		if (send(guardian->socket, &type, 1, MSG_NOSIGNAL) < 0)
			kill(guardian->pid, SIGKILL);
		while (waitpid(guardian->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return guardian_forget(guardian);
}

struct guardian *guardian_forget(struct guardian *guardian)
{
	if (!guardian)
		return NULL;
	close_fd(guardian->socket);
	free(guardian);
	return NULL;
}
