/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "virt/defined.h"

/** What the child finds. */
struct finding {
	int outcome; /* of defined_find() */
	struct defined_domain domain;
};

static void find_in_child(const char *name, int fd)
{
	struct finding finding = {0};

	finding.outcome = defined_find(name, &finding.domain);
	_exit(write(fd, &finding, sizeof(finding)) == (ssize_t)sizeof(finding) ? 0 : 1);
}

/** A libvirt that hangs holds up a child of ours, which is killed. */
static int find_in_time(const char *name, struct defined_domain *ret)
{
	CLEANUP(cleanup_fd) int in = -1;
	struct pollfd readable = {.events = POLLIN};
	struct finding finding;
	int ends[2], r = DEFINED_NO_LIBVIRT;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	in = readable.fd = ends[0];
	child = fork();
	if (child == 0)
		find_in_child(name, ends[1]);
	close(ends[1]);
	if (child < 0)
		return -errno;
	/* it writes all of it at once, or nothing */
	if (poll(&readable, 1, CTL_TIMEOUT_S * 1000) == 1 &&
	    read(in, &finding, sizeof(finding)) == (ssize_t)sizeof(finding)) {
		*ret = finding.domain;
		r = finding.outcome;
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return r;
}

int policy_ask_absent(const struct ctl_args *args, struct ctl_reply *reply)
{
	struct defined_domain defined = {0};
	struct ctl_args again = *args;
	struct ctl_reply answer = CTL_REPLY_NULL;
	int r;

	if (args->verb != CTL_POLICY_SET && args->verb != CTL_POLICY_ASSIGN)
		return 0;
	if (reply->ok || strcmp(reply->code, "ENOENT") != 0)
		return 0;
	r = find_in_time(args->domain, &defined);
	if (r < 0)
		return r;
	if (r == 0)
		again.domain = defined.uuid;
	/* another name is refused again; a uuid may be that of a QEMU without libvirt */
	again.absent = true;
	again.name = r == 0 && defined.name[0] ? defined.name : NULL;
	r = ctl_ask(&again, &answer);
	if (r < 0)
		return r;
	ctl_reply_cleanup(reply);
	*reply = answer;
	return 0;
}
