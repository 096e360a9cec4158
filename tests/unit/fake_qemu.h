/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A process that plays QEMU: the test program itself, executed with a QEMU's arguments. It maps
 * descriptors it inherits, says so, and then waits, or swaps descriptors as fast as it can. It dies
 * with the test.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define FAKE_QEMU_NAME     "fake-qemu"
#define FAKE_QEMU_FDS_MAX  16
#define FAKE_QEMU_ARGS_MAX 16

struct fake_qemu {
	/* what it maps: descriptors, their lengths, the inherited protection and flags */
	struct fake_mapping {
		int fd;
		size_t length;
		bool private_copy; /* not MAP_SHARED */
		bool close;        /* the descriptor, after that */
	} mappings[FAKE_QEMU_FDS_MAX];
	size_t n_mappings;
	/* it puts these onto mappings[0].fd, one after the other, for ever */
	int swaps[FAKE_QEMU_FDS_MAX];
	size_t n_swaps;
	const char *args[FAKE_QEMU_ARGS_MAX]; /* behind the name, NULL at the end */
	/* a read of mappings[0] through it hangs, by a userfaultfd */
	bool hangs;
	/* it has a /dev/shm of its own, with a file on which mappings[0] is */
	bool own_shm;
	pid_t pid;
};

static inline void fake_qemu_swap(char *spec)
{
	int swaps[FAKE_QEMU_FDS_MAX], target, n = 0;
	char *at = strtok(spec, ",");

	target = atoi(at);
	while ((at = strtok(NULL, ",")))
		swaps[n++] = atoi(at);
	for (unsigned int i = 0;; i++)
		if (dup2(swaps[i % (unsigned int)n], target) < 0)
			_exit(5);
}

/** Faults of pages that are in the file, but not in this process's page tables, are never served.
 */
static inline void fake_qemu_hang(void *memory, size_t length)
{
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_MINOR_SHMEM};
	struct uffdio_register range = {.range = {(uintptr_t)memory, length},
	                                .mode = UFFDIO_REGISTER_MODE_MINOR};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0)
		_exit(11);
}

/** The child: "FD:LENGTH:PRIVATE:CLOSE,..." in FAKE_MAPPINGS, "TARGET,FD,..." in FAKE_SWAPS. */
static inline int fake_qemu_main(void)
{
	char *mappings = getenv("FAKE_MAPPINGS"), *swaps = getenv("FAKE_SWAPS");
	bool hangs = getenv("FAKE_HANGS") != NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (char *at = strtok(mappings, ","); at; at = strtok(NULL, ",")) {
		int fd, private_copy, close_it;
		size_t length;
		void *memory;

		if (sscanf(at, "%d:%zu:%d:%d", &fd, &length, &private_copy, &close_it) != 4)
			return 3;
		memory = mmap(NULL, length, PROT_READ, private_copy ? MAP_PRIVATE : MAP_SHARED, fd,
		              0);
		if (memory == MAP_FAILED)
			return 4;
		if (hangs)
			fake_qemu_hang(memory, length);
		if (close_it)
			close(fd);
	}
	if (write(STDOUT_FILENO, "r", 1) != 1)
		return 6;
	if (swaps && *swaps)
		fake_qemu_swap(swaps);
	for (;;)
		pause();
}

static inline void fake_qemu_mount(const struct fake_qemu *qemu)
{
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/dev/shm", "tmpfs", 0, NULL) < 0)
		_exit(8);
	fd = open("/dev/shm/pvsched-own", O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)qemu->mappings[0].length) < 0 ||
	    dup2(fd, qemu->mappings[0].fd) < 0)
		_exit(9);
}

static inline void fake_qemu_exec(struct fake_qemu *qemu)
{
	char mappings[1024] = "", swaps[256] = "";
	char *argv[FAKE_QEMU_ARGS_MAX + 1] = {(char *)FAKE_QEMU_NAME};
	size_t n = 0;

	for (size_t i = 0; i < qemu->n_mappings; i++) {
		struct fake_mapping *m = &qemu->mappings[i];

		n += (size_t)sprintf(mappings + n, "%d:%zu:%d:%d,", m->fd, m->length,
		                     m->private_copy, m->close);
	}
	n = qemu->n_swaps ? (size_t)sprintf(swaps, "%d", qemu->mappings[0].fd) : 0;
	for (size_t i = 0; i < qemu->n_swaps; i++)
		n += (size_t)sprintf(swaps + n, ",%d", qemu->swaps[i]);
	for (size_t i = 0; i + 1 < FAKE_QEMU_ARGS_MAX && qemu->args[i]; i++)
		argv[i + 1] = (char *)qemu->args[i];
	setenv("FAKE_MAPPINGS", mappings, 1);
	setenv("FAKE_SWAPS", swaps, 1);
	if (qemu->hangs)
		setenv("FAKE_HANGS", "1", 1);
	execv("/proc/self/exe", argv);
	_exit(7);
}

/** Starts it and waits until it has mapped everything. */
static inline void fake_qemu_start(struct fake_qemu *qemu)
{
	int ready[2];
	char c;

	CHECK_INT(pipe2(ready, O_CLOEXEC), 0);
	qemu->pid = fork();
	CHECK(qemu->pid >= 0);
	if (qemu->pid == 0) {
		dup2(ready[1], STDOUT_FILENO);
		if (qemu->own_shm)
			fake_qemu_mount(qemu);
		fake_qemu_exec(qemu);
	}
	close(ready[1]);
	CHECK_INT(read(ready[0], &c, 1), 1);
	close(ready[0]);
}

static inline void fake_qemu_stop(struct fake_qemu *qemu)
{
	kill(qemu->pid, SIGKILL);
	CHECK_INT(waitpid(qemu->pid, NULL, 0), qemu->pid);
	qemu->pid = 0;
}
