// SPDX-License-Identifier: GPL-2.0-or-later
/* The reader's lanes: a QEMU that hangs holds up its own, and is not looked at again. */
#include "reader/lanes.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reader/held.h"
#include "test.h"
#include "util/clock.h"

#define PATIENCE_MS 20000
#define HANGS       1000 /* first of the pids whose jobs hang */
#define GENERATION  UINT64_C(77)

/* ---- in place of held.c ---- */

static sem_t go_on[16]; /* of the QEMUs that hang, by pid */
static atomic_int jobs, at_once, most_at_once, closed, ended;

static bool hangs(pid_t pid)
{
	return pid >= HANGS && pid < HANGS + (pid_t)ARRAY_SIZE(go_on);
}

void held_run(struct held *held, const struct reader_request *request, struct reader_reply *reply)
{
	int now = atomic_fetch_add(&at_once, 1) + 1;

	if (request->qemu.tid < HANGS && now > atomic_load(&most_at_once))
		atomic_store(&most_at_once, now);
	if (hangs(request->qemu.tid))
		sem_wait(&go_on[request->qemu.tid - HANGS]);
	if (request->job == READER_FIND) {
		held->carrier = (struct carrier *)&jobs; /* not NULL is all that counts */
		held->n_pages = request->n_pages;
		held->generation = GENERATION + (uint64_t)request->qemu.tid;
		reply->carrier = (struct reader_carrier){
		        .object = {1, 2},
		        .size = PVSCHED_REGION_SIZE_MIN,
		        .generation = held->generation,
		        .topology = TOPOLOGY_FLAT,
		};
	} else if (request->job == READER_DROP) {
		held_close(held);
	}
	reply->facts.args.max_vcpus = 1;
	reply->facts.topology = TOPOLOGY_FLAT;
	atomic_fetch_add(&jobs, 1);
	atomic_fetch_sub(&at_once, 1);
}

bool held_any(const struct held *held)
{
	return held->carrier;
}

bool held_has(const struct held *held, const struct board_ask *ask)
{
	return held->carrier && held->generation == ask->generation;
}

void held_serve(const struct held *held, const struct board_ask *ask, bool writes,
                struct board_copy *ret)
{
	(void)held;
	*ret = (struct board_copy){
	        .generation = ask->generation, .index = ask->index, .writes = ask->writes};
	ret->words.request = writes; /* so that the test can see it */
	ret->read_ns = 1;
}

void held_end(struct held *held)
{
	atomic_fetch_add(&ended, held->carrier != NULL);
	held_close(held);
}

void held_close(struct held *held)
{
	if (held->carrier)
		atomic_fetch_add(&closed, 1);
	*held = (struct held){.carrier = NULL};
}

/* ---- the daemon's side ---- */

struct scene {
	struct board *board;
	struct lanes *lanes;
	int ours, theirs;
	uint64_t last_id;
};

static struct scene scene_make(void)
{
	struct scene scene = {.last_id = 0};
	int fds[2];

	CHECK_INT(board_new(&scene.board), 0);
	CHECK_INT(lanes_new(&scene.lanes, scene.board), 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	scene.ours = fds[0];
	scene.theirs = fds[1];
	for (size_t i = 0; i < ARRAY_SIZE(go_on); i++)
		sem_init(&go_on[i], 0, 0);
	return scene;
}

static uint64_t begin(struct scene *scene, enum reader_job job, pid_t pid)
{
	struct reader_request request = {
	        .id = ++scene->last_id, .qemu = {pid, 5}, .job = job, .n_pages = 1};

	if (job == READER_DROP)
		request.generation = GENERATION + (uint64_t)pid;
	lanes_serve(scene->lanes, &request, scene->theirs);
	return scene->last_id;
}

static struct reader_reply await(struct scene *scene, uint64_t id)
{
	struct pollfd fd = {.fd = scene->ours, .events = POLLIN};
	struct reader_reply reply;

	do {
		CHECK_INT(poll(&fd, 1, PATIENCE_MS), 1);
		CHECK_INT(reader_reply_receive(scene->ours, &reply), 0);
	} while (reply.id != id);
	return reply;
}

static int result(struct scene *scene, enum reader_job job, pid_t pid)
{
	return await(scene, begin(scene, job, pid)).result;
}

#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		uint64_t until_ns = clock_now_ns() + PATIENCE_MS * NSEC_PER_MSEC;                  \
		while (!(condition)) {                                                             \
			CHECK(clock_now_ns() < until_ns);                                          \
			usleep(1000);                                                              \
		}                                                                                  \
	} while (0)

static void scene_end(struct scene *scene)
{
	WAIT_FOR(lanes_free(scene->lanes));
	board_free(scene->board);
	close(scene->ours);
	close(scene->theirs);
}

/* ---- */

static void test_a_lane_for_each(void)
{
	struct scene scene = scene_make();
	struct reader_reply reply;
	unsigned int lanes[3];

	for (int i = 0; i < 3; i++) {
		reply = await(&scene, begin(&scene, READER_FIND, 1 + i));
		CHECK_INT(reply.result, 0);
		CHECK_INT(reply.qemu.tid, 1 + i);
		lanes[i] = reply.carrier.lane;
		CHECK(lanes[i] < BOARD_LANES);
	}
	CHECK(lanes[0] != lanes[1] && lanes[1] != lanes[2] && lanes[0] != lanes[2]);
	/* it keeps its lane as long as it has a carrier */
	reply = await(&scene, begin(&scene, READER_FIND, 2));
	CHECK_U64(reply.carrier.lane, lanes[1]);
	CHECK_INT(result(&scene, READER_CMDLINE, 9), 0);
	for (int i = 0; i < 3; i++)
		CHECK_INT(result(&scene, READER_DROP, 1 + i), 0);
	CHECK_INT(result(&scene, READER_DROP, 10), -ESRCH); /* it has none */
	scene_end(&scene);
}

static void test_pages_are_served(void)
{
	struct scene scene = scene_make();
	struct board_ask ask = {.generation = GENERATION + 3, .index = 4, .writes = 1};
	struct board_copy copy;
	uint32_t seen = 0;

	ask.lane = await(&scene, begin(&scene, READER_FIND, 3)).carrier.lane;
	board_post(scene.board, 8, &ask);
	WAIT_FOR(board_take(scene.board, 8, &seen, &copy));
	CHECK(copy.generation == ask.generation && copy.index == 4);
	CHECK_U64(copy.words.request, 1); /* written */
	board_post(scene.board, 8, &ask);
	WAIT_FOR(board_take(scene.board, 8, &seen, &copy));
	CHECK_U64(copy.words.request, 0); /* not again */
	ask.writes++;
	board_post(scene.board, 8, &ask);
	WAIT_FOR(board_take(scene.board, 8, &seen, &copy));
	CHECK_U64(copy.words.request, 1);
	/* of a region that it does not have it does nothing */
	ask.generation++;
	board_post(scene.board, 8, &ask);
	CHECK_INT(result(&scene, READER_CMDLINE, 3), 0);
	CHECK(!board_take(scene.board, 8, &seen, &copy));
	CHECK_INT(result(&scene, READER_DROP, 3), 0);
	scene_end(&scene);
}

/* One that hangs: others have their jobs done, and it is not looked at again when it goes on. */
static void test_one_hangs(void)
{
	struct scene scene = scene_make();
	uint64_t t_ns = clock_now_ns();
	uint64_t hung = begin(&scene, READER_FIND, HANGS);

	for (int i = 0; i < 100; i++)
		CHECK_INT(result(&scene, READER_CMDLINE, 1 + i), 0);
	CHECK_INT(result(&scene, READER_FIND, 200), 0);
	WAIT_FOR(board_stuck(scene.board, clock_now_ns(), NULL, 0) == 1);
	CHECK(clock_now_ns() - t_ns >= BOARD_STUCK_NS);
	CHECK_INT(result(&scene, READER_CMDLINE, HANGS), -ETIMEDOUT);
	CHECK_INT(result(&scene, READER_CMDLINE, 300), 0);
	sem_post(&go_on[0]);
	/* what it found so late is closed */
	CHECK_INT(await(&scene, hung).result, -ETIMEDOUT);
	WAIT_FOR(atomic_load(&closed) >= 1);
	CHECK_INT(board_stuck(scene.board, clock_now_ns(), NULL, 0), 0);
	CHECK_INT(result(&scene, READER_FIND, HANGS), -ETIMEDOUT);
	/* another process with this number is another QEMU */
	sem_post(&go_on[0]);
	lanes_serve(scene.lanes,
	            &(struct reader_request){
	                    .id = ++scene.last_id, .qemu = {HANGS, 6}, .job = READER_CMDLINE},
	            scene.theirs);
	CHECK_INT(await(&scene, scene.last_id).result, 0);
	CHECK_INT(result(&scene, READER_DROP, 200), 0);
	scene_end(&scene);
}

static void test_four_hang(void)
{
	struct scene scene = scene_make();
	uint64_t ids[BOARD_STUCK_MAX];

	CHECK_INT(result(&scene, READER_FIND, 50), 0);
	for (int i = 0; i < BOARD_STUCK_MAX; i++)
		ids[i] = begin(&scene, READER_CMDLINE, HANGS + 1 + i);
	CHECK_INT(result(&scene, READER_CMDLINE, 60), 0); /* they are not stuck yet */
	WAIT_FOR(board_stuck(scene.board, clock_now_ns(), NULL, 0) == BOARD_STUCK_MAX);
	CHECK_INT(result(&scene, READER_CMDLINE, 60), 0); /* domains are found still */
	CHECK_INT(result(&scene, READER_FIND, 50), -EBUSY);
	CHECK_INT(result(&scene, READER_DROP, 50), 0); /* what is held is let go of */
	sem_post(&go_on[1]);
	CHECK_INT(await(&scene, ids[0]).result, -ETIMEDOUT);
	CHECK_INT(result(&scene, READER_CMDLINE, 60), 0);
	for (int i = 1; i < BOARD_STUCK_MAX; i++) {
		sem_post(&go_on[1 + i]);
		CHECK_INT(await(&scene, ids[i]).result, -ETIMEDOUT);
	}
	scene_end(&scene);
}

/* However many jobs of one QEMU there are, they come one after the other, and not without end. */
static void test_one_after_the_other(void)
{
	struct scene scene = scene_make();
	unsigned int refused = 0, done = 0;
	uint64_t first = scene.last_id + 1;

	atomic_store(&most_at_once, 0);
	for (int i = 0; i < 100; i++)
		begin(&scene, READER_CMDLINE, 5);
	for (int i = 0; i < 100; i++) {
		struct reader_reply reply;
		struct pollfd fd = {.fd = scene.ours, .events = POLLIN};

		CHECK_INT(poll(&fd, 1, PATIENCE_MS), 1);
		CHECK_INT(reader_reply_receive(scene.ours, &reply), 0);
		CHECK(reply.id >= first && (reply.result == 0 || reply.result == -EAGAIN));
		done += reply.result == 0;
		refused += reply.result != 0;
	}
	CHECK(done > 0);
	printf("one after the other: %u done, %u refused\n", done, refused);
	CHECK_INT(atomic_load(&most_at_once), 1);
	scene_end(&scene);
}

/* The daemon is gone: every region ends, except where a QEMU hangs, which is not waited for. */
static void test_the_daemon_is_gone(void)
{
	struct scene scene = scene_make();
	uint64_t t_ns;

	for (int i = 0; i < 5; i++)
		CHECK_INT(result(&scene, READER_FIND, 10 + i), 0);
	begin(&scene, READER_FIND, HANGS + 9);
	WAIT_FOR(atomic_load(&at_once) == 1);
	atomic_store(&ended, 0);
	t_ns = clock_now_ns();
	lanes_end(scene.lanes, 100 * NSEC_PER_MSEC);
	CHECK(clock_now_ns() - t_ns >= 100 * NSEC_PER_MSEC);
	CHECK_INT(atomic_load(&ended), 5);
	CHECK(!lanes_free(scene.lanes));
	sem_post(&go_on[9]);
	WAIT_FOR(atomic_load(&ended) == 6);
	scene_end(&scene);
	/* with none that hangs nothing is waited for longer than it takes */
	scene = scene_make();
	CHECK_INT(result(&scene, READER_FIND, 10), 0);
	lanes_end(scene.lanes, UINT64_C(1000) * NSEC_PER_SEC);
	CHECK_INT(atomic_load(&ended), 7);
	scene_end(&scene);
}

TEST_MAIN({"a_lane_for_each", test_a_lane_for_each}, {"pages_are_served", test_pages_are_served},
          {"one_hangs", test_one_hangs}, {"four_hang", test_four_hang},
          {"one_after_the_other", test_one_after_the_other},
          {"the_daemon_is_gone", test_the_daemon_is_gone})
