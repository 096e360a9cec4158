/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/procconn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>

#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "util/cleanup.h"
#include "util/clock.h"

/** Room for about ten thousand events that pass the filter; the default is a hundredth of it. */
#define RECEIVE_BUFFER (4 * 1024 * 1024)

/** The first bytes of names of vCPU threads and of iothreads, in the filter's byte order. */
#define VCPU_PREFIX     0x43505520u /* "CPU " */
#define IOTHREAD_PREFIX 0x494f2000u /* "IO " and anything */
#define IOTHREAD_MASK   0xffffff00u

/** One message as it is on the wire. */
struct proc_message {
	struct nlmsghdr header;
	struct cn_msg connector;
	struct proc_event event;
} __attribute__((packed));

struct procconn {
	struct nl_sock *socket;
	uint64_t lost_total;
};

/** BPF loads are big-endian, the messages are in host order: so the constants are swapped. */
static int attach_filter(int fd)
{
	const unsigned int what = offsetof(struct proc_message, event.what);
	const unsigned int comm = offsetof(struct proc_message, event.event_data.comm.comm);
	struct sock_filter code[] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, what),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(PROC_EVENT_COMM), 0, 5),
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, comm),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VCPU_PREFIX, 2, 0),
	        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, IOTHREAD_MASK),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IOTHREAD_PREFIX, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	        BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {ARRAY_SIZE(code), code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	return 0;
}

/** libnl's errors as errno, as far as they occur here. */
static int nl_to_errno(int error)
{
	switch (-error) {
	case NLE_SUCCESS:
		return 0;
	case NLE_AGAIN:
	case NLE_INTR:
		return -EAGAIN;
	case NLE_NOMEM:
		return -ENOBUFS;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_PROTO_MISMATCH:
	case NLE_AF_NOSUPPORT:
	case NLE_OPNOTSUPP:
		return -EPROTONOSUPPORT;
	default: /* libnl's enumeration, not ours */
		return -EIO;
	}
}

/** Subscribes: the kernel makes no events while no socket listens. */
static int listen_to_events(struct nl_sock *socket)
{
	struct {
		struct nlmsghdr header;
		struct cn_msg connector;
		uint32_t op;
	} __attribute__((packed)) message = {
	        .header = {.nlmsg_len = sizeof(message), .nlmsg_type = NLMSG_DONE},
	        .connector = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof(message.op)},
	        .op = PROC_CN_MCAST_LISTEN,
	};
	int n = nl_sendto(socket, &message, sizeof(message));

	return n < 0 ? nl_to_errno(n) : 0;
}

static int open_socket(struct nl_sock *socket)
{
	int r = nl_connect(socket, NETLINK_CONNECTOR);

	if (r < 0)
		return nl_to_errno(r);
	r = nl_socket_set_nonblocking(socket);
	if (r < 0)
		return nl_to_errno(r);
	r = attach_filter(nl_socket_get_fd(socket));
	if (r < 0)
		return r;
	/* The plain option is limited by rmem_max; it must do if the forced one fails. */
	nl_socket_set_buffer_size(socket, RECEIVE_BUFFER, 0);
	setsockopt(nl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &(int){RECEIVE_BUFFER},
	           sizeof(int));
	r = nl_socket_add_membership(socket, CN_IDX_PROC);
	if (r < 0)
		return nl_to_errno(r);
	return listen_to_events(socket);
}

static void *name_myself(void *userdata)
{
	(void)userdata;
	prctl(PR_SET_NAME, "CPU probe");
	return NULL;
}

static void note_own(void *userdata, pid_t tgid)
{
	if (tgid == getpid())
		*(bool *)userdata = true;
}

/** Causes an event by naming a thread, and waits for it. */
static int probe(struct procconn *procconn)
{
	struct pollfd fd = {.fd = procconn_fd(procconn), .events = POLLIN};
	uint64_t end_ns = clock_now_ns() + PROCCONN_PROBE_MS * NSEC_PER_MSEC;
	bool noticed = false;
	pthread_t thread;
	int r = pthread_create(&thread, NULL, name_myself, NULL);

	if (r != 0)
		return -r;
	pthread_join(thread, NULL);
	while (!noticed && clock_now_ns() < end_ns) {
		poll(&fd, 1, PROCCONN_PROBE_MS);
		r = procconn_read(procconn, note_own, &noticed);
		if (r < 0)
			return r;
	}
	return noticed ? 0 : -ENODATA;
}

int procconn_new(struct procconn **ret)
{
	CLEANUP(procconn_cleanup) struct procconn *procconn = calloc(1, sizeof(*procconn));
	int r;

	if (!procconn)
		return -ENOMEM;
	procconn->socket = nl_socket_alloc();
	if (!procconn->socket)
		return -ENOMEM;
	r = open_socket(procconn->socket);
	if (r < 0)
		return r;
	r = probe(procconn);
	if (r < 0)
		return r;
	*ret = STEAL(procconn, NULL);
	return 0;
}

struct procconn *procconn_free(struct procconn *procconn)
{
	if (!procconn)
		return NULL;
	nl_socket_free(procconn->socket);
	free(procconn);
	return NULL;
}

void procconn_cleanup(struct procconn **procconn)
{
	procconn_free(*procconn);
}

int procconn_fd(const struct procconn *procconn)
{
	return nl_socket_get_fd(procconn->socket);
}

/** The process of a renamed thread, or 0 for any other message. */
static pid_t message_tgid(const unsigned char *buffer, size_t size, const struct sockaddr_nl *from)
{
	struct proc_message message;

	/* Port 0 is the kernel; messages of other processes are ignored. */
	if (from->nl_pid != 0 || size < offsetof(struct proc_message, event.event_data))
		return 0;
	memset(&message, 0, sizeof(message));
	memcpy(&message, buffer, MIN(size, sizeof(message)));
	if (message.connector.id.idx != CN_IDX_PROC || message.connector.id.val != CN_VAL_PROC ||
	    message.event.what != PROC_EVENT_COMM)
		return 0;
	return message.event.event_data.comm.process_tgid;
}

/** Reads one message: 1 and *tgid, which may be 0; 0 when there is none; -errno. */
static int read_one(struct procconn *procconn, pid_t *tgid)
{
	CLEANUP(cleanup_free) unsigned char *buffer = NULL;
	struct sockaddr_nl from = {0};
	int n = nl_recv(procconn->socket, &from, &buffer, NULL);

	*tgid = 0;
	if (n == 0)
		return 0;
	if (n < 0) {
		n = nl_to_errno(n);
		return n == -EAGAIN ? 0 : n;
	}
	*tgid = message_tgid(buffer, (size_t)n, &from);
	return 1;
}

int procconn_read(struct procconn *procconn, procconn_fn *fn, void *userdata)
{
	bool lost = false;
	int i, r;

	for (i = 0; i < PROCCONN_BATCH_MAX; i++) {
		pid_t tgid;

		r = read_one(procconn, &tgid);
		if (r == 0)
			break;
		if (r == -ENOBUFS) {
			procconn->lost_total++;
			lost = true;
			continue;
		}
		if (r < 0)
			return r;
		if (tgid > 0)
			fn(userdata, tgid);
	}
	return lost ? PROCCONN_LOST : 0;
}

uint64_t procconn_lost_total(const struct procconn *procconn)
{
	return procconn->lost_total;
}
