// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics_file.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/report_metrics.h"
#include "util/log.h"
#include "util/replace_file.h"
#include "util/thread.h"

#define STACK_BYTES (64 * 1024) /* it is locked in memory */

/* So many of them are no moment of a busy host, but a disk that hangs. */
#define BUSY_INTERVALS 3

/* Longer than a disk takes, and far below what systemd waits for. */
#define STOP_NS NSEC_PER_SEC

/* The thread, and what it shares with its owner. Freed by whichever of them is the last. */
struct writer {
	pthread_t thread;
	char path[PATH_MAX];
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t wake;
	unsigned int refs;
	bool stop;
	struct openmetrics text; /* to write; text.text NULL: none */
	bool writes;             /* it does now */
	int result;              /* of the last write */
};

struct metrics_file {
	sd_event *event;
	const struct views *views;
	struct tally *tally;
	uint64_t interval_us;
	sd_event_source *timer;
	struct writer *writer; /* NULL: no file */
	int said;              /* the result that was logged last */
	unsigned int busy;     /* so many intervals in a row the thread was still writing */
};

static void writer_unref(struct writer *w)
{
	unsigned int refs;

	pthread_mutex_lock(&w->lock);
	refs = --w->refs;
	pthread_mutex_unlock(&w->lock);
	if (refs > 0)
		return;
	openmetrics_clear(&w->text);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* Waits for something to write, and takes it. Returns false when it must end. */
static bool next_text(struct writer *w, struct openmetrics *ret)
{
	bool go_on;

	pthread_mutex_lock(&w->lock);
	while (!w->stop && !w->text.text)
		pthread_cond_wait(&w->wake, &w->lock);
	go_on = !w->stop;
	w->writes = go_on;
	*ret = w->text;
	w->text = OPENMETRICS_INIT(OPENMETRICS_PROMETHEUS, 0);
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

static void *writer_run(void *userdata)
{
	struct writer *w = userdata;
	struct openmetrics text;

	while (next_text(w, &text)) {
		int r = replace_file(w->path, text.text, text.size);

		openmetrics_clear(&text);
		pthread_mutex_lock(&w->lock);
		w->writes = false;
		w->result = r;
		pthread_mutex_unlock(&w->lock);
	}
	openmetrics_clear(&text);
	/* figures of a daemon that does not run would look like those of one that does nothing */
	replace_file_remove(w->path);
	writer_unref(w);
	return NULL;
}

static int writer_new(struct writer **ret, const char *path)
{
	struct writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	snprintf(w->path, sizeof(w->path), "%s", path);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->refs = 2;
	r = thread_begin(&w->thread, STACK_BYTES, writer_run, w);
	if (r < 0) {
		w->refs = 1;
		writer_unref(w);
		return r;
	}
	pthread_setname_np(w->thread, "metrics");
	*ret = w;
	return 0;
}

/* Takes NULL; returns NULL. One that waits for a disk is left behind. */
static struct writer *writer_free(struct writer *w)
{
	if (!w)
		return NULL;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (!thread_join_within(w->thread, STOP_NS))
		pthread_detach(w->thread);
	writer_unref(w);
	return NULL;
}

static bool writer_is_busy(struct writer *w, int *ret_result)
{
	bool busy;

	pthread_mutex_lock(&w->lock);
	busy = w->writes || w->text.text;
	*ret_result = w->result;
	pthread_mutex_unlock(&w->lock);
	return busy;
}

/* Takes the text over. */
static void writer_give(struct writer *w, struct openmetrics *text)
{
	pthread_mutex_lock(&w->lock);
	w->text = *text;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

/* Once for each change. */
static void say(struct metrics_file *file, int result)
{
	if (result == file->said)
		return;
	file->said = result;
	if (result == 0)
		log_info("%s is written again", file->writer->path);
	else
		log_error("%s can't be written: %s%s", file->writer->path, strerror(-result),
		          result == -EROFS || result == -EACCES || result == -EPERM
		                  ? "; under systemd this needs the drop-in metrics-file.conf, "
		                    "see pvsched-metrics(7)"
		                  : "");
}

/* Once in a row. */
static void say_busy(struct metrics_file *file)
{
	if (++file->busy == BUSY_INTERVALS)
		log_warning("%s: writing it takes longer than %d intervals", file->writer->path,
		            BUSY_INTERVALS);
}

static void write_now(struct metrics_file *file)
{
	struct openmetrics text;
	int result, r;

	if (writer_is_busy(file->writer, &result)) {
		say_busy(file);
		return;
	}
	file->busy = 0;
	say(file, result);
	r = report_metrics_text(file->views, file->tally, OPENMETRICS_PROMETHEUS, &text);
	if (r < 0) {
		openmetrics_clear(&text);
		say(file, r);
		return;
	}
	writer_give(file->writer, &text);
}

static int on_interval(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct metrics_file *file = userdata;

	write_now(file);
	sd_event_source_set_time(source, usec + file->interval_us);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int metrics_file_new(struct metrics_file **ret, sd_event *event, const struct views *views,
                     struct tally *tally)
{
	struct metrics_file *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->event = event;
	file->views = views;
	file->tally = tally;
	*ret = file;
	return 0;
}

struct metrics_file *metrics_file_free(struct metrics_file *file)
{
	if (!file)
		return NULL;
	sd_event_source_disable_unref(file->timer);
	writer_free(file->writer);
	free(file);
	return NULL;
}

int metrics_file_configure(struct metrics_file *file, const char *path, uint64_t interval_ns)
{
	uint64_t us = interval_ns / NSEC_PER_USEC;
	bool same = file->writer && strcmp(file->writer->path, path) == 0;
	int r = 0;

	file->timer = sd_event_source_disable_unref(file->timer);
	file->interval_us = us;
	if (!same) {
		file->writer = writer_free(file->writer);
		file->said = 0;
		file->busy = 0;
		if (*path)
			r = writer_new(&file->writer, path);
	}
	if (r < 0 || !file->writer)
		return r;
	/* the first one soon, when the domains are known; nothing waits for the others */
	r = sd_event_add_time_relative(file->event, &file->timer, CLOCK_MONOTONIC,
	                               MIN(us, NSEC_PER_SEC / NSEC_PER_USEC), us / 10, on_interval,
	                               file);
	return MIN(r, 0);
}
