// SPDX-License-Identifier: GPL-2.0-or-later
#include "reader/line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reader/wire.h"
#include "util/cleanup.h"
#include "util/clock.h"

struct reader_line {
	struct reader_line *next; /* of all lines */
	const struct board *board;
	pthread_mutex_t lock; /* of asking; never the main thread's */
	uint64_t last_id;
	int socket; /* one number for all readers: dup3() replaces what is behind it */
};

/** They are never freed, and so are not lost either. The main thread's. */
static struct reader_line *lines;

/* A socket without another end: whatever is sent or awaited there fails at once. */
static int open_dead_end(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	close_fd(fds[1]);
	return fds[0];
}

int reader_line_new(struct reader_line **ret, const struct board *board)
{
	struct reader_line *line = calloc(1, sizeof(*line));

	if (!line)
		return -ENOMEM;
	line->board = board;
	pthread_mutex_init(&line->lock, NULL);
	line->socket = open_dead_end();
	if (line->socket < 0) {
		int r = line->socket;

		free(line);
		return r;
	}
	line->next = lines;
	lines = line;
	*ret = line;
	return 0;
}

void reader_line_connect(struct reader_line *line, int socket)
{
	CLEANUP(cleanup_fd) int other = socket >= 0 ? socket : open_dead_end();

	/* one that waits there has the old one until its poll() returns */
	if (other >= 0)
		dup3(other, line->socket, O_CLOEXEC);
}

/* Waits for the reply with this id; earlier ones came too late for their askers. */
static int await(int socket, uint64_t id, uint64_t limit_ns, struct reader_reply *reply)
{
	uint64_t until_ns = clock_now_ns() + limit_ns, now_ns;
	struct pollfd fd = {.fd = socket, .events = POLLIN};
	int r;

	for (;;) {
		while ((r = reader_reply_receive(socket, reply)) == 0 || r == -EBADMSG)
			if (r == 0 && reply->id == id)
				return 0;
		if (r != -EAGAIN)
			return r;
		now_ns = clock_now_ns();
		if (now_ns >= until_ns)
			return -ETIMEDOUT;
		if (poll(&fd, 1, (int)((until_ns - now_ns) / NSEC_PER_MSEC) + 1) < 0 &&
		    errno != EINTR)
			return -errno;
	}
}

/* Gives @request an id, sends it, and waits for its reply. */
static int exchange(struct reader_line *line, struct reader_request *request, uint64_t limit_ns,
                    struct reader_reply *reply)
{
	int r;

	request->id = ++line->last_id;
	r = reader_request_send(line->socket, request);
	return r == 0 ? await(line->socket, request->id, limit_ns, reply) : r;
}

static int ask(struct reader_line *line, const struct thread_id *qemu, struct reader_reply *reply)
{
	struct reader_request request = {.qemu = *qemu, .job = READER_CMDLINE};
	bool many_hang = board_stuck(line->board, clock_now_ns(), NULL, 0) >= BOARD_STUCK_MAX;
	int r = exchange(line, &request, many_hang ? READER_LINE_SHORT_NS : BOARD_STUCK_NS, reply);

	/* a short wait says nothing of this QEMU, nor does a reader that does not work */
	if (r == -EPIPE || (r == -ETIMEDOUT && (many_hang || !board_works_for(line->board, qemu))))
		return -EAGAIN;
	return r;
}

int reader_line_ask(void *userdata, const struct thread_id *qemu, struct cmdline_facts *ret)
{
	struct reader_line *line = userdata;
	struct reader_reply reply;
	int r;

	pthread_mutex_lock(&line->lock);
	r = ask(line, qemu, &reply);
	pthread_mutex_unlock(&line->lock);
	if (r < 0)
		return r;
	if (reply.job != READER_CMDLINE || !thread_id_equal(&reply.qemu, qemu))
		return -EBADMSG;
	if (reply.result == 0)
		*ret = reply.facts;
	return reply.result;
}

int reader_line_ask_conf(void *userdata, uint32_t vmid, struct domain_labels *ret)
{
	struct reader_request request = {.job = READER_VM_CONF, .vmid = vmid};
	struct reader_line *line = userdata;
	struct reader_reply reply;
	int r;

	pthread_mutex_lock(&line->lock);
	r = exchange(line, &request, READER_LINE_CONF_NS, &reply);
	pthread_mutex_unlock(&line->lock);
	if (r == -EPIPE)
		return -EAGAIN; /* there is no reader now */
	if (r < 0)
		return r;
	if (reply.job != READER_VM_CONF || (reply.result == 0 && reply.labels.vmid != vmid))
		return -EBADMSG;
	if (reply.result == 0)
		*ret = reply.labels;
	return reply.result;
}
