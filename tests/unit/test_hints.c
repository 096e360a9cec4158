// SPDX-License-Identifier: GPL-2.0-or-later
/* Hints that are lost: everything is looked at anew, and the loss is counted. The proc connector is
 * faked. */
#include "daemon/hints.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/log.h"
#include "virt/procconn.h"

#include "test.h"

#include "log_fake.h"

struct procconn {
	int fd;
};

static struct procconn connector;
static int result;          /* of the next read */
static uint64_t dropped;    /* by the kernel */
static unsigned int losses; /* as told */

int procconn_new(struct procconn **ret)
{
	connector.fd = eventfd(0, EFD_NONBLOCK);
	CHECK(connector.fd >= 0);
	*ret = &connector;
	return 0;
}

struct procconn *procconn_free(struct procconn *procconn)
{
	if (procconn)
		close(procconn->fd);
	return NULL;
}

int procconn_fd(const struct procconn *procconn)
{
	return procconn->fd;
}

int procconn_read(struct procconn *procconn, procconn_fn *fn, void *userdata)
{
	eventfd_t value;

	CHECK_INT(eventfd_read(procconn->fd, &value), 0);
	if (result >= 0)
		fn(userdata, 7);
	return result;
}

uint64_t procconn_lost_total(const struct procconn *procconn)
{
	(void)procconn;
	return dropped;
}

static void on_named(void *userdata, pid_t pid)
{
	CHECK_INT(pid, 7);
	++*(unsigned int *)userdata;
}

static void on_lost(void *userdata)
{
	(void)userdata;
	losses++;
}

struct scene {
	sd_event *event;
	struct hints *hints;
	unsigned int named;
};

static void begin(struct scene *scene)
{
	struct hints_news news = {.named = on_named, .lost = on_lost, .userdata = &scene->named};

	losses = 0;
	dropped = 0;
	scene->named = 0;
	CHECK(sd_event_new(&scene->event) >= 0);
	CHECK_INT(hints_new(&scene->hints, scene->event, &news), 0);
	CHECK(hints_ok(scene->hints));
}

static void end(struct scene *scene)
{
	hints_free(scene->hints);
	sd_event_unref(scene->event);
}

static void arrives(struct scene *scene, int as)
{
	result = as;
	CHECK_INT(eventfd_write(connector.fd, 1), 0);
	CHECK(sd_event_run(scene->event, UINT64_C(1000000)) >= 0);
}

/* ENOBUFS: the socket goes on. */
static void test_dropped(void)
{
	struct scene scene;

	begin(&scene);
	dropped = 1;
	arrives(&scene, PROCCONN_LOST);
	CHECK_U64(scene.named, 1);
	CHECK_GE(losses, 1); /* a rest is a loss, too */
	CHECK_U64(hints_lost_total(scene.hints), 1);
	CHECK(hints_ok(scene.hints));
	CHECK_STR(hints_why(scene.hints), "");
	end(&scene);
}

/* The socket is no longer usable: said, looked at once more, and still counted with what was lost
 * before. */
static void test_socket_fails(void)
{
	struct scene scene;

	begin(&scene);
	dropped = 4;
	arrives(&scene, -EBADF);
	CHECK_U64(losses, 1);
	CHECK_U64(hints_lost_total(scene.hints), 5);
	CHECK(!hints_ok(scene.hints));
	CHECK_CONTAINS(hints_why(scene.hints), "lost: ");
	/* nothing more comes of it */
	CHECK(sd_event_run(scene.event, 1000) == 0);
	CHECK_U64(losses, 1);
	end(&scene);
}

TEST_MAIN(TEST(test_dropped), TEST(test_socket_fails))
