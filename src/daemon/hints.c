// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/hints.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "util/log.h"
#include "virt/procconn.h"

struct hints {
	struct hints_news news;
	struct procconn *procconn; /* NULL: why */
	sd_event_source *io;
	char why[128];
};

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct hints *hints = userdata;
	int r = procconn_read(hints->procconn, hints->news.named, hints->news.userdata);

	(void)source;
	(void)fd;
	(void)revents;
	if (r == PROCCONN_LOST)
		hints->news.lost(hints->news.userdata);
	if (r >= 0)
		return 0;
	log_warning("the proc connector is lost (%s): new vCPUs are found within a minute",
	            strerror(-r));
	snprintf(hints->why, sizeof(hints->why), "lost: %s", strerror(-r));
	hints->io = sd_event_source_disable_unref(hints->io);
	hints->procconn = procconn_free(hints->procconn);
	return 0;
}

static int connect_to(struct hints *hints, sd_event *event)
{
	int r = procconn_new(&hints->procconn);

	if (r < 0) {
		snprintf(hints->why, sizeof(hints->why), "%s%s", strerror(-r),
		         r == -EPERM ? "; it needs CAP_NET_ADMIN" : "");
		log_notice("no proc connector (%s): threads are looked at every second instead",
		           hints->why);
		return 0;
	}
	r = sd_event_add_io(event, &hints->io, procconn_fd(hints->procconn), EPOLLIN, on_readable,
	                    hints);
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

uint64_t hints_lost_total(const struct hints *hints)
{
	return hints->procconn ? procconn_lost_total(hints->procconn) : 0;
}
