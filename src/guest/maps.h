/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The mappings of a process, from /proc/PID/maps, read as a stream: a QEMU may have tens of
 * thousands of them. The numbers are the kernel's. A path is chosen by the process that names the
 * file. The kernel escapes line breaks in it, so a line is always one mapping.
 */

#include <sys/types.h>

#include "util/base.h"

/** Bytes kept of a path, with the NUL: enough to tell by its beginning what it is. */
#define MAPS_PATH_MAX 128

/** Bytes kept of a line: at most 110 come before the path. */
#define MAPS_LINE_MAX 256

/** Mappings looked at. vm.max_map_count is 65530 by default. */
#define MAPS_ENTRIES_MAX 262144

struct maps_entry {
	uint64_t start, end; /* addresses: start < end */
	uint64_t offset;     /* bytes into the file */
	bool shared;         /* MAP_SHARED */
	bool data;           /* readable, writable, not executable */
	dev_t device;        /* of the file; 0 where there is none */
	ino_t inode;
	char path[MAPS_PATH_MAX]; /* as the kernel prints it, cut if longer; "" if there is none */
};

/** Called for each mapping; a value other than 0 ends the reading. */
typedef int maps_fn(const struct maps_entry *entry, void *userdata);

/** Puts lines together from chunks. */
struct maps_reader {
	char line[MAPS_LINE_MAX];
	size_t length; /* bytes in @line */
	size_t n;      /* lines so far */
};

#define MAPS_READER_NULL ((struct maps_reader){.length = 0})

/**
 * Parses one line without its line break. The end of the line may be missing.
 * Returns 0, or -EBADMSG.
 */
int maps_parse_line(const char *line, size_t size, struct maps_entry *ret);

/**
 * Takes the next @size bytes, and calls @fn for each complete line.
 * Returns 0; what @fn returned if not 0; -EBADMSG; -E2BIG after MAPS_ENTRIES_MAX lines.
 */
int maps_feed(struct maps_reader *reader, const char *chunk, size_t size, maps_fn *fn,
              void *userdata);

/** Calls @fn for each mapping of a process. Returns like maps_feed(), or -errno. */
int maps_each(pid_t pid, maps_fn *fn, void *userdata);
