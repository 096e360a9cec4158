/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Reads /proc. Every read is bounded, and a thread that is gone is an ordinary outcome, -ENOENT or
 * -ESRCH. An answer is as old as the read: callers pair a TID with its start time.
 */

#include <sys/types.h>

#include "util/base.h"
#include "util/procfs_parse.h"

#define PROCFS_BOOT_ID_LEN 37 /* with the NUL */

/** Bytes of QEMU's command line: uuid, memory and topology come first, hundreds of disks later. */
#define PROCFS_CMDLINE_MAX (256 * 1024)

/**
 * Reads a whole small file.
 * Returns its size; -EFBIG when it does not fit; -errno.
 */
ssize_t procfs_read_file(const char *path, char *buffer, size_t size);

/** Called with whole lines of a file. */
typedef void procfs_lines_fn(const char *text, size_t size, void *userdata);

/**
 * Reads a file of any size in pieces of whole lines, each at most PROCFS_LINES_MAX bytes; a longer
 * line is cut. For files of which the kernel has no limit, as mountinfo.
 * Returns 0, or -errno.
 */
int procfs_each_lines(const char *path, procfs_lines_fn *fn, void *userdata);

/** A line of mountinfo has two paths of 4 KiB each, of which every byte may be escaped by four. */
#define PROCFS_LINES_MAX (128 * 1024)

/**
 * Reads the stat file of thread @tid of process @pid. With @pid 0, of the thread of any process
 * that has this TID: /proc lists processes only, but has an entry for every thread.
 * Returns 0, or -errno: -ENOENT or -ESRCH when there is no such thread.
 */
int procfs_stat(pid_t pid, pid_t tid, struct procfs_stat *ret);

/** The start time of a thread in clock ticks since boot; otherwise like procfs_stat(). */
int procfs_start_ticks(pid_t pid, pid_t tid, uint64_t *ret);

/**
 * Gets the group of a thread in the hierarchy of the cpu controller. @pid as in procfs_stat().
 * Returns 0, or -errno: see procfs_parse_cgroup().
 */
int procfs_cgroup(pid_t pid, pid_t tid, enum procfs_cgroup_kind *kind, char *path,
                  size_t path_size);

/**
 * Lists the threads of a process, in the kernel's order (main thread first).
 * @max       how many @tids there is room for
 * @n         how many were stored
 * @overflow  how many more there were
 * Returns 0, or -errno.
 */
int procfs_list_threads(pid_t pid, pid_t *tids, size_t max, size_t *n, size_t *overflow);

/** Called for each process; a value other than 0 ends the listing. */
typedef int procfs_process_fn(pid_t pid, void *userdata);

/**
 * Calls @fn for at most @max processes.
 * Returns 0; what @fn returned if not 0; -E2BIG when there were more than @max; -errno.
 */
int procfs_each_process(size_t max, procfs_process_fn *fn, void *userdata);

/**
 * Reads the command line of a process: its arguments, each ended by a NUL, cut at @size bytes.
 * Returns the size read, or -errno.
 */
ssize_t procfs_cmdline(pid_t pid, char *buffer, size_t size);

/**
 * Gets the path of a process's executable in its own mounts, with " (deleted)" at the end if the
 * file is gone. Needs CAP_SYS_PTRACE for processes with more privileges than ours.
 * Returns 0; -ENAMETOOLONG; -errno: -EACCES without permission, -ENOENT for kernel threads.
 */
int procfs_exe(pid_t pid, char *path, size_t size);

/** Gets the process of a thread by the TID alone. Returns 0, or -errno. */
int procfs_process(pid_t tid, pid_t *ret);

/** Gets the user ids of a process: real, effective, saved, file system. Returns 0, or -errno. */
int procfs_uids(pid_t pid, uid_t ret[static PROCFS_UIDS]);

/** Gets how many threads there are on this host, also those that this process may not see. Returns
 * 0, or -errno. */
int procfs_count_threads(size_t *ret);

/** Gets the TID that was given last on this host; TIDs wrap around. Returns 0, or -errno. */
int procfs_last_pid(pid_t *ret);

/** Called for each descriptor: the entry @name of the folder @dir_fd; a value other than 0 ends it.
 */
typedef int procfs_fd_fn(int dir_fd, const char *name, int fd, void *userdata);

/**
 * Calls @fn for at most @max descriptors of a process, lowest first.
 * Returns 0; what @fn returned if not 0; -E2BIG when there were more than @max; -errno.
 */
int procfs_each_fd(pid_t pid, size_t max, procfs_fd_fn *fn, void *userdata);

/** The option hidepid of the mount at /proc: see procfs_parse_hidepid(). Returns it, or -errno. */
int procfs_hidepid(void);

/** The id of this boot in text form. Returns 0, or -errno. */
int procfs_boot_id(char ret[static PROCFS_BOOT_ID_LEN]);
