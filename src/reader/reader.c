// SPDX-License-Identifier: GPL-2.0-or-later
#include "reader/reader.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reader/desk.h"
#include "reader/lanes.h"
#include "virt/vm_conf.h"

/* What a look into another user's QEMU needs. */
#define KEPT (UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_DAC_READ_SEARCH)

/* Gives up what it does not need, and the way to get it back. Returns 0, or -errno. */
static int limit_privileges(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(KEPT >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

struct work {
	struct lanes *lanes;
	const char *pve_dir;
};

static void begin(const struct work *work, const struct reader_request *request, int socket)
{
	if (request->job == READER_VM_CONF)
		desk_serve(work->pve_dir, request, socket);
	else
		lanes_serve(work->lanes, request, socket);
}

/* Returns false when the daemon is gone. A message that is not valid is its fault, and is dropped.
 */
static bool serve(const struct work *work, int socket)
{
	struct reader_request request;
	int r;

	while ((r = reader_request_receive(socket, &request)) == 0 || r == -EBADMSG)
		if (r == 0)
			begin(work, &request, socket);
	return r == -EAGAIN;
}

/* A daemon that was killed has left its last words in the pages. */
#define END_NS (500 * NSEC_PER_MSEC)

static int run(const struct work *work)
{
	struct pollfd fds[] = {
	        {.fd = READER_FD_JOBS, .events = POLLIN},
	        {.fd = READER_FD_LINE, .events = POLLIN},
	};

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return EXIT_FAILURE;
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			if (fds[i].revents && !serve(work, fds[i].fd))
				return EXIT_SUCCESS;
	}
}

int reader_main(const char *pve_dir)
{
	struct work work = {.pve_dir = pve_dir ?: VM_CONF_DIR};
	struct board *board;
	int r;

	prctl(PR_SET_NAME, "pvs-reader");
	/* the end of its sockets tells that the daemon is gone, but not to a process that is
	 * stopped */
	prctl(PR_SET_PDEATHSIG, SIGCONT);
	r = limit_privileges();
	if (r == 0)
		r = board_map(&board, READER_FD_BOARD, READER_FD_NEWS);
	if (r == 0)
		r = lanes_new(&work.lanes, board);
	if (r < 0) {
		fprintf(stderr, "<3>" READER_NAME ": can't start: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	r = run(&work);
	lanes_end(work.lanes, END_NS);
	/* lanes may be held up, and must not be waited for: the end of the process ends them */
	_exit(r);
}
