/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The virt thread against daemons that are not there, hang, or come late: none of them real. A pid
 * file that we lock stands for a daemon, libvirt's own test driver or a mute socket for what it
 * says.
 */

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "virt/connection.h"
#include "virt/event_queue.h"
#include "virt/libvirt.h"

static char run_dir[] = "/tmp/pvsched-test-XXXXXX";

static void make_run_dir(void)
{
	static bool made;
	char path[128];

	if (made)
		return;
	CHECK(mkdtemp(run_dir) != NULL);
	snprintf(path, sizeof(path), "%s/libvirt", run_dir);
	CHECK_INT(mkdir(path, 0700), 0);
	made = true;
}

/** A child that holds the lock of a pid file, as the daemon would, until it is killed. */
static pid_t start_daemon(const char *pid_file)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[128], byte;
	int ready[2], fd;
	pid_t pid;

	CHECK_INT(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		snprintf(path, sizeof(path), "%s/%s", run_dir, pid_file);
		fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
		if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0 || write(fd, "1\n", 2) != 2 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	CHECK_INT(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void stop_daemon(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int make_mute_socket(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/libvirt/%s", run_dir, name);
	unlink(address.sun_path);
	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(listen(fd, 5), 0);
	return fd;
}

static bool wait_event(struct virt_source *source, struct virt_event *event, int timeout_ms)
{
	struct pollfd fd = {.fd = virt_source_fd(source), .events = POLLIN};

	return poll(&fd, 1, timeout_ms) == 1 && virt_source_next(source, event);
}

/** A socket that would start the daemon is not touched while the daemon does not run. */
static void test_never_connects(void)
{
	struct virt_options options = {.run_dir = run_dir};
	struct virt_source *source;
	char text[256];
	int fd;

	make_run_dir();
	fd = make_mute_socket("libvirt-sock-ro");
	CHECK_INT(virt_source_new(&source, &options), 0);
	usleep(500000);
	CHECK_INT(accept(fd, NULL, NULL), -1);
	CHECK(!virt_source_describe(source, text, sizeof(text)));
	CHECK_CONTAINS(text, "neither libvirtd nor virtqemud runs");
	virt_source_free(source);
	close(fd);
}

/** Notices a daemon that starts, and asks it. */
static void test_comes_late(void)
{
	struct virt_options options = {.run_dir = run_dir, .uri = "test:///default"};
	struct virt_source *source;
	struct virt_event event;
	uint64_t begin_ns;
	pid_t pid;

	make_run_dir();
	CHECK_INT(virt_source_new(&source, &options), 0);
	CHECK(!wait_event(source, &event, 200));
	begin_ns = clock_now_ns();
	pid = start_daemon("virtqemud.pid");
	CHECK(wait_event(source, &event, 3000));
	CHECK_INT(event.type, VIRT_SOURCE_UP);
	CHECK_CONTAINS(event.reason, "virtqemud");
	CHECK_LE(clock_now_ns() - begin_ns, 3 * NSEC_PER_SEC);
	virt_source_free(source);
	stop_daemon(pid);
}

/** The test driver runs a domain that has no QEMU: that is said after a while, and counted. */
static void test_unfound(void)
{
	struct virt_options options = {
	        .run_dir = run_dir, .uri = "test:///default", .rescan_ns = NSEC_PER_SEC};
	uint64_t end_ns = clock_now_ns() + 20 * NSEC_PER_SEC;
	struct virt_source *source;
	struct virt_event event;
	char text[512];
	pid_t pid;

	make_run_dir();
	pid = start_daemon("libvirtd.pid");
	CHECK_INT(virt_source_new(&source, &options), 0);
	CHECK(wait_event(source, &event, 3000));
	CHECK_INT(event.type, VIRT_SOURCE_UP);
	CHECK(virt_source_describe(source, text, sizeof(text))); /* it may just start */
	while (virt_source_describe(source, text, sizeof(text)) && clock_now_ns() < end_ns)
		usleep(50000);
	CHECK_CONTAINS(text, "of 1 of them no QEMU process is found");
	virt_source_free(source);
	stop_daemon(pid);
}

/** A daemon that takes the connection and says nothing holds up nobody but the virt thread. */
static void test_hangs(void)
{
	struct virt_options options = {.run_dir = run_dir};
	struct virt_source *source;
	struct virt_event event;
	uint64_t begin_ns;
	char text[256];
	pid_t pid;
	int fd, accepted = -1, i;

	make_run_dir();
	fd = make_mute_socket("libvirt-sock-ro");
	pid = start_daemon("libvirtd.pid");
	CHECK_INT(virt_source_new(&source, &options), 0);
	for (i = 0; i < 100 && accepted < 0; i++) {
		usleep(50000);
		accepted = accept(fd, NULL, NULL);
	}
	CHECK(accepted >= 0);
	virt_source_rescan(source, NULL);
	CHECK(!wait_event(source, &event, 3500));
	CHECK(!virt_source_describe(source, text, sizeof(text)));
	CHECK_CONTAINS(text, "has not answered");
	begin_ns = clock_now_ns();
	virt_source_free(source);
	CHECK_LE(clock_now_ns() - begin_ns, VIRT_STOP_NS + NSEC_PER_SEC);
	stop_daemon(pid);
	close(accepted);
	close(fd);
	usleep(200000); /* the thread that was left behind ends now, and frees what it had */
}

static struct virt_event seen(const char *uuid, const char *name, unsigned int causes)
{
	struct virt_event event = {.type = VIRT_DOMAIN_SEEN, .causes = causes};

	strcpy(event.uuid, uuid);
	event.domain = domain_new(uuid, name);
	return event;
}

static void test_queue(void)
{
	struct virt_event event, down = {.type = VIRT_SOURCE_DOWN}, up = {.type = VIRT_SOURCE_UP};
	struct virt_event gone = {.type = VIRT_DOMAIN_GONE, .uuid = "b"};
	struct event_queue *queue;
	struct pollfd fd = {.events = POLLIN};

	CHECK_INT(event_queue_new(&queue), 0);
	fd.fd = event_queue_fd(queue);
	CHECK_INT(poll(&fd, 1, 0), 0);
	event = seen("a", "one", VIRT_CAUSE_DEVICE);
	event_queue_push(queue, &event);
	event = seen("b", "x", VIRT_CAUSE_DEVICE);
	event_queue_push(queue, &event);
	event_queue_push(queue, &down);
	event = seen("a", "two", VIRT_CAUSE_AGENT);
	event_queue_push(queue, &event);
	event_queue_push(queue, &gone);
	event_queue_push(queue, &up);
	CHECK_INT(poll(&fd, 1, 0), 1);
	CHECK(event_queue_pop(queue, &event));
	CHECK_INT(event.type, VIRT_SOURCE_UP);
	CHECK(event_queue_pop(queue, &event));
	CHECK_STR(event.domain->name, "two");
	CHECK_U64(event.causes, VIRT_CAUSE_DEVICE | VIRT_CAUSE_AGENT);
	domain_free(event.domain);
	CHECK_INT(poll(&fd, 1, 0), 1);
	CHECK(event_queue_pop(queue, &event));
	CHECK_INT(event.type, VIRT_DOMAIN_GONE);
	CHECK(event.domain == NULL);
	CHECK_INT(poll(&fd, 1, 0), 0);
	CHECK(!event_queue_pop(queue, &event));
	event = seen("a", "left", VIRT_CAUSE_DEVICE);
	event_queue_push(queue, &event);
	event_queue_free(queue);
}

static void test_tidy(void)
{
	char command[128];

	make_run_dir();
	snprintf(command, sizeof(command), "rm -r %s", run_dir);
	CHECK_INT(system(command), 0);
}

/* A guest that runs while a post-copy migration brings its memory counts as paused. */
static void test_states(void)
{
	CHECK_INT(connection_state(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED), DOMAIN_RUNNING);
	CHECK_INT(connection_state(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATED),
	          DOMAIN_RUNNING);
	CHECK_INT(connection_state(VIR_DOMAIN_SHUTDOWN, 0), DOMAIN_RUNNING);
	CHECK_INT(connection_state(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION), DOMAIN_PAUSED);
	CHECK_INT(connection_state(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY), DOMAIN_PAUSED);
	CHECK_INT(connection_state(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY_FAILED),
	          DOMAIN_PAUSED);
}

TEST_MAIN({"queue", test_queue}, {"states", test_states}, {"never-connects", test_never_connects},
          {"comes-late", test_comes_late}, {"unfound", test_unfound}, {"hangs", test_hangs},
          {"tidy", test_tidy})
