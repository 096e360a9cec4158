// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/reader_process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reader/lanes.h"
#include "reader/line.h"
#include "reader/reader.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"

/* As for the guardian: the first death is answered at once, deaths soon after that later each time.
 */
#define RETRY_US        1000000
#define RETRY_SHIFT_MAX 6
#define SOON_NS         (10 * NSEC_PER_SEC)

/* Above the numbers that the reader gets them as. */
#define FD_FROM 64

struct reader_process {
	const char *pve_dir;
	struct board *board;
	struct reader_line *line;
	sd_event *event;
	struct reader_news news[_READER_USER_MAX];
	pid_t pid;  /* 0: none runs */
	int socket; /* -1: none runs */
	sd_event_source *child, *io, *retry;
	uint64_t started_ns, starts_total;
	unsigned int failures; /* starts in vain, and deaths soon after one, in a row */
};

/* ---- starting ---- */

/* What the reader gets, in the order of READER_FD_*. */
struct ends {
	int given[_READER_FD_END - READER_FD_JOBS];
	int socket, line; /* the daemon's */
};

#define ENDS_NULL ((struct ends){{-1, -1, -1, -1}, -1, -1})

static void ends_cleanup(struct ends *ends)
{
	for (size_t i = 0; i < ARRAY_SIZE(ends->given); i++)
		close_fd(ends->given[i]);
	close_fd(ends->socket);
	close_fd(ends->line);
}

/* A number out of the way of those that the reader gets. Takes @fd over. */
static int move_up(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, FD_FROM);

	close_fd(fd);
	return up;
}

static int make_pair(int *ours, int *given)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	*ours = fds[0];
	*given = move_up(fds[1]);
	return *given < 0 ? -errno : 0;
}

static int make_ends(const struct reader_process *reader, struct ends *ends)
{
	int r = make_pair(&ends->socket, &ends->given[0]);

	if (r == 0)
		r = make_pair(&ends->line, &ends->given[READER_FD_LINE - READER_FD_JOBS]);
	if (r < 0)
		return r;
	ends->given[READER_FD_BOARD - READER_FD_JOBS] =
	        fcntl(board_memory_fd(reader->board), F_DUPFD_CLOEXEC, FD_FROM);
	ends->given[READER_FD_NEWS - READER_FD_JOBS] =
	        fcntl(board_news_fd(reader->board), F_DUPFD_CLOEXEC, FD_FROM);
	return ends->given[READER_FD_BOARD - READER_FD_JOBS] < 0 ||
	                       ends->given[READER_FD_NEWS - READER_FD_JOBS] < 0
	               ? -errno
	               : 0;
}

/* Executes the daemon's own file, also when an upgrade has replaced it. */
static int execute(const struct ends *ends, const char *pve_dir, pid_t *ret)
{
	char name[] = READER_NAME, *argv[] = {name, (char *)pve_dir, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	for (int i = 0; i < (int)ARRAY_SIZE(ends->given); i++)
		posix_spawn_file_actions_adddup2(&actions, ends->given[i], READER_FD_JOBS + i);
	posix_spawn_file_actions_addclosefrom_np(&actions, _READER_FD_END);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn(ret, "/proc/self/exe", &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Returns 0, or -errno. */
static int start(struct reader_process *reader)
{
	CLEANUP(ends_cleanup) struct ends ends = ENDS_NULL;
	int r = make_ends(reader, &ends);

	if (r == 0) {
		board_forget_lanes(reader->board);
		r = execute(&ends, reader->pve_dir, &reader->pid);
	}
	if (r < 0) {
		reader->pid = 0;
		log_error("the reader can't be started: %s; no guest page is read meanwhile, no "
		          "new domain is found, and it is tried again",
		          strerror(-r));
		return r;
	}
	reader->started_ns = clock_now_ns();
	reader->starts_total++;
	reader->socket = ends.socket;
	ends.socket = -1;
	reader_line_connect(reader->line, ends.line);
	ends.line = -1;
	return 0;
}

/* ---- its life ---- */

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	reader_process_receive(userdata);
	return 0;
}

static void begin_again(struct reader_process *reader);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	begin_again(userdata);
	return 0;
}

static int retry_later(struct reader_process *reader)
{
	unsigned int shift = MIN(reader->failures++, (unsigned int)RETRY_SHIFT_MAX);

	reader->retry = sd_event_source_disable_unref(reader->retry);
	return sd_event_add_time_relative(reader->event, &reader->retry, CLOCK_MONOTONIC,
	                                  (uint64_t)RETRY_US << shift, 0, on_retry, reader);
}

/* Nothing of it is used any more. The loop reaps it, which a thread that hangs may put off. */
static void let_go(struct reader_process *reader)
{
	if (reader->child) {
		sd_event_source_set_userdata(reader->child, NULL);
		sd_event_source_set_floating(reader->child, true);
		reader->child = sd_event_source_unref(reader->child);
	}
	reader->io = sd_event_source_disable_unref(reader->io);
	reader->socket = close_fd(reader->socket);
	reader_line_connect(reader->line, -1);
	reader->pid = 0;
	board_forget_lanes(reader->board);
}

static void lost(struct reader_process *reader)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_READER_LOST};

	let_go(reader);
	log_write(LOG_WARNING, &ctx,
	          "the reader is gone: guest pages are looked for anew by another one");
	for (size_t i = 0; i < _READER_USER_MAX; i++)
		if (reader->news[i].lost)
			reader->news[i].lost(reader->news[i].userdata);
	if (clock_now_ns() > reader->started_ns + SOON_NS)
		reader->failures = 0;
	if (reader->failures++ == 0 || retry_later(reader) < 0)
		begin_again(reader);
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
	(void)source;
	(void)si;
	if (userdata) /* else it was let go of before */
		lost(userdata);
	return 0;
}

static int watch(struct reader_process *reader)
{
	int r = sd_event_add_child(reader->event, &reader->child, reader->pid, WEXITED, on_child,
	                           reader);

	if (r >= 0)
		r = sd_event_add_io(reader->event, &reader->io, reader->socket, EPOLLIN, on_io,
		                    reader);
	return MIN(r, 0);
}

static void begin_again(struct reader_process *reader)
{
	int r = start(reader);

	if (r == 0)
		r = watch(reader);
	if (r < 0) {
		if (reader->pid)
			kill(reader->pid, SIGKILL);
		let_go(reader);
		retry_later(reader);
		return;
	}
	for (size_t i = 0; i < _READER_USER_MAX; i++)
		if (reader->news[i].renewed)
			reader->news[i].renewed(reader->news[i].userdata);
}

void reader_process_distrust(struct reader_process *reader)
{
	if (!reader->pid)
		return;
	log_warning("the reader does not answer: it is ended");
	kill(reader->pid, SIGKILL);
	lost(reader);
}

/* ---- messages ---- */

int reader_process_send(struct reader_process *reader, const struct reader_request *request)
{
	int r = reader->socket < 0 ? -EAGAIN : reader_request_send(reader->socket, request);

	return r == -EPIPE ? -EAGAIN : r; /* its death is on its way */
}

int reader_process_fd(const struct reader_process *reader)
{
	return reader->socket;
}

/* The id is the reader's word, as all of the reply. */
static void hand_on(const struct reader_process *reader, const struct reader_reply *reply)
{
	uint64_t user = reply->id >> READER_ID_SHIFT;

	if (user < _READER_USER_MAX && reader->news[user].replied)
		reader->news[user].replied(reader->news[user].userdata, reply);
}

void reader_process_receive(struct reader_process *reader)
{
	struct reader_reply reply;
	int r = 0;

	while (reader->socket >= 0 && (r == 0 || r == -EBADMSG)) {
		r = reader_reply_receive(reader->socket, &reply);
		if (r == 0)
			hand_on(reader, &reply);
		if (r == -EBADMSG)
			log_warning("the reader sent what is no reply");
	}
	if (r == -EPIPE) /* the child event says the rest */
		reader->io = sd_event_source_disable_unref(reader->io);
}

/* ---- for others ---- */

int reader_process_new(struct reader_process **ret, const char *pve_dir)
{
	struct reader_process *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return -ENOMEM;
	reader->socket = -1;
	reader->pve_dir = pve_dir;
	r = board_new(&reader->board);
	if (r == 0)
		r = reader_line_new(&reader->line, reader->board);
	if (r < 0) {
		board_free(reader->board);
		free(reader);
		return r;
	}
	start(reader); /* else tried again by reader_process_attach() */
	*ret = reader;
	return 0;
}

struct reader_process *reader_process_free(struct reader_process *reader)
{
	if (!reader)
		return NULL;
	if (reader->pid)
		kill(reader->pid, SIGKILL);
	/* it is reaped when this process has ended; sd-event loses memory if its source is left */
	reader->child = sd_event_source_disable_unref(reader->child);
	let_go(reader);
	sd_event_source_disable_unref(reader->retry);
	/* board and line stay: a source that was left behind may be asking */
	free(reader);
	return NULL;
}

int reader_process_attach(struct reader_process *reader, sd_event *event)
{
	reader->event = event;
	return reader->pid ? watch(reader) : MIN(retry_later(reader), 0);
}

void reader_process_report_to(struct reader_process *reader, enum reader_user user,
                              const struct reader_news *news)
{
	reader->news[user] = news ? *news : (struct reader_news){.userdata = NULL};
}

struct cmdline_reader reader_process_cmdlines(const struct reader_process *reader)
{
	return (struct cmdline_reader){.read = reader_line_ask, .userdata = reader->line};
}

struct vm_conf_reader reader_process_confs(const struct reader_process *reader)
{
	return (struct vm_conf_reader){.read = reader_line_ask_conf, .userdata = reader->line};
}

struct board *reader_process_board(const struct reader_process *reader)
{
	return reader->board;
}

void reader_process_read(const struct reader_process *reader, struct reader_process_view *ret)
{
	*ret = (struct reader_process_view){.pid = reader->pid,
	                                    .starts_total = reader->starts_total};
	ret->stuck = board_stuck(reader->board, clock_now_ns(), ret->stuck_pids,
	                         ARRAY_SIZE(ret->stuck_pids));
}

bool reader_process_describe(const struct reader_process *reader, char *text, size_t size)
{
	struct reader_process_view view;
	size_t n;

	reader_process_read(reader, &view);
	if (!view.pid) {
		snprintf(text, size, "none runs; it is tried again");
		return false;
	}
	n = (size_t)snprintf(text, size, "pid %d", view.pid);
	if (view.starts_total > 1)
		n += (size_t)snprintf(text + n, size - n, ", started %" PRIu64 " times",
		                      view.starts_total);
	if (!view.stuck)
		return true;
	n += (size_t)snprintf(text + n, size - n, "; %u QEMUs hold up looks at them: processes",
	                      view.stuck);
	for (unsigned int i = 0;
	     i < MIN(view.stuck, (unsigned int)ARRAY_SIZE(view.stuck_pids)) && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, " %d", view.stuck_pids[i]);
	if (view.stuck >= BOARD_STUCK_MAX && n < size)
		snprintf(text + n, size - n, "; so no other QEMU's guest pages are looked for");
	return false;
}
