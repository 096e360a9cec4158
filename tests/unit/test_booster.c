// SPDX-License-Identifier: GPL-2.0-or-later
/* The booster thread and a source that has more events than it tells of at a time. */
#include "boost/booster.h"

#include <stdio.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "boost/ledger.h"

#include "test.h"

#define ENDLESS UINT32_MAX

static char path[64]; /* of the ledger: each program has its own */
static struct pvs_vcpu_account vcpus[PVS_VCPUS_MAX];
static struct pvs_domain_account domains[PVS_DOMAINS_MAX];
static struct pvs_cpu_account cpus[PVS_CPUS_MAX];
static struct pvs_bucket_rule cpu_rule = {.burst_ns = NSEC_PER_MSEC, .share_permille = 300};
static const struct accounts accounts = {
        .vcpus = vcpus,
        .domains = domains,
        .cpus = cpus,
        .cpu_rule = &cpu_rule,
};

struct scene {
	struct ledger *ledger;
	struct board *board;
	struct booster *booster;
	int fd;           /* tells once that there are events */
	int done_fd;      /* the CALLS-th call since then was made */
	atomic_uint left; /* so many more calls say that there are more */
	unsigned int calls;
};

#define CALLS 1000

static int drain(void *source, booster_event_fn *fn, void *userdata)
{
	struct scene *scene = source;
	unsigned int left = atomic_load(&scene->left);
	eventfd_t value;

	(void)fn;
	(void)userdata;
	/* as a poll by io_uring, it is told no second time */
	if (eventfd_read(scene->fd, &value) == 0)
		scene->calls = 0;
	if (++scene->calls == CALLS)
		eventfd_write(scene->done_fd, 1);
	if (left && left != ENDLESS)
		atomic_store(&scene->left, left - 1);
	return left ? BOOSTER_MORE_EVENTS : 0;
}

static void begin(struct scene *scene, enum booster_wait wait, unsigned int left)
{
	struct booster_options options = {
	        .accounts = &accounts,
	        .source = {.drain = drain, .source = scene},
	        .boost = {SCHED_FIFO, 1},
	        .caps = HOST_CAPS_INIT,
	        .wait = wait,
	};
	int r;

	*scene = (struct scene){
	        .fd = eventfd(0, EFD_NONBLOCK),
	        .done_fd = eventfd(0, 0),
	};
	CHECK(scene->fd >= 0 && scene->done_fd >= 0);
	snprintf(path, sizeof(path), "/tmp/pvsched-booster-ledger-%d", getpid());
	unlink(path);
	CHECK_INT(ledger_open(path, &scene->ledger), 0);
	options.ledger = scene->ledger;
	CHECK_INT(board_new(&scene->board), 0);
	options.board = scene->board;
	options.source.fd = scene->fd;
	r = booster_start(&scene->booster, &options);
	CHECK(r == 0 || r == BOOSTER_NOT_REALTIME);
	atomic_store(&scene->left, left);
	CHECK(eventfd_write(scene->fd, 1) == 0);
}

static void end(struct scene *scene)
{
	CHECK(!booster_stop(scene->booster));
	board_free(scene->board);
	ledger_close(scene->ledger);
	unlink(path);
	close(scene->fd);
	close(scene->done_fd);
}

/* Told of once, they are all fetched: else this waits for ever. */
static void fetches_all(enum booster_wait wait)
{
	struct scene scene;
	eventfd_t value;

	begin(&scene, wait, CALLS);
	CHECK(eventfd_read(scene.done_fd, &value) == 0);
	end(&scene);
}

static void test_fetches_all(void)
{
	fetches_all(BOOSTER_WAIT_EPOLL);
}

/* Where io_uring can't be had, by epoll once more. */
static void test_fetches_all_by_io_uring(void)
{
	fetches_all(BOOSTER_WAIT_IO_URING);
}

/* However many there are, whoever has a command is answered. */
static void test_serves_between(void)
{
	struct booster_totals totals;
	struct scene scene;
	eventfd_t value;

	begin(&scene, BOOSTER_WAIT_EPOLL, ENDLESS);
	CHECK(eventfd_read(scene.done_fd, &value) == 0);
	for (unsigned int i = 0; i < 10; i++)
		CHECK_INT(booster_ping(scene.booster), 0);
	CHECK_INT(booster_read_totals(scene.booster, &totals), 0);
	CHECK(totals.wakeups >= CALLS);
	atomic_store(&scene.left, 0);
	end(&scene);
}

TEST_MAIN({"fetches_all", test_fetches_all},
          {"fetches_all_by_io_uring", test_fetches_all_by_io_uring},
          {"serves_between", test_serves_between})
