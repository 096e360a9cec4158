// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/carrier_search.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "util/clock.h"

struct job {
	struct job *next; /* carrier_search::waiting or ::running */
	struct reader_request *request;
	uint64_t until_ns; /* running: when it is given up */
};

struct carrier_search {
	sd_event *event;
	struct reader_process *reader;
	enum reader_user user;
	struct carrier_search_news news;
	sd_event_source *timer; /* armed while a job runs */
	uint64_t last_id;
	unsigned int n_running;
	struct job *running;
	struct job *waiting; /* the oldest first */
};

/* ---- lists ---- */

static bool same_qemu(const struct job *job, const struct thread_id *qemu)
{
	return thread_id_equal(&job->request->qemu, qemu);
}

static void job_unlink(struct job **list, struct job *job)
{
	while (*list != job)
		list = &(*list)->next;
	*list = job->next;
}

static void job_free(struct job *job)
{
	free(job->request);
	free(job);
}

static void free_all(struct job **list)
{
	struct job *job;

	while ((job = *list)) {
		*list = job->next;
		job_free(job);
	}
}

/* ---- the limit ---- */

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata);

static void arm_timer(struct carrier_search *search)
{
	uint64_t first_ns = NSEC_NEVER, usec;

	for (const struct job *job = search->running; job; job = job->next)
		first_ns = MIN(first_ns, job->until_ns);
	if (first_ns == NSEC_NEVER) {
		sd_event_source_set_enabled(search->timer, SD_EVENT_OFF);
		return;
	}
	usec = first_ns / NSEC_PER_USEC + 1;
	if (!search->timer) {
		/* without memory for a timer, the next job's does for this one, too */
		sd_event_add_time(search->event, &search->timer, CLOCK_MONOTONIC, usec, 0, on_limit,
		                  search);
		return;
	}
	sd_event_source_set_time(search->timer, usec);
	sd_event_source_set_enabled(search->timer, SD_EVENT_ONESHOT);
}

/* ---- starting ---- */

/*
 * One job of a QEMU at a time: two that begin its region at once would leave the daemon with the
 * wrong one of two generations.
 */
static bool may_start(const struct carrier_search *search, const struct job *job)
{
	for (const struct job *i = search->running; i; i = i->next)
		if (same_qemu(i, &job->request->qemu))
			return false;
	return true;
}

static void start_waiting(struct carrier_search *search)
{
	struct job *next;

	for (struct job *job = search->waiting; job; job = next) {
		next = job->next;
		if (search->n_running >= CARRIER_SEARCHES_MAX)
			break;
		if (!may_start(search, job))
			continue;
		job->request->id = ++search->last_id;
		if (reader_process_send(search->reader, job->request) < 0)
			break; /* when a reply or another reader comes */
		job->until_ns = clock_now_ns() + CARRIER_SEARCH_LIMIT_NS;
		job_unlink(&search->waiting, job);
		job->next = search->running;
		search->running = job;
		search->n_running++;
	}
	arm_timer(search);
}

static struct job *take_running(struct carrier_search *search, uint64_t id)
{
	for (struct job *job = search->running; job; job = job->next) {
		if (job->request->id != id)
			continue;
		job_unlink(&search->running, job);
		search->n_running--;
		return job;
	}
	return NULL;
}

/* ---- results ---- */

static int find_result(int result)
{
	if (result == -ETIMEDOUT)
		return CARRIER_STUCK;
	return result == -EBUSY ? CARRIER_NOT_TRIED : result;
}

static void tell_found(const struct carrier_search *search, const struct job *job, int result,
                       const struct reader_reply *reply)
{
	struct carrier_found found = {
	        .qemu = job->request->qemu,
	        .n_pages = job->request->n_pages,
	        .known = job->request->known,
	        .result = find_result(result),
	};

	if (reply && result == 0) {
		found.same = reply->same;
		found.carrier = reply->carrier;
	}
	if (search->news.found)
		search->news.found(search->news.userdata, &found);
}

/* @reply may be NULL, with a negative @result. */
static void tell(const struct carrier_search *search, const struct job *job, int result,
                 const struct reader_reply *reply)
{
	const struct reader_request *request = job->request;

	if (request->job == READER_FIND)
		tell_found(search, job, result, reply);
	else if (request->job == READER_PROVE && search->news.proven)
		search->news.proven(search->news.userdata, &request->qemu, request->generation,
		                    result, reply ? &reply->proof : NULL);
}

/* A reply that was waited for no longer: its lane is free, and its carrier is not wanted. */
static void too_late(struct carrier_search *search, const struct reader_reply *reply)
{
	if (reply->job == READER_FIND && reply->result == 0 && !reply->same)
		carrier_search_end(search, &reply->qemu, reply->carrier.generation, true);
	if (reply->job == READER_PROVE && reply->result == 0)
		carrier_search_end(search, &reply->qemu, reply->proof.generation, false);
	if (search->news.room)
		search->news.room(search->news.userdata);
}

static void on_reply(void *userdata, const struct reader_reply *reply)
{
	struct carrier_search *search = userdata;
	struct job *job = take_running(search, reply->id);

	if (!job) {
		too_late(search, reply);
		return;
	}
	/* the reader's words are checked for themselves; here, whether they answer */
	if (same_qemu(job, &reply->qemu) && job->request->job == reply->job)
		tell(search, job, reply->result, reply);
	else
		tell(search, job, -EBADMSG, NULL);
	job_free(job);
	start_waiting(search);
}

static struct job *first_late(struct carrier_search *search, uint64_t now_ns)
{
	for (struct job *job = search->running; job; job = job->next)
		if (now_ns >= job->until_ns)
			return job;
	return NULL;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct carrier_search *search = userdata;
	uint64_t now_ns = clock_now_ns();
	struct job *job;

	(void)source;
	(void)usec;
	reader_process_receive(search->reader); /* what came just in time */
	while ((job = first_late(search, now_ns))) {
		/* not begun: that is not the QEMU's fault */
		if (!board_works_for(reader_process_board(search->reader), &job->request->qemu)) {
			reader_process_distrust(search->reader);
			break;
		}
		take_running(search, job->request->id);
		tell(search, job, -ETIMEDOUT, NULL);
		job_free(job);
	}
	start_waiting(search);
	return 0;
}

static void on_lost(void *userdata)
{
	struct carrier_search *search = userdata;

	free_all(&search->running);
	free_all(&search->waiting);
	search->n_running = 0;
	arm_timer(search);
	if (search->news.lost)
		search->news.lost(search->news.userdata);
}

static void on_renewed(void *userdata)
{
	start_waiting(userdata);
}

/* ---- for others ---- */

int carrier_search_new(struct carrier_search **ret, sd_event *event, struct reader_process *reader,
                       enum reader_user user, const struct carrier_search_news *news)
{
	struct carrier_search *search = calloc(1, sizeof(*search));

	if (!search)
		return -ENOMEM;
	search->event = event;
	search->reader = reader;
	search->user = user;
	search->last_id = (uint64_t)user << READER_ID_SHIFT;
	search->news = *news;
	reader_process_report_to(reader, user,
	                         &(struct reader_news){.replied = on_reply,
	                                               .lost = on_lost,
	                                               .renewed = on_renewed,
	                                               .userdata = search});
	*ret = search;
	return 0;
}

static int queue(struct carrier_search *search, const struct reader_request *request)
{
	struct job *job = calloc(1, sizeof(*job)), **last = &search->waiting;

	if (job)
		job->request = reader_request_copy(request);
	if (!job || !job->request) {
		free(job);
		return -ENOMEM;
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
	return last && last->request->job == READER_FIND ? last : NULL;
}

int carrier_search_begin(struct carrier_search *search, const struct thread_id *qemu,
                         uint32_t n_pages, const struct carrier_object *known, bool refused)
{
	struct reader_request request = {
	        .qemu = *qemu, .job = READER_FIND, .n_pages = n_pages, .refused = refused};
	struct job *job = waiting_look(search, qemu);

	if (job) {
		job->request->n_pages = n_pages;
		job->request->refused = refused;
		if (!known)
			job->request->known = (struct carrier_object){0};
		else if (refused)
			job->request->known = *known;
		return 0;
	}
	if (known)
		request.known = *known;
	return queue(search, &request);
}

static void forget_waiting_proofs(struct carrier_search *search, const struct thread_id *qemu)
{
	struct job *next;

	for (struct job *job = search->waiting; job; job = next) {
		next = job->next;
		if (job->request->job != READER_PROVE || !same_qemu(job, qemu))
			continue;
		job_unlink(&search->waiting, job);
		job_free(job);
	}
}

int carrier_search_prove(struct carrier_search *search, const struct reader_request *request)
{
	forget_waiting_proofs(search, &request->qemu);
	return queue(search, request);
}

void carrier_search_end(struct carrier_search *search, const struct thread_id *qemu,
                        uint64_t generation, bool ends)
{
	/* without memory, its guest believes in us until it asks the next host */
	queue(search,
	      &(struct reader_request){
	              .qemu = *qemu, .job = READER_DROP, .ends = ends, .generation = generation});
}

static void wait_for_jobs(struct carrier_search *search)
{
	uint64_t until_ns = clock_now_ns() + CARRIER_SEARCH_END_MS * NSEC_PER_MSEC, now_ns;
	struct pollfd poll_fd = {.fd = reader_process_fd(search->reader), .events = POLLIN};

	while ((search->running || search->waiting) && poll_fd.fd >= 0 &&
	       (now_ns = clock_now_ns()) < until_ns) {
		if (poll(&poll_fd, 1, (int)((until_ns - now_ns) / NSEC_PER_MSEC) + 1) > 0)
			reader_process_receive(search->reader);
		if (poll_fd.revents & (POLLHUP | POLLERR))
			return;
	}
}

struct carrier_search *carrier_search_free(struct carrier_search *search)
{
	if (!search)
		return NULL;
	search->news = (struct carrier_search_news){.userdata = NULL};
	wait_for_jobs(search);
	reader_process_report_to(search->reader, search->user, NULL);
	sd_event_source_disable_unref(search->timer);
	free_all(&search->running);
	free_all(&search->waiting);
	free(search);
	return NULL;
}
