// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process that plays QEMU, with guest pages, and makes those wait that look at it. HANGING_WAY
 * says how:
 *
 *   no       not at all
 *   look     from the start: faults in its guest pages are a userfaultfd's, which never serves them
 *   punch    from SIGUSR1 on it punches holes into its guest pages, in two threads, while these are
 *            mapped very often
 *   flush    from SIGUSR1 on a file whose close never ends, but for itself, takes turns with its
 *            guest pages behind their descriptor: what duplicates it at the wrong moment hangs
 *            beyond SIGKILL
 *
 * The last two write a line to standard output when they have begun.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SIZE     (1024 * 1024)
#define MAPPINGS 20000

static int carrier = -1;
static void *memory; /* the carrier, mapped */

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static void say(const char *word)
{
	printf("%s\n", word);
	fflush(stdout);
}

static void start(void *(*function)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, function, NULL) != 0)
		fail("thread");
}

/* ---- guest pages and a vCPU ---- */

static void make_carrier(void)
{
	carrier = memfd_create("memory-backend-memfd", MFD_ALLOW_SEALING);
	if (carrier < 0 || ftruncate(carrier, SIZE) < 0 ||
	    fcntl(carrier, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		fail("carrier");
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, carrier, 0);
	if (memory == MAP_FAILED)
		fail("carrier");
}

/* Work of 20 us, a pause of 1 ms: less than its share, so that it stays boosted. */
static void *vcpu(void *unused)
{
	struct timespec now, end;

	(void)unused;
	prctl(PR_SET_NAME, "CPU 0/TCG");
	for (;;) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
		end.tv_nsec += 20000;
		do
			clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
		while (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return NULL;
}

/* ---- faults that are never served ---- */

static void hold_faults(void)
{
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_MINOR_SHMEM};
	struct uffdio_register range = {.range = {(uintptr_t)memory, SIZE},
	                                .mode = UFFDIO_REGISTER_MODE_MINOR};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0)
		fail("userfaultfd");
}

/* ---- holes ---- */

static void *punch(void *unused)
{
	(void)unused;
	for (;;)
		fallocate(carrier, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE);
	return NULL;
}

static void map_often(void)
{
	for (int i = 0; i < MAPPINGS; i++)
		if (mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, carrier,
		         0) == MAP_FAILED)
			fail("mapping");
}

/*
 * ---- a file that answers as it likes ----
 *
 * Its server is a process: when this one is killed, the server ends, and with it what waits for it.
 */

static int fuse = -1;
static char place[256]; /* the folder that it was started in */

static void reply(uint64_t unique, const void *data, size_t size)
{
	char buffer[512];
	struct fuse_out_header header = {.len = (uint32_t)(sizeof(header) + size),
	                                 .unique = unique};

	memcpy(buffer, &header, sizeof(header));
	memcpy(buffer + sizeof(header), data, size);
	if (write(fuse, buffer, header.len) < 0)
		return; /* the asker is gone */
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){
	        .ino = node, .nlink = 1, .size = SIZE, .mode = node == 1 ? 040755 : 0100644};
}

/* A thread of the process that has this server. */
static int is_own_thread(uint32_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%u", getppid(), tid);
	return access(path, F_OK) == 0;
}

static void serve(const struct fuse_in_header *in)
{
	struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
	struct fuse_entry_out entry = {.nodeid = 2, .attr = attributes(2)};
	struct fuse_attr_out attr = {.attr = attributes(in->nodeid)};
	struct fuse_open_out opened = {.fh = 1};

	switch (in->opcode) {
	case FUSE_INIT:
		reply(in->unique, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		reply(in->unique, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		reply(in->unique, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		reply(in->unique, &opened, sizeof(opened));
		break;
	case FUSE_FLUSH:
		if (is_own_thread(in->pid))
			reply(in->unique, "", 0);
		else
			say("caught");
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(in->unique, "", 0);
	}
}

static void __attribute__((noreturn)) serve_all(void)
{
	static char request[65536] __attribute__((aligned(8)));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fuse, request, sizeof(request)) > 0)
		serve((const struct fuse_in_header *)request);
	_exit(0);
}

/* In mounts of its own, so that nothing is left when it is gone. */
static void mount_file(void)
{
	char options[128];

	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !getcwd(place, sizeof(place)))
		fail("fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	if (mount("hanging", place, "fuse", 0, options) < 0)
		fail("mount");
	if (fork() == 0)
		serve_all();
	close(fuse);
}

static int open_file(int flags)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/file", place);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		fail("file");
	return fd;
}

static void spin_us(unsigned int us)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - begin.tv_sec) * 1000000 + (now.tv_nsec - begin.tv_nsec) / 1000 <
	       (long)us);
}

/*
 * The carrier stays as long as its server takes to answer the close of the file; the file as long
 * as a look takes from stat to pidfd_getfd(), which depends on the machine.
 */
static void *swap(void *unused)
{
	int file = open_file(O_RDWR), again = dup(carrier);

	(void)unused;
	say("begun");
	for (unsigned int i = 0;; i++) {
		dup2(file, carrier);
		spin_us(1U << i % 9);
		dup2(again, carrier);
	}
	return NULL;
}

/* ---- */

static void hang_now(const char *way)
{
	if (strcmp(way, "punch") == 0) {
		map_often();
		start(punch);
		start(punch);
		say("begun");
	} else if (strcmp(way, "flush") == 0) {
		mount_file();
		start(swap);
	}
}

int main(void)
{
	const char *given = getenv("HANGING_WAY");
	const char *way = given ? given : "no";
	sigset_t signals;
	int number;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	make_carrier();
	if (strcmp(way, "look") == 0)
		hold_faults();
	start(vcpu);
	sigwait(&signals, &number);
	hang_now(way);
	for (;;)
		pause();
}
