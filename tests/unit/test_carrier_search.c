// SPDX-License-Identifier: GPL-2.0-or-later
/* Jobs for the reader: one at a time for each QEMU, none lost, none waited for without end. */
#include "daemon/carrier_search.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "test.h"
#include "util/clock.h"

/* ---- in place of the reader ---- */

static struct reader_news news;
static struct reader_request sent[1000];
static unsigned int n_sent, n_distrusted, room = 1000;
static pid_t works_for;
static struct reader_reply *late_reply; /* comes when it is asked for */

int reader_process_send(struct reader_process *reader, const struct reader_request *request)
{
	(void)reader;
	if (n_sent == room)
		return -EAGAIN;
	memcpy(&sent[n_sent++], request, reader_request_size(request->job));
	return 0;
}

void reader_process_report_to(struct reader_process *reader, enum reader_user user,
                              const struct reader_news *n)
{
	CHECK(user == READER_USER_AGENTS);
	(void)reader;
	news = n ? *n : (struct reader_news){.userdata = NULL};
}

int reader_process_fd(const struct reader_process *reader)
{
	(void)reader;
	return -1;
}

void reader_process_receive(struct reader_process *reader)
{
	const struct reader_reply *reply = late_reply;

	(void)reader;
	late_reply = NULL;
	if (reply)
		news.replied(news.userdata, reply);
}

void reader_process_distrust(struct reader_process *reader)
{
	(void)reader;
	n_distrusted++;
	news.lost(news.userdata);
	news.renewed(news.userdata);
}

struct board *reader_process_board(const struct reader_process *reader)
{
	(void)reader;
	return NULL;
}

bool board_works_for(const struct board *board, const struct thread_id *qemu)
{
	(void)board;
	return qemu->tid == works_for;
}

/* ---- the scene ---- */

struct scene {
	sd_event *event;
	struct carrier_search *search;
	unsigned int n_found, n_room, n_lost, n_proven;
	struct carrier_found last;
	/* of the last proof */
	uint64_t generation;
	int proof_result;
	bool has_proof;
};

static void on_found(void *userdata, const struct carrier_found *found)
{
	struct scene *scene = userdata;

	scene->n_found++;
	scene->last = *found;
}

static void on_proven(void *userdata, const struct thread_id *qemu, uint64_t generation, int result,
                      const struct reader_proof *proof)
{
	struct scene *scene = userdata;

	CHECK(qemu->tid > 0);
	scene->n_proven++;
	scene->generation = generation;
	scene->proof_result = result;
	scene->has_proof = proof != NULL;
}

static void on_room(void *userdata)
{
	((struct scene *)userdata)->n_room++;
}

static void on_lost(void *userdata)
{
	((struct scene *)userdata)->n_lost++;
}

static void open_scene(struct scene *scene)
{
	struct carrier_search_news tell = {
	        .found = on_found,
	        .proven = on_proven,
	        .room = on_room,
	        .lost = on_lost,
	        .userdata = scene,
	};

	*scene = (struct scene){0};
	n_sent = n_distrusted = 0;
	room = 1000;
	works_for = 0;
	CHECK_INT(sd_event_new(&scene->event), 0);
	CHECK_INT(carrier_search_new(&scene->search, scene->event, NULL, READER_USER_AGENTS, &tell),
	          0);
}

static void close_scene(struct scene *scene)
{
	carrier_search_free(scene->search);
	CHECK(!news.replied);
	sd_event_unref(scene->event);
}

static int begin(struct scene *scene, pid_t qemu, uint32_t n_pages,
                 const struct carrier_object *known)
{
	struct thread_id id = {.tid = qemu, .start_ticks = 7};

	return carrier_search_begin(scene->search, &id, n_pages, known, false);
}

static struct reader_reply reply_to(const struct reader_request *request, int result)
{
	struct reader_reply reply;

	memset(&reply, 0, sizeof(reply));
	reply.id = request->id;
	reply.qemu = request->qemu;
	reply.job = request->job;
	reply.result = result;
	reply.carrier.generation = 100 + (request->id & 0xffff);
	reply.proof.generation = request->generation;
	return reply;
}

/* The reader answers the request that was sent as number @i. */
static void answer(unsigned int i, int result)
{
	struct reader_reply reply = reply_to(&sent[i], result);

	news.replied(news.userdata, &reply);
}

static void wait_for(struct scene *scene, const unsigned int *count, unsigned int n)
{
	while (*count < n)
		CHECK(sd_event_run(scene->event, 10000000) > 0);
}

/* ---- */

/* While one look is under way, others of that QEMU become one; those of other QEMUs go on. */
static void test_one_at_a_time(void)
{
	struct scene scene;

	open_scene(&scene);
	for (uint32_t i = 1; i <= 100; i++)
		CHECK_INT(begin(&scene, 1, i, NULL), 0);
	for (pid_t i = 2; i < 8; i++)
		CHECK_INT(begin(&scene, i, 1, NULL), 0);
	CHECK_INT(n_sent, 7);
	for (unsigned int i = 1; i < 7; i++)
		answer(i, 0);
	CHECK_INT(scene.n_found, 6);
	CHECK_INT(n_sent, 7);
	answer(0, 0);
	CHECK_INT(n_sent, 8);
	answer(7, 0);
	CHECK_INT(scene.n_found, 8);
	/* the last result is of the last order, and of the generation that stands there */
	CHECK_INT(scene.last.qemu.tid, 1);
	CHECK_INT(scene.last.n_pages, 100);
	CHECK_U64(scene.last.carrier.generation, 100 + (sent[7].id & 0xffff));
	close_scene(&scene);
}

/* An order to begin anew is not lost in one that only looks whether it is the same. */
static void test_anew_wins(void)
{
	const struct carrier_object known = {1, 3};
	struct scene scene;

	open_scene(&scene);
	CHECK_INT(begin(&scene, 3, 1, &known), 0);
	CHECK_INT(begin(&scene, 3, 1, &known), 0);
	CHECK_INT(begin(&scene, 3, 1, NULL), 0);
	CHECK_INT(begin(&scene, 3, 1, &known), 0);
	CHECK_U64(sent[0].known.inode, 3);
	answer(0, 0);
	CHECK_INT(n_sent, 2);
	CHECK_U64(sent[1].known.inode, 0);
	close_scene(&scene);
}

/* What ends goes before what begins behind it. */
static void test_end_and_begin(void)
{
	struct thread_id id = {.tid = 5, .start_ticks = 7};
	struct scene scene;

	open_scene(&scene);
	CHECK_INT(begin(&scene, 5, 1, NULL), 0);
	answer(0, 0);
	carrier_search_end(scene.search, &id, 9, true);
	CHECK_INT(begin(&scene, 5, 1, NULL), 0);
	CHECK_INT(n_sent, 2);
	CHECK(sent[1].job == READER_DROP && sent[1].generation == 9 && sent[1].ends);
	answer(1, 0);
	CHECK(n_sent == 3 && sent[2].job == READER_FIND);
	close_scene(&scene);
}

static void test_results(void)
{
	struct scene scene;

	open_scene(&scene);
	for (pid_t i = 1; i <= 4; i++)
		CHECK_INT(begin(&scene, i, 1, NULL), 0);
	answer(0, -ETIMEDOUT);
	CHECK_INT(scene.last.result, CARRIER_STUCK);
	answer(1, -EBUSY);
	CHECK_INT(scene.last.result, CARRIER_NOT_TRIED);
	answer(2, -EPERM);
	CHECK_INT(scene.last.result, -EPERM);
	/* an answer to another question is none */
	sent[3].qemu.tid = 9;
	answer(3, 0);
	CHECK_INT(scene.last.result, -EBADMSG);
	CHECK_INT(scene.last.qemu.tid, 4);
	CHECK_INT(scene.n_room, 0);
	/* no question at all: what was found is not wanted, and its lane is free again */
	answer(3, 0);
	CHECK_INT(scene.n_found, 4);
	CHECK_INT(scene.n_room, 1);
	CHECK(sent[4].job == READER_DROP && sent[4].ends);
	close_scene(&scene);
}

/* A job that hangs is given up after the limit; others are answered meanwhile. */
static void test_the_limit(void)
{
	struct scene scene;
	uint64_t begun_ns = clock_now_ns();

	open_scene(&scene);
	works_for = 1;
	CHECK_INT(begin(&scene, 1, 1, NULL), 0);
	CHECK_INT(begin(&scene, 2, 1, NULL), 0);
	answer(1, CARRIER_ABSENT);
	CHECK_INT(scene.n_found, 1);
	wait_for(&scene, &scene.n_found, 2);
	CHECK(clock_now_ns() - begun_ns >= CARRIER_SEARCH_LIMIT_NS);
	CHECK_INT(scene.last.qemu.tid, 1);
	CHECK_INT(scene.last.result, CARRIER_STUCK);
	CHECK_INT(n_distrusted, 0);
	close_scene(&scene);
}

/* One that was answered in the last moment is not given up. */
static void test_just_in_time(void)
{
	struct reader_reply reply;
	struct scene scene;

	open_scene(&scene);
	works_for = 1;
	CHECK_INT(begin(&scene, 1, 1, NULL), 0);
	reply = reply_to(&sent[0], 0);
	late_reply = &reply;
	wait_for(&scene, &scene.n_found, 1);
	CHECK_INT(scene.last.result, 0);
	CHECK_INT(n_distrusted, 0);
	close_scene(&scene);
}

/* A job that was not begun is no fault of its QEMU: the reader does not work. */
static void test_a_reader_that_does_not_work(void)
{
	struct scene scene;

	open_scene(&scene);
	CHECK_INT(begin(&scene, 1, 1, NULL), 0);
	wait_for(&scene, &n_distrusted, 1);
	CHECK_INT(scene.n_lost, 1);
	CHECK_INT(scene.n_found, 0);
	close_scene(&scene);
}

/* Without room, or a reader, jobs wait for it. */
static void test_they_wait_for_a_reader(void)
{
	struct scene scene;

	open_scene(&scene);
	room = 0;
	CHECK_INT(begin(&scene, 1, 1, NULL), 0);
	CHECK_INT(begin(&scene, 2, 1, NULL), 0);
	CHECK_INT(n_sent, 0);
	room = 1000;
	news.renewed(news.userdata);
	CHECK_INT(n_sent, 2);
	/* not all at once */
	for (pid_t i = 3; i < 200; i++)
		CHECK_INT(begin(&scene, i, 1, NULL), 0);
	CHECK_INT(n_sent, CARRIER_SEARCHES_MAX);
	for (unsigned int i = 0; i < 199; i++)
		answer(i, CARRIER_ABSENT);
	CHECK_INT(scene.n_found, 199);
	close_scene(&scene);
}

static int prove(struct scene *scene, pid_t qemu, uint64_t generation)
{
	struct reader_request request = {
	        .qemu = {qemu, 7}, .job = READER_PROVE, .generation = generation};

	request.claim.nonce = generation + 1;
	request.claim.agent_generation = 1;
	request.claim.n_cpus = 1;
	return carrier_search_prove(scene->search, &request);
}

/* One at a time, too; of those that wait, the last; each result is that of its own generation. */
static void test_proofs(void)
{
	struct scene scene;

	open_scene(&scene);
	for (uint64_t i = 1; i <= 100; i++)
		CHECK_INT(prove(&scene, 1, i), 0);
	CHECK_INT(prove(&scene, 2, 1000), 0);
	CHECK_INT(n_sent, 2);
	CHECK_U64(sent[0].claim.nonce, 2);
	CHECK_U64(sent[0].id >> READER_ID_SHIFT, READER_USER_AGENTS);
	answer(0, PVSCHED_CHANNEL_NOT_FOUND);
	CHECK_U64(scene.generation, 1);
	CHECK_INT(scene.proof_result, PVSCHED_CHANNEL_NOT_FOUND);
	CHECK_INT(n_sent, 3);
	CHECK_U64(sent[2].generation, 100);
	answer(2, 0);
	CHECK(scene.generation == 100 && scene.proof_result == 0 && scene.has_proof);
	/* errors stay what they are */
	answer(1, -ETIMEDOUT);
	CHECK(scene.generation == 1000 && scene.proof_result == -ETIMEDOUT);
	CHECK_INT(scene.n_proven, 3);
	/* what was found too late is let go of, as it was begun */
	answer(2, 0);
	CHECK(sent[3].job == READER_DROP && !sent[3].ends && sent[3].generation == 100);
	close_scene(&scene);
}

static void test_the_limit_of_a_proof(void)
{
	struct scene scene;

	open_scene(&scene);
	works_for = 1;
	CHECK_INT(prove(&scene, 1, 5), 0);
	wait_for(&scene, &scene.n_proven, 1);
	CHECK(scene.generation == 5 && scene.proof_result == -ETIMEDOUT && !scene.has_proof);
	close_scene(&scene);
}

TEST_MAIN({"one_at_a_time", test_one_at_a_time}, {"anew_wins", test_anew_wins},
          {"end_and_begin", test_end_and_begin}, {"results", test_results},
          {"the_limit", test_the_limit}, {"just_in_time", test_just_in_time},
          {"a_reader_that_does_not_work", test_a_reader_that_does_not_work},
          {"they_wait_for_a_reader", test_they_wait_for_a_reader}, {"proofs", test_proofs},
          {"the_limit_of_a_proof", test_the_limit_of_a_proof})
