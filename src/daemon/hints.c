// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/hints.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "util/clock.h"
#include "util/duty.h"
#include "util/log.h"
#include "virt/procconn.h"

#define REST_ACCURACY_US 10000

struct hints {
	struct hints_news news;
	struct procconn *procconn; /* NULL: why */
	sd_event_source *io;
	sd_event_source *rest; /* reads again, after a storm of hints */
	struct duty duty;
	uint64_t lost_before; /* with sockets that failed; the failure counts, too */
	char why[128];
	const char *fix; /* what helps against that */
};

/*
 * Any process may name its threads like vCPUs, at any rate. While the reading rests the kernel
 * drops what does not fit in the socket. It tells that once, until the socket is empty again, which
 * may take long. So each rest counts as a loss.
 */
static int on_rested(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct hints *hints = userdata;

	(void)source;
	(void)usec;
	return hints->io ? MIN(sd_event_source_set_enabled(hints->io, SD_EVENT_ON), 0) : 0;
}

static void rest(struct hints *hints)
{
	uint64_t next_ns = duty_next_ns(&hints->duty);

	if (next_ns <= clock_now_ns() ||
	    sd_event_source_set_time(hints->rest, next_ns / NSEC_PER_USEC) < 0 ||
	    sd_event_source_set_enabled(hints->rest, SD_EVENT_ONESHOT) < 0)
		return;
	sd_event_source_set_enabled(hints->io, SD_EVENT_OFF);
	hints->news.lost(hints->news.userdata);
}

/* What it would have told is looked for once; after that, what looks now and then must do. */
static void fail(struct hints *hints, int error)
{
	log_warning("the proc connector is lost (%s): new vCPUs are found within a minute",
	            strerror(-error));
	snprintf(hints->why, sizeof(hints->why), "lost: %s", strerror(-error));
	hints->fix = "systemctl restart pvschedd";
	hints->lost_before += procconn_lost_total(hints->procconn) + 1;
	hints->io = sd_event_source_disable_unref(hints->io);
	hints->procconn = procconn_free(hints->procconn);
	hints->news.lost(hints->news.userdata);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct hints *hints = userdata;
	uint64_t begin_ns = clock_thread_ns();
	int r = procconn_read(hints->procconn, hints->news.named, hints->news.userdata);

	(void)source;
	(void)fd;
	(void)revents;
	if (r == PROCCONN_LOST)
		hints->news.lost(hints->news.userdata);
	duty_use(&hints->duty, clock_thread_ns() - begin_ns, clock_now_ns());
	if (r >= 0) {
		rest(hints);
		return 0;
	}
	fail(hints, r);
	return 0;
}

static int connect_to(struct hints *hints, sd_event *event)
{
	int r = procconn_new(&hints->procconn);

	if (r < 0) {
		snprintf(hints->why, sizeof(hints->why), "%s%s", strerror(-r),
		         r == -EPERM ? "; it needs CAP_NET_ADMIN" : "");
		hints->fix = r == -EPERM ? "give pvschedd CAP_NET_ADMIN"
		                         : "a kernel with CONFIG_PROC_EVENTS, and for pvschedd the "
		                           "network, PID and user namespaces of the host";
		log_notice("no proc connector (%s): threads are looked at every second instead",
		           hints->why);
		return 0;
	}
	r = sd_event_add_io(event, &hints->io, procconn_fd(hints->procconn), EPOLLIN, on_readable,
	                    hints);
	if (r >= 0)
		r = sd_event_add_time(event, &hints->rest, CLOCK_MONOTONIC, UINT64_MAX,
		                      REST_ACCURACY_US, on_rested, hints);
	if (r >= 0)
		r = sd_event_source_set_enabled(hints->rest, SD_EVENT_OFF);
	return MIN(r, 0);
}

int hints_new(struct hints **ret, sd_event *event, const struct hints_news *news)
{
	struct hints *hints = calloc(1, sizeof(*hints));
	int r;

	if (!hints)
		return -ENOMEM;
	hints->news = *news;
	r = connect_to(hints, event);
	if (r < 0) {
		hints_free(hints);
		return r;
	}
	*ret = hints;
	return 0;
}

struct hints *hints_free(struct hints *hints)
{
	if (!hints)
		return NULL;
	sd_event_source_disable_unref(hints->io);
	sd_event_source_disable_unref(hints->rest);
	procconn_free(hints->procconn);
	free(hints);
	return NULL;
}

bool hints_ok(const struct hints *hints)
{
	return hints->procconn;
}

const char *hints_why(const struct hints *hints)
{
	return hints->why;
}

const char *hints_fix(const struct hints *hints)
{
	return hints->fix ? hints->fix : "";
}

uint64_t hints_lost_total(const struct hints *hints)
{
	return hints->lost_before + (hints->procconn ? procconn_lost_total(hints->procconn) : 0);
}
