/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "guest/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "util/cleanup.h"

/** The kernel returns about a page per read, whatever the size. */
#define CHUNK_SIZE 8192

struct cursor {
	const char *at, *end;
};

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/** Takes a number and the character after it. Returns false if either is missing. */
static bool take_number(struct cursor *cursor, unsigned int base, char behind, uint64_t *ret)
{
	const char *first = cursor->at;
	uint64_t value = 0;

	for (; cursor->at < cursor->end; cursor->at++) {
		int digit = digit_value(*cursor->at);

		if (digit < 0 || (unsigned int)digit >= base)
			break;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			return false;
	}
	if (cursor->at == first || cursor->at == cursor->end || *cursor->at != behind)
		return false;
	cursor->at++;
	*ret = value;
	return true;
}

/** "rw-s ": the fourth letter is s or p. */
static bool take_permissions(struct cursor *cursor, struct maps_entry *entry)
{
	const char *at = cursor->at;

	if (cursor->end - at < 5 || at[4] != ' ' || (at[3] != 's' && at[3] != 'p'))
		return false;
	entry->shared = at[3] == 's';
	entry->data = at[0] == 'r' && at[1] == 'w' && at[2] == '-';
	cursor->at += 5;
	return true;
}

int maps_parse_line(const char *line, size_t size, struct maps_entry *ret)
{
	struct cursor cursor = {line, line + size};
	uint64_t major, minor, inode;
	size_t length;

	*ret = (struct maps_entry){.start = 0};
	if (!take_number(&cursor, 16, '-', &ret->start) ||
	    !take_number(&cursor, 16, ' ', &ret->end) || ret->start >= ret->end ||
	    !take_permissions(&cursor, ret) || !take_number(&cursor, 16, ' ', &ret->offset) ||
	    !take_number(&cursor, 16, ':', &major) || !take_number(&cursor, 16, ' ', &minor) ||
	    major > UINT32_MAX || minor > UINT32_MAX || !take_number(&cursor, 10, ' ', &inode))
		return -EBADMSG;
	ret->device = makedev((unsigned int)major, (unsigned int)minor);
	ret->inode = inode;
	while (cursor.at < cursor.end && *cursor.at == ' ')
		cursor.at++;
	length = MIN((size_t)(cursor.end - cursor.at), sizeof(ret->path) - 1);
	memcpy(ret->path, cursor.at, length);
	return 0;
}

/** Keeps the beginning of a line; what does not fit is the rest of a long path. */
static void keep(struct maps_reader *reader, const char *text, size_t size)
{
	size_t fits = MIN(size, sizeof(reader->line) - reader->length);

	memcpy(reader->line + reader->length, text, fits);
	reader->length += fits;
}

int maps_feed(struct maps_reader *reader, const char *chunk, size_t size, maps_fn *fn,
              void *userdata)
{
	const char *end = chunk + size;

	while (chunk < end) {
		const char *line_end = memchr(chunk, '\n', (size_t)(end - chunk));
		struct maps_entry entry;
		int r;

		keep(reader, chunk, (size_t)((line_end ? line_end : end) - chunk));
		if (!line_end)
			return 0;
		if (reader->n++ == MAPS_ENTRIES_MAX)
			return -E2BIG;
		r = maps_parse_line(reader->line, STEAL(reader->length, 0), &entry);
		if (r == 0)
			r = fn(&entry, userdata);
		if (r != 0)
			return r;
		chunk = line_end + 1;
	}
	return 0;
}

int maps_each(pid_t pid, maps_fn *fn, void *userdata)
{
	CLEANUP(cleanup_fd) int fd = -1;
	struct maps_reader reader = MAPS_READER_NULL;
	char chunk[CHUNK_SIZE];

	snprintf(chunk, sizeof(chunk), "/proc/%d/maps", pid);
	fd = open(chunk, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		r = maps_feed(&reader, chunk, (size_t)n, fn, userdata);
		if (r != 0)
			return r;
	}
}
