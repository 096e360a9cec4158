/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the files of a configuration: config_load() of config/config.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/complaint.h"
#include "config/config.h"
#include "config/drop_ins.h"
#include "config/trust.h"
#include "util/cleanup.h"
#include "util/read_all.h"

static int check_file(int fd, struct stat *st, const struct complaint *c)
{
	int r;

	if (fstat(fd, st) < 0)
		return config_complain(c, -errno, "cannot be examined: %s", strerror(errno));
	if (!S_ISREG(st->st_mode))
		return config_complain(c, -EINVAL, "is not a regular file");
	r = config_check_trust(st, "file", c);
	if (r < 0)
		return r;
	if (st->st_size > CONFIG_FILE_MAX)
		return config_complain(c, -EFBIG, "is larger than %d bytes, the limit for a file",
		                       CONFIG_FILE_MAX);
	return 0;
}

static bool same_version(const struct stat *a, const struct stat *b, ssize_t length)
{
	return a->st_size == b->st_size && b->st_size == length &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The place of an open file, without links. Returns false if it cannot be told. */
static bool place_of(int fd, char place[static PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, place, PATH_MAX);
	if (n <= 0 || n == PATH_MAX)
		return false;
	place[n] = '\0';
	return true;
}

/* Is the open file in the directory of @path, or below it? */
static bool is_in_its_directory(int fd, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory CLEANUP(cleanup_free) =
	        slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
	char *real CLEANUP(cleanup_free) = directory ? realpath(directory, NULL) : NULL;
	char place[PATH_MAX];
	size_t length;

	if (!real || !place_of(fd, place))
		return false;
	length = strlen(real);
	length -= real[length - 1] == '/'; /* the root */
	return strncmp(place, real, length) == 0 && place[length] == '/';
}

/*
 * A link is followed within its directory, as a ConfigMap's volume has them: elsewhere, other
 * directories would have to be trusted, too. Not by openat2(): systemd's RestrictSUIDSGID= forbids
 * that. Returns a descriptor, or -1 with errno.
 */
static int open_file(const char *path)
{
	/* O_NONBLOCK: if the file is a FIFO, this must not block the daemon */
	int fd CLEANUP(cleanup_fd) = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return -1;
	if (!is_in_its_directory(fd, path)) {
		errno = EXDEV;
		return -1;
	}
	return STEAL(fd, -1);
}

/* Reads the whole file, and checks that it did not change meanwhile. The caller frees *ret. */
static int read_file(const char *path, char **ret, size_t *size, const struct complaint *c)
{
	char *text CLEANUP(cleanup_free) = NULL;
	int fd CLEANUP(cleanup_fd) = -1;
	struct stat before, after;
	ssize_t n;
	int r;

	fd = open_file(path);
	if (fd < 0 && (errno == EXDEV || errno == ELOOP))
		return config_complain(c, -ELOOP,
		                       "is a symbolic link that leads out of its directory, which "
		                       "is not followed; put the file itself there");
	if (fd < 0)
		return config_complain(c, -errno, "cannot be opened: %s", strerror(errno));
	r = check_file(fd, &before, c);
	if (r < 0)
		return r;
	text = malloc(CONFIG_FILE_MAX + 1);
	if (!text)
		return config_complain(c, -ENOMEM, "out of memory");
	n = read_all(fd, text, CONFIG_FILE_MAX + 1);
	if (n < 0)
		return config_complain(c, (int)n, "cannot be read: %s", strerror((int)-n));
	r = check_file(fd, &after, c);
	if (r < 0)
		return r;
	if (!same_version(&before, &after, n))
		return config_complain(c, -EBUSY, "changed while it was read; try again");
	*ret = STEAL(text, NULL);
	*size = (size_t)n;
	return 0;
}

/* --- All of them --- */

/* The files read so far, with everything owned. */
struct reading {
	struct config_text *files;
	size_t n;
	size_t total;
};

static void reading_finish(struct reading *reading)
{
	for (size_t i = 0; i < reading->n; i++) {
		free((char *)reading->files[i].name);
		free((char *)reading->files[i].text);
	}
	free(reading->files);
}

static int add_file(struct reading *reading, const char *path, const struct complaint *c)
{
	struct config_text *file = &reading->files[reading->n];
	char *text = NULL;
	size_t size = 0;
	int r;

	r = read_file(path, &text, &size, c);
	if (r < 0)
		return r;
	*file = (struct config_text){.name = strdup(path), .text = text, .size = size};
	reading->n++;
	reading->total += size;
	if (!file->name)
		return config_complain(c, -ENOMEM, "out of memory");
	if (reading->total > CONFIG_TOTAL_MAX)
		return config_complain(c, -EFBIG,
		                       "with this file, the configuration is larger than %d bytes",
		                       CONFIG_TOTAL_MAX);
	return 0;
}

static int add_drop_in(struct reading *reading, const char *path, char *error, size_t error_size)
{
	const struct complaint c = {error, error_size, path};
	int r = add_file(reading, path, &c);

	/* The file was removed since it was listed. -ENOENT would mean that there is no
	 * configuration at all. */
	return r == -ENOENT ? -EBUSY : r;
}

int config_load(const char *path, struct config **ret, char *error, size_t error_size)
{
	const struct complaint c = {error, error_size, path};
	struct drop_ins drop_ins CLEANUP(drop_ins_finish) = DROP_INS_NULL;
	struct reading reading CLEANUP(reading_finish) = {0};
	int r;

	r = drop_ins_list(&drop_ins, path, error, error_size);
	if (r < 0)
		return r;
	reading.files = calloc(drop_ins.n + 1, sizeof(*reading.files));
	if (!reading.files)
		return config_complain(&c, -ENOMEM, "out of memory");
	r = add_file(&reading, path, &c);
	if (r < 0 && (r != -ENOENT || drop_ins.n == 0))
		return r;
	for (size_t i = 0; i < drop_ins.n; i++) {
		r = add_drop_in(&reading, drop_ins.paths[i], error, error_size);
		if (r < 0)
			return r;
	}
	return config_parse_all(reading.files, reading.n, ret, error, error_size);
}
