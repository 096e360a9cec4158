// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/events.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "util/cleanup.h"

int events_init(struct events *events)
{
	*events = (struct events){.epoll = epoll_create1(EPOLL_CLOEXEC)};
	return events->epoll < 0 ? -errno : 0;
}

void events_finish(struct events *events)
{
	events->epoll = close_fd(events->epoll);
}

int event_add(struct events *events, struct event *event, int fd, uint32_t epoll_events,
              void (*fn)(void *userdata, uint32_t epoll_events), void *userdata)
{
	struct epoll_event e = {.events = epoll_events, .data.ptr = event};

	if (epoll_ctl(events->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		return -errno;
	*event = (struct event){.fd = fd, .fn = fn, .userdata = userdata};
	return 0;
}

int event_change(struct events *events, struct event *event, uint32_t epoll_events)
{
	struct epoll_event e = {.events = epoll_events, .data.ptr = event};

	return epoll_ctl(events->epoll, EPOLL_CTL_MOD, event->fd, &e) < 0 ? -errno : 0;
}

void event_remove(struct events *events, struct event *event)
{
	if (event->fd >= 0)
		epoll_ctl(events->epoll, EPOLL_CTL_DEL, event->fd, NULL);
	*event = EVENT_NULL;
}

int event_timer(struct events *events, struct event *event,
                void (*fn)(void *userdata, uint32_t epoll_events), void *userdata)
{
	int r, fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	r = event_add(events, event, fd, EPOLLIN, fn, userdata);
	if (r < 0)
		close_fd(fd);
	return r;
}

void event_timer_set(struct event *event, uint64_t at_ns)
{
	struct itimerspec at = {0};

	if (at_ns != NSEC_NEVER) {
		at.it_value.tv_sec = (time_t)(at_ns / NSEC_PER_SEC);
		at.it_value.tv_nsec = (long)(at_ns % NSEC_PER_SEC);
		if (at_ns == 0)
			at.it_value.tv_nsec = 1; /* 0 would unset it */
	}
	timerfd_settime(event->fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void event_timer_done(struct event *event)
{
	uint64_t times;

	/* EAGAIN: it was set anew meanwhile */
	if (read(event->fd, &times, sizeof(times)) < 0)
		return;
}

void event_timer_finish(struct events *events, struct event *event)
{
	int fd = event->fd;

	event_remove(events, event);
	close_fd(fd);
}

int events_turn(struct events *events, int timeout_ms)
{
	struct epoll_event e;
	/* one at a time: what it calls may end others that are ready, too */
	int n = epoll_wait(events->epoll, &e, 1, timeout_ms);
	struct event *event = n > 0 ? e.data.ptr : NULL;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (event && event->fn)
		event->fn(event->userdata, e.events);
	return n;
}

int events_run(struct events *events)
{
	int r = 0;

	while (r >= 0 && !events->end) {
		r = events_turn(events, events->turn ? events->turn_ms : -1);
		if (r >= 0 && events->turn)
			events->turn(events->turn_userdata);
	}
	return r < 0 ? r : 0;
}
