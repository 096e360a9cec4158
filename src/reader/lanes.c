// SPDX-License-Identifier: GPL-2.0-or-later
#include "reader/lanes.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "reader/held.h"
#include "util/clock.h"
#include "util/thread.h"

/* Enough for the buffers of the readers of /proc. */
#define STACK_BYTES (256 * 1024)

/* One of each kind at a time, and ends of regions that were replaced. */
#define JOBS_MAX 8

struct job {
	struct reader_request *request; /* as long as its kind needs */
	int socket;                     /* for the reply */
};

struct lane {
	struct lanes *lanes;
	unsigned int index;
	/* under lanes::lock */
	bool used;    /* it is @qemu's */
	bool runs;    /* it has a thread */
	bool refused; /* a job was held up for too long: none is begun any more */
	struct thread_id qemu;
	unsigned int n_jobs;
	struct job jobs[JOBS_MAX]; /* the oldest first */
	/* the thread's */
	struct held held;
};

struct lanes {
	struct board *board;
	pthread_mutex_t
	        lock; /* of lanes, and of the reader's half of the board; never held in a job */
	pthread_cond_t ended; /* a lane has, after @ending was set */
	bool ending;
	struct lane of[BOARD_LANES];
};

/* ---- in the lane's thread ---- */

static bool next_job(struct lane *lane, struct job *ret)
{
	bool found;

	pthread_mutex_lock(&lane->lanes->lock);
	found = lane->n_jobs > 0;
	if (found) {
		*ret = lane->jobs[0];
		lane->n_jobs--;
		for (unsigned int i = 0; i < lane->n_jobs; i++)
			lane->jobs[i] = lane->jobs[i + 1];
	}
	pthread_mutex_unlock(&lane->lanes->lock);
	return found;
}

/* Ends what may have been held up. Returns false if it was, for too long. */
static bool work_end(struct lane *lane)
{
	struct board *board = lane->lanes->board;
	bool stuck = board_lane_is_stuck(board, lane->index, clock_now_ns());

	if (stuck) {
		held_close(&lane->held); /* may be held up, too */
		pthread_mutex_lock(&lane->lanes->lock);
		lane->refused = true;
		pthread_mutex_unlock(&lane->lanes->lock);
	}
	board_lane_set_busy(board, lane->index, 0);
	return !stuck;
}

static void run_job(struct lane *lane, const struct job *job)
{
	const struct reader_request *request = job->request;
	struct reader_reply reply = {.id = request->id, .qemu = request->qemu, .job = request->job};

	board_lane_set_busy(lane->lanes->board, lane->index, clock_now_ns());
	held_run(&lane->held, request, &reply);
	reply.carrier.lane = lane->index;
	if (request->job == READER_PROVE) {
		reply.proof.lane = lane->index;
		reply.proof.generation = request->generation;
	}
	if (!work_end(lane))
		reply.result = -ETIMEDOUT;
	reader_reply_send(job->socket, &reply); /* without a daemon the reader ends */
	free(job->request);
}

static void serve_page(struct lane *lane, unsigned int slot, const struct board_ask *ask)
{
	struct lanes *lanes = lane->lanes;
	struct board_copy copy;
	bool written;

	if (!held_has(&lane->held, ask))
		return;
	pthread_mutex_lock(&lanes->lock);
	written = board_is_written(lanes->board, slot, ask);
	pthread_mutex_unlock(&lanes->lock);
	board_lane_set_busy(lanes->board, lane->index, clock_now_ns());
	held_serve(&lane->held, ask, !written, &copy);
	if (!work_end(lane))
		return;
	pthread_mutex_lock(&lanes->lock);
	board_put(lanes->board, slot, &copy);
	pthread_mutex_unlock(&lanes->lock);
}

/* The daemon is gone: the region ends, and with it the lane. */
static bool ends(struct lane *lane)
{
	struct lanes *lanes = lane->lanes;
	struct job job;
	bool ending;

	pthread_mutex_lock(&lanes->lock);
	ending = lanes->ending;
	pthread_mutex_unlock(&lanes->lock);
	if (!ending)
		return false;
	while (next_job(lane, &job))
		free(job.request);
	held_end(&lane->held);
	pthread_mutex_lock(&lanes->lock);
	lane->runs = false;
	pthread_cond_signal(&lanes->ended);
	pthread_mutex_unlock(&lanes->lock);
	return true;
}

static bool is_over(struct lane *lane)
{
	bool over;

	pthread_mutex_lock(&lane->lanes->lock);
	over = lane->n_jobs == 0 && !held_any(&lane->held);
	if (over) {
		lane->runs = false;
		/* else it stays, so that its QEMU is known */
		lane->used = lane->refused;
	}
	pthread_mutex_unlock(&lane->lanes->lock);
	return over;
}

static void *lane_main(void *userdata)
{
	struct lane *lane = userdata;
	struct board *board = lane->lanes->board;

	for (;;) {
		uint32_t calls = board_lane_calls(board, lane->index);
		unsigned int from = 0, slot;
		struct board_ask ask;
		struct job job;

		if (ends(lane))
			return NULL;
		while (next_job(lane, &job))
			run_job(lane, &job);
		while (board_next_ask(board, lane->index, &from, &slot, &ask))
			serve_page(lane, slot, &ask);
		if (is_over(lane))
			return NULL;
		board_lane_sleep(board, lane->index, calls);
	}
}

/* ---- lanes come and go; under the lock ---- */

static struct lane *find_lane(struct lanes *lanes, const struct thread_id *qemu)
{
	for (unsigned int i = 0; i < BOARD_LANES; i++)
		if (lanes->of[i].used && thread_id_equal(&lanes->of[i].qemu, qemu))
			return &lanes->of[i];
	return NULL;
}

/* Forgets refused QEMUs that are gone. */
static void sweep(struct lanes *lanes)
{
	for (unsigned int i = 0; i < BOARD_LANES; i++) {
		struct lane *lane = &lanes->of[i];

		if (lane->used && !lane->runs && !thread_id_is_current(&lane->qemu))
			lane->used = false;
	}
}

static struct lane *find_unused(struct lanes *lanes)
{
	for (unsigned int i = 0; i < BOARD_LANES; i++)
		if (!lanes->of[i].used)
			return &lanes->of[i];
	return NULL;
}

static struct lane *make_lane(struct lanes *lanes, const struct thread_id *qemu)
{
	struct lane *lane = find_unused(lanes);

	if (!lane) {
		sweep(lanes);
		lane = find_unused(lanes);
	}
	if (!lane)
		return NULL;
	*lane = (struct lane){.lanes = lanes,
	                      .index = (unsigned int)(lane - lanes->of),
	                      .used = true,
	                      .qemu = *qemu};
	board_lane_begin(lanes->board, lane->index, qemu);
	return lane;
}

static int start(struct lane *lane)
{
	pthread_t thread;
	int r;

	if (lane->runs)
		return 0;
	r = thread_begin(&thread, STACK_BYTES, lane_main, lane);
	if (r < 0) {
		lane->used = false;
		return -EAGAIN;
	}
	pthread_detach(thread);
	lane->runs = true;
	return 0;
}

static int add_job(struct lane *lane, const struct reader_request *request, int socket)
{
	struct job job = {.socket = socket};
	int r;

	if (lane->n_jobs == JOBS_MAX)
		return -EAGAIN;
	job.request = reader_request_copy(request);
	if (!job.request)
		return -ENOMEM;
	lane->jobs[lane->n_jobs++] = job;
	r = start(lane);
	if (r < 0)
		free(lane->jobs[--lane->n_jobs].request);
	return r;
}

static int begin_job(struct lanes *lanes, const struct reader_request *request, int socket,
                     unsigned int *ret_lane)
{
	struct lane *lane = find_lane(lanes, &request->qemu);
	uint64_t now_ns = clock_now_ns();

	if (lane && (lane->refused || board_lane_is_stuck(lanes->board, lane->index, now_ns)))
		return -ETIMEDOUT;
	/* what ends a region has a lane already */
	if (request->job != READER_DROP) {
		if (request->job != READER_CMDLINE &&
		    board_stuck(lanes->board, now_ns, NULL, 0) >= BOARD_STUCK_MAX)
			return -EBUSY;
		if (!lane)
			lane = make_lane(lanes, &request->qemu);
		if (!lane)
			return -EBUSY;
	}
	if (!lane)
		return -ESRCH;
	*ret_lane = lane->index;
	return add_job(lane, request, socket);
}

void lanes_serve(struct lanes *lanes, const struct reader_request *request, int socket)
{
	struct reader_reply reply = {.id = request->id, .qemu = request->qemu, .job = request->job};
	unsigned int index = 0;

	pthread_mutex_lock(&lanes->lock);
	reply.result = begin_job(lanes, request, socket, &index);
	pthread_mutex_unlock(&lanes->lock);
	if (reply.result < 0)
		reader_reply_send(socket, &reply);
	else
		board_lane_call(lanes->board, index);
}

int lanes_new(struct lanes **ret, struct board *board)
{
	struct lanes *lanes = calloc(1, sizeof(*lanes));

	if (!lanes)
		return -ENOMEM;
	lanes->board = board;
	pthread_mutex_init(&lanes->lock, NULL);
	pthread_cond_init(&lanes->ended, NULL);
	*ret = lanes;
	return 0;
}

/* Under the lock. */
static bool any_runs(const struct lanes *lanes)
{
	for (unsigned int i = 0; i < BOARD_LANES; i++)
		if (lanes->of[i].runs)
			return true;
	return false;
}

void lanes_end(struct lanes *lanes, uint64_t limit_ns)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(limit_ns / NSEC_PER_SEC);
	until.tv_nsec += (long)(limit_ns % NSEC_PER_SEC);
	if (until.tv_nsec >= (long)NSEC_PER_SEC) {
		until.tv_sec++;
		until.tv_nsec -= (long)NSEC_PER_SEC;
	}
	pthread_mutex_lock(&lanes->lock);
	lanes->ending = true;
	for (unsigned int i = 0; i < BOARD_LANES; i++)
		if (lanes->of[i].runs)
			board_lane_call(lanes->board, i);
	while (r == 0 && any_runs(lanes))
		r = pthread_cond_clockwait(&lanes->ended, &lanes->lock, CLOCK_MONOTONIC, &until);
	pthread_mutex_unlock(&lanes->lock);
}

bool lanes_free(struct lanes *lanes)
{
	bool runs;

	pthread_mutex_lock(&lanes->lock);
	runs = any_runs(lanes);
	pthread_mutex_unlock(&lanes->lock);
	if (runs)
		return false;
	pthread_cond_destroy(&lanes->ended);
	pthread_mutex_destroy(&lanes->lock);
	free(lanes);
	return true;
}
