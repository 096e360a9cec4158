// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/regions_left.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/region.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/thread_id.h"

enum outcome {
	ENDED = 0,
	GONE = 1,
};

static enum outcome end_region(const struct ledger_region *region)
{
	struct thread_id qemu = {region->pid, region->start_ticks};
	struct carrier *carrier;

	if (!thread_id_is_current(&qemu) ||
	    carrier_find(region->pid, region->n_pages, &carrier) != 0)
		return GONE;
	/* the memory that was found tells by its generation whether it is the one that was meant */
	if (!guest_region_has(carrier, region->generation))
		return GONE;
	guest_region_end(carrier, region->n_pages, region->generation);
	return ENDED;
}

/* One that hangs, maybe beyond SIGKILL, must not hold the lock of the runtime directory. */
static void __attribute__((noreturn)) look(const struct ledger_region *region)
{
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
	_exit(end_region(region));
}

/* Returns the outcome, or -ETIMEDOUT; -errno when there is no process for it. */
static int end_in_time(const struct ledger_region *region, int limit_ms)
{
	CLEANUP(cleanup_fd) int fd = -1;
	struct pollfd poll_fd = {.events = POLLIN};
	int status, r = 0;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		look(region);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	poll_fd.fd = fd;
	if (fd >= 0)
		r = poll(&poll_fd, 1, limit_ms);
	if (r <= 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, WNOHANG);
		return -ETIMEDOUT;
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return WEXITSTATUS(status);
}

static int ms_until(uint64_t until_ns)
{
	uint64_t now_ns = clock_now_ns();

	return now_ns < until_ns ? (int)((until_ns - now_ns) / NSEC_PER_MSEC) : 0;
}

void regions_left_end(struct ledger *ledger, struct regions_left *ret)
{
	uint64_t until_ns = clock_now_ns() + REGIONS_LEFT_MS * NSEC_PER_MSEC;
	struct ledger_region region;

	*ret = (struct regions_left){0};
	for (unsigned int i = 0; i < LEDGER_REGIONS_MAX; i++) {
		int r;

		if (ledger_get_region(ledger, i, &region) < 0)
			continue;
		r = end_in_time(&region, MIN(ms_until(until_ns), REGION_LEFT_MS));
		ret->ended += r == ENDED;
		ret->gone += r == GONE;
		ret->stuck += r < 0;
		ledger_drop_region(ledger, i);
	}
}
