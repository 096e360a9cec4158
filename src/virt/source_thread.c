/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/source_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "util/cleanup.h"
#include "util/thread.h"

int source_thread_init(struct source_thread *t, const char *source, const char *run_dir)
{
	*t = (struct source_thread){
	        .wake_fd = -1,
	        .refs = 2,
	        .status = SOURCE_STATUS_INIT(source),
	};
	pthread_mutex_init(&t->lock, NULL);
	t->run_dir = strdup(run_dir ? run_dir : "/run");
	if (!t->run_dir)
		return -ENOMEM;
	t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->wake_fd < 0)
		return -errno;
	return event_queue_new(&t->queue);
}

void source_thread_clear(struct source_thread *t)
{
	event_queue_free(t->queue);
	close_fd(t->wake_fd);
	free(t->run_dir);
	pthread_mutex_destroy(&t->lock);
}

int source_thread_start(struct source_thread *t, const char *name, void *(*run)(void *),
                        void *userdata)
{
	int r = thread_begin(&t->thread, 0, run, userdata);

	if (r == 0)
		pthread_setname_np(t->thread, name);
	return r;
}

bool source_thread_stopping(struct source_thread *t)
{
	bool stop;

	pthread_mutex_lock(&t->lock);
	stop = t->stop;
	pthread_mutex_unlock(&t->lock);
	return stop;
}

bool source_thread_leave(struct source_thread *t)
{
	unsigned int refs;

	pthread_mutex_lock(&t->lock);
	refs = --t->refs;
	pthread_mutex_unlock(&t->lock);
	return refs == 0;
}

bool source_thread_stop(struct source_thread *t)
{
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_mutex_unlock(&t->lock);
	source_thread_wake(t);
	if (!thread_join_within(t->thread, VIRT_STOP_NS))
		pthread_detach(t->thread);
	return source_thread_leave(t);
}

void source_thread_wake(struct source_thread *t)
{
	eventfd_write(t->wake_fd, 1);
}
