// SPDX-License-Identifier: GPL-2.0-or-later
/* Jobs beside the main thread: one at a time for each QEMU, and none lost. */
#include "daemon/carrier_search.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "guest/region.h"
#include "test.h"
#include "util/procfs.h"

#define QEMUS_MAX 8

/* In place of a carrier and its region: what was done to it. */
struct carrier {
	pid_t qemu;
};

static atomic_int looking[QEMUS_MAX], looked[QEMUS_MAX], begun, ended, most_at_once;
static atomic_bool hangs[QEMUS_MAX];
static atomic_int living;

int carrier_find(pid_t pid, size_t n_pages, struct carrier **ret)
{
	int now = atomic_fetch_add(&looking[pid], 1) + 1;

	(void)n_pages;
	if (now > atomic_load(&most_at_once))
		atomic_store(&most_at_once, now);
	while (atomic_load(&hangs[pid]))
		usleep(100);
	atomic_fetch_add(&looked[pid], 1);
	atomic_fetch_sub(&looking[pid], 1);
	*ret = calloc(1, sizeof(**ret));
	CHECK(*ret);
	(*ret)->qemu = pid;
	atomic_fetch_add(&living, 1);
	return 0;
}

struct carrier *carrier_free(struct carrier *carrier)
{
	if (carrier)
		atomic_fetch_sub(&living, 1);
	free(carrier);
	return NULL;
}

dev_t carrier_device(const struct carrier *carrier)
{
	(void)carrier;
	return 1;
}

ino_t carrier_inode(const struct carrier *carrier)
{
	return (ino_t)carrier->qemu;
}

uint64_t carrier_address(const struct carrier *carrier)
{
	(void)carrier;
	return 0;
}

int guest_region_begin(const struct carrier *carrier, const struct topology *topology,
                       uint32_t n_vcpus, uint64_t *generation)
{
	(void)carrier;
	(void)topology;
	(void)n_vcpus;
	*generation = (uint64_t)atomic_fetch_add(&begun, 1) + 1;
	return 0;
}

void guest_region_end(const struct carrier *carrier, uint32_t n_vcpus, uint64_t generation)
{
	(void)carrier;
	(void)n_vcpus;
	CHECK(generation != 0);
	atomic_fetch_add(&ended, 1);
}

struct topology topology_of_cmdline(const char *cmdline, size_t size)
{
	(void)cmdline;
	(void)size;
	return TOPOLOGY_FLAT;
}

bool thread_id_is_current(const struct thread_id *id)
{
	return id->start_ticks == 7;
}

ssize_t procfs_cmdline(pid_t pid, char *buffer, size_t size)
{
	(void)pid;
	(void)buffer;
	(void)size;
	return 0;
}

/* ---- */

struct scene {
	sd_event *event;
	struct carrier_search *search;
	int n_found;
	struct carrier_found last;
};

static void on_found(void *userdata, const struct carrier_found *found)
{
	struct scene *scene = userdata;

	scene->n_found++;
	carrier_free(scene->last.carrier);
	scene->last = *found;
}

static void open_scene(struct scene *scene)
{
	*scene = (struct scene){0};
	atomic_store(&begun, 0);
	atomic_store(&ended, 0);
	atomic_store(&most_at_once, 0);
	for (size_t i = 0; i < QEMUS_MAX; i++)
		atomic_store(&looked[i], 0);
	CHECK_INT(sd_event_new(&scene->event), 0);
	CHECK_INT(carrier_search_new(&scene->search, scene->event, on_found, scene), 0);
}

static void close_scene(struct scene *scene)
{
	carrier_search_free(scene->search);
	sd_event_unref(scene->event);
	carrier_free(scene->last.carrier);
	CHECK_INT(atomic_load(&living), 0);
}

static void wait_for(struct scene *scene, int n_found)
{
	while (scene->n_found < n_found)
		CHECK(sd_event_run(scene->event, 10000000) > 0);
}

static int begin(struct scene *scene, pid_t qemu, uint32_t n_pages,
                 const struct carrier_object *known)
{
	struct thread_id id = {.tid = qemu, .start_ticks = 7};

	return carrier_search_begin(scene->search, &id, n_pages, known);
}

/* While one look hangs, others of that QEMU become one; those of other QEMUs go on. */
static void test_one_at_a_time(void)
{
	struct scene scene;

	open_scene(&scene);
	atomic_store(&hangs[1], true);
	for (uint32_t i = 1; i <= 100; i++)
		CHECK_INT(begin(&scene, 1, i, NULL), 0);
	for (pid_t i = 2; i < QEMUS_MAX; i++)
		CHECK_INT(begin(&scene, i, 1, NULL), 0);
	wait_for(&scene, QEMUS_MAX - 2);
	CHECK_INT(atomic_load(&looked[1]), 0);
	atomic_store(&hangs[1], false);
	wait_for(&scene, QEMUS_MAX);
	CHECK_INT(atomic_load(&looked[1]), 2);
	CHECK_INT(atomic_load(&most_at_once), 1);
	/* the last result is of the last order, and of the generation that stands there */
	CHECK_INT(scene.last.qemu.tid, 1);
	CHECK_INT((int)scene.last.n_pages, 100);
	CHECK_U64(scene.last.generation, (uint64_t)atomic_load(&begun));
	close_scene(&scene);
}

static void test_same_object_is_left_alone(void)
{
	const struct carrier_object known = {1, 3}, other = {1, 4};
	struct scene scene;

	open_scene(&scene);
	CHECK_INT(begin(&scene, 3, 1, &known), 0);
	wait_for(&scene, 1);
	CHECK(scene.last.same && !scene.last.carrier);
	CHECK_INT(atomic_load(&begun), 0);
	CHECK_INT(begin(&scene, 3, 1, &other), 0);
	wait_for(&scene, 2);
	CHECK(!scene.last.same && scene.last.carrier);
	CHECK_INT(atomic_load(&begun), 1);
	close_scene(&scene);
}

/* An order to begin anew is not lost in one that only looks whether it is the same. */
static void test_anew_wins(void)
{
	const struct carrier_object known = {1, 3};
	struct scene scene;

	open_scene(&scene);
	atomic_store(&hangs[3], true);
	CHECK_INT(begin(&scene, 3, 1, &known), 0);
	CHECK_INT(begin(&scene, 3, 1, &known), 0);
	CHECK_INT(begin(&scene, 3, 1, NULL), 0);
	CHECK_INT(begin(&scene, 3, 1, &known), 0);
	atomic_store(&hangs[3], false);
	wait_for(&scene, 2);
	CHECK_INT(atomic_load(&begun), 1);
	close_scene(&scene);
}

/* What ends goes before what begins behind it. */
static void test_end_and_begin(void)
{
	struct thread_id id = {.tid = 5, .start_ticks = 7};
	struct scene scene;

	open_scene(&scene);
	CHECK_INT(begin(&scene, 5, 1, NULL), 0);
	wait_for(&scene, 1);
	carrier_search_end(scene.search, &id, scene.last.carrier, 1, scene.last.generation);
	scene.last.carrier = NULL;
	CHECK_INT(begin(&scene, 5, 1, NULL), 0);
	wait_for(&scene, 2);
	CHECK_INT(atomic_load(&ended), 1);
	CHECK_INT(atomic_load(&begun), 2);
	close_scene(&scene);
}

TEST_MAIN({"one_at_a_time", test_one_at_a_time},
          {"same_object_is_left_alone", test_same_object_is_left_alone},
          {"anew_wins", test_anew_wins}, {"end_and_begin", test_end_and_begin})
