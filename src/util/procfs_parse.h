/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Parses files of /proc from memory: no I/O here, so that the parsers can be fuzzed. The text is
 * the kernel's, but a process chooses the names in it.
 */

#include <sys/types.h>

#include "util/base.h"

/** A thread's name with the NUL: 16 for user threads; the kernel prints up to 64 for its own. */
#define PROCFS_COMM_MAX 64

/** PF_KTHREAD of the kernel: set in `flags` of a thread without user space. */
#define PROCFS_FLAG_KTHREAD 0x00200000u

/** PF_EXITING of the kernel: set in `flags` of a thread before anything reports its exit. */
#define PROCFS_FLAG_EXITING 0x00000004u

/** The part of /proc/PID/stat that is used. */
struct procfs_stat {
	pid_t pid;
	char comm[PROCFS_COMM_MAX]; /* as the kernel prints it, cut if longer */
	char state;                 /* 'R', 'S', 'D', 'T', 't', 'Z', 'X', ... */
	pid_t ppid;
	unsigned int flags;   /* field 9 */
	uint64_t start_ticks; /* field 22: clock ticks since boot */
};

/** The hierarchy in which the cpu controller lives, and where a thread is in it. */
enum procfs_cgroup_kind {
	PROCFS_CGROUP_V1, /* a v1 hierarchy with the cpu controller */
	PROCFS_CGROUP_V2, /* the unified hierarchy; no v1 hierarchy has the cpu controller */
};

/**
 * Parses the contents of a stat file.
 * @text  need not be zero terminated; the name in it may hold ')' and blanks
 * Returns 0, or -EBADMSG.
 */
int procfs_parse_stat(const char *text, size_t size, struct procfs_stat *ret);

/**
 * Parses the contents of a cgroup file and chooses the line of the cpu controller: v1 if there is
 * one, else v2.
 * @path  at least @path_size bytes; gets the group's path, which begins with '/'
 * Returns 0; -ENOENT when neither is there; -ENAMETOOLONG when the path does not fit; -EBADMSG.
 */
int procfs_parse_cgroup(const char *text, size_t size, enum procfs_cgroup_kind *kind, char *path,
                        size_t path_size);

#define PROCFS_MOUNT_MAX 256

/** Where a cgroup hierarchy is mounted. */
struct procfs_cgroup_mount {
	/*
	 * How many levels its root is above that of our cgroup namespace, from whose root the
	 * kernel names all groups: 0 in the host's own namespace.
	 */
	unsigned int levels_up;
	char point[PROCFS_MOUNT_MAX]; /* with the kernel's octal escapes undone */
};

/**
 * Finds where a cgroup hierarchy is mounted, from whole lines of a mountinfo file. Of several
 * mounts the one that shows most counts, then the first.
 * @kind  which hierarchy
 * Returns 0; -ENOENT when it is not mounted whole (a mount of a subtree does not count);
 * -ENAMETOOLONG.
 */
int procfs_parse_cgroup_mount(const char *text, size_t size, enum procfs_cgroup_kind kind,
                              struct procfs_cgroup_mount *ret);

/**
 * Counts the components ".." at the beginning of a group's path, which has them where a cgroup
 * namespace is left. *rest gets what follows: "" or a path that begins with '/'.
 */
unsigned int procfs_levels_up(const char *group, const char **rest);

/**
 * Tells from whole lines of a mountinfo file whether the file system of the mount with the id
 * @mount, see statx(2), is read-only as a whole, and not only mounted so.
 * Returns 1 or 0; -ENOENT: no line is of that mount.
 */
int procfs_parse_read_only(const char *text, size_t size, uint64_t mount);

/**
 * Reads how the mount at /proc hides processes of other users, from whole lines of a mountinfo or
 * mounts file. The last such mount counts.
 * Returns 0: not at all; 1: their files; 2: the processes themselves; 4: all that may not be
 * traced; -ENOENT: no line is of /proc.
 */
int procfs_parse_hidepid(const char *text, size_t size);

/** User ids of a process: real, effective, saved, file system. */
#define PROCFS_UIDS 4

/** Reads the line "Tgid:" of a status file. Returns 0, or -EBADMSG. */
int procfs_parse_process(const char *text, size_t size, pid_t *ret);

/** Reads the line "Uid:" of a status file. Returns 0, or -EBADMSG. */
int procfs_parse_uids(const char *text, size_t size, uid_t ret[static PROCFS_UIDS]);

/**
 * Takes the next argument of a command line as in /proc, where a NUL ends each one. *@at moves
 * behind it.
 * Returns NULL at the end, also for an argument that the end of the buffer cuts.
 */
const char *procfs_next_argument(const char **at, const char *end);

/** Is an argument of QEMU the option @name? "-name" and "--name" are the same to it. */
bool procfs_is_option(const char *argument, const char *name);
