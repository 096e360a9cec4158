// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/carrier_search.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/procfs.h"

#define CMDLINE_MAX (256 * 1024)

/* Enough for the buffers of the readers of /proc. */
#define STACK_BYTES (256 * 1024)

struct job {
	struct job *next; /* carrier_search::waiting or ::running */
	struct carrier_found found;
	bool ends;    /* the carrier's region ends, nothing is looked for */
	int reply_fd; /* its own: the search may be gone when it is done */
};

struct carrier_search {
	sd_event_source *io;
	int fds[2]; /* pointers to jobs that are done */
	carrier_found_fn *fn;
	void *userdata;
	unsigned int n_running;
	struct job *running;
	struct job *waiting; /* the oldest first */
};

static struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	carrier_free(job->found.carrier);
	close_fd(job->reply_fd);
	free(job);
	return NULL;
}

static struct topology topology_read(pid_t pid)
{
	CLEANUP(cleanup_free) char *cmdline = malloc(CMDLINE_MAX);
	ssize_t n = cmdline ? procfs_cmdline(pid, cmdline, CMDLINE_MAX) : -ENOMEM;

	return n > 0 ? topology_of_cmdline(cmdline, (size_t)n) : TOPOLOGY_FLAT;
}

/*
 * The tracer can't wait for a page that QEMU has not touched yet, as it would be before its guest's
 * first word. What can't be made resident is polled.
 */
static void touch_pages(const struct carrier_found *found)
{
	uint64_t address = carrier_address(found->carrier);
	uint8_t byte;

	for (uint32_t i = 0; address && i <= found->n_pages; i++) {
		struct iovec here = {&byte, 1};
		struct iovec there = {
		        (void *)(uintptr_t)(address + (uint64_t)i * PVSCHED_PAGE_SIZE), 1};

		if (process_vm_readv(found->qemu.tid, &here, 1, &there, 1, 0) < 0)
			return;
	}
}

static void look(struct carrier_found *found)
{
	found->result = -ESRCH;
	if (!thread_id_is_current(&found->qemu))
		return;
	found->result = carrier_find(found->qemu.tid, found->n_pages, &found->carrier);
	if (found->result != 0)
		return;
	found->same = found->known.inode && carrier_device(found->carrier) == found->known.device &&
	              carrier_inode(found->carrier) == found->known.inode;
	if (found->same) {
		found->carrier = carrier_free(found->carrier);
		return;
	}
	found->topology = topology_read(found->qemu.tid);
	if (!thread_id_is_current(&found->qemu))
		found->result = -ESRCH; /* what was found may be of another process */
	else
		found->result = guest_region_begin(found->carrier, &found->topology, found->n_pages,
		                                   &found->generation);
	if (found->result == 0)
		touch_pages(found);
	else
		found->carrier = carrier_free(found->carrier);
}

static void *job_main(void *userdata)
{
	struct job *job = userdata;

	if (job->ends) {
		guest_region_end(job->found.carrier, job->found.n_pages, job->found.generation);
		job->found.carrier = carrier_free(job->found.carrier);
	} else {
		look(&job->found);
	}
	/* a pointer is written whole; when the daemon is leaving it is not read any more */
	if (write(job->reply_fd, &job, sizeof(job)) != sizeof(job))
		job_free(job);
	return NULL;
}

static int job_start(struct job *job)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attributes, job_main, job);
	pthread_attr_destroy(&attributes);
	return -r;
}

static bool same_qemu(const struct job *job, const struct thread_id *qemu)
{
	return thread_id_equal(&job->found.qemu, qemu);
}

/*
 * One job of a QEMU at a time: two that begin its region at once would leave half of each there,
 * and one QEMU that hangs must not take all threads.
 */
static bool may_start(const struct carrier_search *search, const struct job *job)
{
	for (const struct job *i = search->running; i; i = i->next)
		if (same_qemu(i, &job->found.qemu))
			return false;
	return true;
}

static void job_unlink(struct job **list, struct job *job)
{
	while (*list != job)
		list = &(*list)->next;
	*list = job->next;
}

static void start_waiting(struct carrier_search *search)
{
	struct job *next;

	for (struct job *job = search->waiting; job; job = next) {
		next = job->next;
		if (search->n_running >= CARRIER_SEARCHES_MAX)
			return;
		if (!may_start(search, job))
			continue;
		job_unlink(&search->waiting, job);
		job->next = search->running;
		search->running = job;
		search->n_running++;
		if (job_start(job) == 0)
			continue;
		job_unlink(&search->running, job);
		search->n_running--;
		job_free(job); /* looked for again when the domain changes */
	}
}

static int on_done(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct carrier_search *search = userdata;
	struct job *job;

	(void)source;
	(void)revents;
	if (read(fd, &job, sizeof(job)) != sizeof(job))
		return 0;
	job_unlink(&search->running, job);
	search->n_running--;
	if (!job->ends) {
		search->fn(search->userdata, &job->found);
		job->found.carrier = NULL; /* taken over */
	}
	job_free(job);
	start_waiting(search);
	return 0;
}

int carrier_search_new(struct carrier_search **ret, sd_event *event, carrier_found_fn *fn,
                       void *userdata)
{
	struct carrier_search *search = calloc(1, sizeof(*search));
	int r;

	if (!search)
		return -ENOMEM;
	search->fn = fn;
	search->userdata = userdata;
	if (pipe2(search->fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		r = -errno;
		free(search);
		return r;
	}
	r = sd_event_add_io(event, &search->io, search->fds[0], EPOLLIN, on_done, search);
	if (r < 0) {
		carrier_search_free(search);
		return r;
	}
	*ret = search;
	return 0;
}

/* Takes the job over. */
static int queue(struct carrier_search *search, struct job *job)
{
	struct job **last = &search->waiting;
	int r;

	job->reply_fd = fcntl(search->fds[1], F_DUPFD_CLOEXEC, 0);
	if (job->reply_fd < 0) {
		r = -errno;
		job_free(job);
		return r;
	}
	while (*last)
		last = &(*last)->next;
	*last = job;
	start_waiting(search);
	return 0;
}

/* The last one of that QEMU that waits, if it looks for a carrier. */
static struct job *waiting_look(struct carrier_search *search, const struct thread_id *qemu)
{
	struct job *last = NULL;

	for (struct job *job = search->waiting; job; job = job->next)
		if (same_qemu(job, qemu))
			last = job;
	return last && !last->ends ? last : NULL;
}

int carrier_search_begin(struct carrier_search *search, const struct thread_id *qemu,
                         uint32_t n_pages, const struct carrier_object *known)
{
	struct job *job = waiting_look(search, qemu);

	if (job) {
		job->found.n_pages = n_pages;
		if (!known)
			job->found.known = (struct carrier_object){0};
		return 0;
	}
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->found.qemu = *qemu;
	job->found.n_pages = n_pages;
	if (known)
		job->found.known = *known;
	return queue(search, job);
}

void carrier_search_end(struct carrier_search *search, const struct thread_id *qemu,
                        struct carrier *carrier, uint32_t n_pages, uint64_t generation)
{
	struct job *job;

	if (!carrier)
		return;
	job = calloc(1, sizeof(*job));
	if (!job) {
		carrier_free(carrier); /* its guest believes in us until it asks the next host */
		return;
	}
	job->ends = true;
	job->found.qemu = *qemu;
	job->found.carrier = carrier;
	job->found.n_pages = n_pages;
	job->found.generation = generation;
	queue(search, job);
}

static void wait_for_jobs(struct carrier_search *search)
{
	uint64_t until_ns = clock_now_ns() + CARRIER_SEARCH_END_MS * NSEC_PER_MSEC, now_ns;
	struct pollfd poll_fd = {.fd = search->fds[0], .events = POLLIN};

	while (search->n_running > 0 && (now_ns = clock_now_ns()) < until_ns) {
		if (poll(&poll_fd, 1, (int)((until_ns - now_ns) / NSEC_PER_MSEC) + 1) > 0)
			on_done(NULL, search->fds[0], POLLIN, search);
	}
}

static void ignore(void *userdata, const struct carrier_found *found)
{
	(void)userdata;
	carrier_free(found->carrier);
}

struct carrier_search *carrier_search_free(struct carrier_search *search)
{
	struct job *job;

	if (!search)
		return NULL;
	sd_event_source_disable_unref(search->io);
	search->fn = ignore;
	wait_for_jobs(search);
	while (search->waiting) {
		job = search->waiting;
		search->waiting = job->next;
		job_free(job);
	}
	close_fd(search->fds[0]);
	close_fd(search->fds[1]);
	free(search);
	return NULL;
}
