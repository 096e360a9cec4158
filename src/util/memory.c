/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/cleanup.h"

/** Libraries that real-time threads call, and the one that finds functions for them. */
static const char *const urgent[] = {"libc.so.", "libbpf.so.", "liburing.so.", "ld-linux-"};

static bool is_urgent(const char *path, const char *self)
{
	const char *slash = strrchr(path, '/');
	size_t i;

	if (!slash)
		return false;
	for (i = 0; i < ARRAY_SIZE(urgent); i++)
		if (strncmp(slash + 1, urgent[i], strlen(urgent[i])) == 0)
			return true;
	return strcmp(path, self) == 0;
}

/**
 * Locks one mapping, all of it, if it is of those. Of other libraries' code what was needed to
 * start is let go of: it is in the page cache. Not of what can't be executed, which may hold
 * relocations. A line is that of /proc/PID/maps.
 */
static int lock_mapping(const char *line, const char *self)
{
	unsigned long start, end;
	char permissions[5];
	int path = 0;

	if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %n", &start, &end, permissions, &path) < 3 ||
	    !path)
		return -EBADMSG;
	/* guards of stacks, and what the kernel maps */
	if (permissions[0] != 'r' || strncmp(line + path, "[v", 2) == 0)
		return 0;
	if (permissions[1] != 'w' && !is_urgent(line + path, self)) {
		if (line[path] == '/' && strcmp(permissions, "r-xp") == 0)
			madvise((void *)start, end - start, MADV_DONTNEED); /* NOLINT: an address */
		return 0;
	}
	return mlock((const void *)start, end - start) < 0 ? -errno : 0; /* NOLINT: an address */
}

/*
 * One mlockall() does not do instead. With 1,000 vCPUs this takes 31 MiB, and the booster has no
 * page fault while vCPUs are added. mlockall(MCL_CURRENT) takes 99 MiB in the daemon and 71 MiB in
 * the guardian, MCL_FUTURE at the start of main() 45 MiB; with MCL_ONFAULT the booster has 182 page
 * faults. MCL_FUTURE at the start and MCL_ONFAULT from here on take 35 MiB, and 38 MiB when all are
 * boosted, without faults while vCPUs are added; but code that has not run yet, as that of errors,
 * would still come from the disk. With each of these, the first boosts cost the booster two minor
 * page faults; their cause is not known.
 */
int memory_lock(void)
{
	CLEANUP(cleanup_free) char *line = NULL;
	CLEANUP(cleanup_file) FILE *file = NULL;
	char self[PATH_MAX] = "";
	size_t room = 0;
	ssize_t n;
	int r = 0;

	file = fopen("/proc/self/maps", "re");
	if (!file || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return -errno;
	while (r == 0 && (n = getline(&line, &room, file)) > 0) {
		line[n - 1] = '\0'; /* the end of the line */
		r = lock_mapping(line, self);
	}
	if (r == 0 && mlockall(MCL_CURRENT | MCL_ONFAULT) < 0)
		r = -errno;
	return r;
}
