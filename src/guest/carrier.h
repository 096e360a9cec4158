/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The carrier is the memory that holds a domain's guest pages: the shared-memory object behind its
 * ivshmem device. It is found through the QEMU process, proven to be safe to touch, and opened.
 * There are two kinds:
 *
 * - a memfd of QEMU (`-object memory-backend-memfd,id=pvsched,...,share=on`, seal=on), which QEMU
 *   seals against shrinking;
 * - libvirt's <shmem name='pvsched-...'> with role='master': a file in /dev/shm, without seals.
 *
 * Neither is ever mapped. On a truncated file pread() and pwrite() fail, where a mapping would
 * raise SIGBUS. And a page fault waits for a QEMU that punches holes into the file, sealed or not.
 *
 * The contents of the memory are not trusted here; see guest/page.h.
 */

#include <sys/types.h>

#include "pvsched/page.h"
#include "util/base.h"

struct carrier;

enum carrier_kind {
	CARRIER_MEMFD,
	CARRIER_SHMEM,
};

/* No huge pages: hugetlbfs has no pwrite(), so the memory would have to be mapped. */

/** Why a domain has no usable carrier: positive outcomes of carrier_find(). */
enum carrier_problem {
	CARRIER_ABSENT = 1,  /* it has none: an ordinary domain */
	CARRIER_AMBIGUOUS,   /* several objects could be it, and none is proven */
	CARRIER_NOT_REGULAR, /* a FIFO, a device, ... */
	CARRIER_NOT_TMPFS,   /* not on the tmpfs of memfds or of the host's /dev/shm */
	CARRIER_WRONG_SIZE,  /* not the size QEMU was told, too small for its vCPUs, or absurd */
	CARRIER_READ_ONLY,   /* QEMU's descriptor, or a seal, forbids writing */
	CARRIER_HUGE,        /* on hugetlbfs: see above */
	CARRIER_CHANGED,     /* QEMU's descriptors changed while they were looked at */
	CARRIER_STUCK,       /* a look at this QEMU, or a write to its memory, did not end */
	CARRIER_NOT_TRIED,   /* too many looks at other QEMUs have not ended */
	CARRIER_SHARED,      /* another domain had this memory first, and keeps it */
	_CARRIER_PROBLEM_MAX,
};

/**
 * Finds the carrier of the QEMU process @pid and opens it. The caller checks the start time of @pid
 * before and after. The carrier must hold at least @n_pages vCPU pages. Reads
 * /proc/PID/{cmdline,maps,fd}. Takes the descriptor over with pidfd_getfd(), so that nothing is
 * ever opened by name. For memory that is mapped twice, the address is the lower one.
 * Returns 0 and *ret; an enum carrier_problem; -errno: -EPERM where CAP_SYS_PTRACE or
 * CAP_DAC_READ_SEARCH is missing, -ESRCH without such a process, -E2BIG with more mappings or
 * descriptors than are looked at.
 *
 * May wait for as long as QEMU likes, even in the kernel without an answer to SIGKILL: like every
 * reader of /proc it takes QEMU's mmap_lock (before Linux 6.17), and it closes a file that QEMU put
 * in the carrier's place. So only a lane of the reader calls this, see reader/reader.h.
 */
int carrier_find(pid_t pid, size_t n_pages, struct carrier **ret);

/**
 * The same for a descriptor at hand: validates it and takes it over, also on failure. The caller
 * makes sure that fstat(), fstatfs() and close() of @fd do not wait.
 * @expected  the size that it must have; 0: any size that is allowed
 * @address   where QEMU has it mapped; 0: unknown
 * Returns 0 and *ret; an enum carrier_problem; -errno.
 */
int carrier_open(int fd, enum carrier_kind kind, uint64_t expected, uint64_t address,
                 size_t n_pages, struct carrier **ret);

/** Closes it; the memory itself is left as it is. Takes NULL; returns NULL. */
struct carrier *carrier_free(struct carrier *carrier);

/** For CLEANUP(). */
void carrier_cleanup(struct carrier **carrier);

enum carrier_kind carrier_kind(const struct carrier *carrier);

/** Identity of the object: no two domains may have the same. */
dev_t carrier_device(const struct carrier *carrier);
ino_t carrier_inode(const struct carrier *carrier);

/** Bytes of the object. */
uint64_t carrier_size(const struct carrier *carrier);

/** Sealed against shrinking. */
bool carrier_sealed(const struct carrier *carrier);

/** The address of its first byte in QEMU's address space; 0: not known. */
uint64_t carrier_address(const struct carrier *carrier);

/**
 * Its descriptor, which stays the carrier's. It shares offset and flags with QEMU's, so calls that
 * use or change these are forbidden.
 */
int carrier_fd(const struct carrier *carrier);

/**
 * Copies @size bytes out of it.
 * Returns 0; -ENODATA when it has become shorter; -errno.
 */
int carrier_read(const struct carrier *carrier, void *buffer, size_t size, uint64_t offset);

/**
 * Copies @size bytes into it. Use it, not pwrite(), which appends when QEMU has set O_APPEND on the
 * shared descriptor. It may wait for a QEMU that holds the file's lock with long calls of its own.
 * Returns 0; -EINVAL beyond carrier_size(); -ENOSPC; -EPERM; -errno.
 */
int carrier_write(const struct carrier *carrier, const void *buffer, size_t size, uint64_t offset);

/** "memfd", "shmem". */
const char *carrier_kind_name(enum carrier_kind kind);

/** A short name as in JSON ("wrong-size") and a sentence for people that says what to do. */
const char *carrier_problem_name(enum carrier_problem problem);
const char *carrier_problem_text(enum carrier_problem problem);
