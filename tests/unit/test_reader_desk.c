// SPDX-License-Identifier: GPL-2.0-or-later
/* Proxmox's configurations of VMs: one after the other, and on a file system that hangs. */
#include "reader/desk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define PATIENCE_MS 20000

static char dir[64];
static int fds[2]; /* ours, the desk's */

static void begin(void)
{
	char path[128];
	FILE *file;

	strcpy(dir, "/tmp/pvsched-pve-XXXXXX");
	CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/qemu-server", dir);
	CHECK_INT(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/qemu-server/101.conf", dir);
	file = fopen(path, "w");
	CHECK(file && fputs("name: pbx\n", file) >= 0 && fclose(file) == 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
}

static void end(void)
{
	char command[128];

	close(fds[0]);
	close(fds[1]);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK_INT(system(command), 0);
}

static void ask(uint64_t id, uint32_t vmid)
{
	struct reader_request request = {.id = id, .job = READER_VM_CONF, .vmid = vmid};

	desk_serve(dir, &request, fds[1]);
}

static void take(uint64_t id, int result, struct reader_reply *ret)
{
	struct pollfd fd = {.fd = fds[0], .events = POLLIN};

	CHECK_INT(poll(&fd, 1, PATIENCE_MS), 1);
	CHECK_INT(reader_reply_receive(fds[0], ret), 0);
	CHECK_U64(ret->id, id);
	CHECK_INT(ret->result, result);
}

static void test_one_after_the_other(void)
{
	struct reader_reply reply;

	begin();
	for (uint64_t id = 1; id < 100; id++) { /* the next one follows from the reply */
		ask(id, 101);
		take(id, 0, &reply);
		CHECK_STR(reply.labels.title, "pbx");
		CHECK_U64(reply.labels.vmid, 101);
	}
	ask(200, 102);
	take(200, -ENOENT, &reply);
	end();
}

/* A FUSE file system whose server answers nothing. Returns its descriptor; -1: not here. */
static int hang(void)
{
	char options[128];
	int fd;

	/* whatever happens, nothing stays mounted */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (fd >= 0 && mount("pvsched", dir, "fuse", 0, options) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void test_hangs(void)
{
	struct reader_reply reply;
	int fd;

	begin();
	fd = hang();
	if (fd < 0) {
		end();
		TEST_SKIP("this user can mount no FUSE");
	}
	ask(1, 101);
	ask(2, 101);
	take(2, -EBUSY, &reply); /* at once, and before that of the first */
	ask(3, 101);
	take(3, -EBUSY, &reply);
	close(fd);
	take(1, -ENOTCONN, &reply);
	CHECK_INT(umount2(dir, MNT_DETACH), 0);
	ask(4, 101);
	take(4, 0, &reply);
	CHECK_STR(reply.labels.title, "pbx");
	end();
}

TEST_MAIN({"one after the other", test_one_after_the_other}, {"hangs", test_hangs})
