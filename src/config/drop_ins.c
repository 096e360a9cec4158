/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/drop_ins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "config/complaint.h"
#include "config/config.h"
#include "config/trust.h"
#include "util/cleanup.h"
#include "util/procfs.h"

#define DIRECTORY "pvschedd.d"
#define SUFFIX    ".json"

void drop_ins_finish(struct drop_ins *drop_ins)
{
	for (size_t i = 0; i < drop_ins->n; i++)
		free(drop_ins->paths[i]);
	free(drop_ins->paths);
}

static bool is_drop_in(const char *name)
{
	size_t n = strlen(name), n_suffix = strlen(SUFFIX);

	return name[0] != '.' && n > n_suffix && strcmp(name + n - n_suffix, SUFFIX) == 0;
}

/* Names appear in messages, in the journal and in JSON. */
static bool is_showable(const char *name)
{
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || *name == '"' || *name == '\\')
			return false;
	return true;
}

/* What is looked for among all mounts. */
struct mount_search {
	uint64_t id;
	bool read_only;
};

static void look_for_mount(const char *text, size_t size, void *userdata)
{
	struct mount_search *search = userdata;

	if (procfs_parse_read_only(text, size, search->id) > 0)
		search->read_only = true;
}

/*
 * True if the file system is read-only as a whole: then it cannot be written, whatever the mode
 * says. One that is only mounted read-only here may be written elsewhere.
 */
static bool is_read_only(int fd)
{
	struct mount_search search = {0};
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
		return false;
	search.id = st.stx_mnt_id;
	procfs_each_lines("/proc/self/mountinfo", look_for_mount, &search);
	return search.read_only;
}

/* chmod would be refused where the directory is mounted read-only. */
static int refuse_writable(int fd, const struct complaint *c)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_RDONLY))
		return config_complain(
		        c, -EPERM,
		        "every user may write this directory where it is not mounted "
		        "read-only as here, so it is not trusted; copy its files to a "
		        "directory that only root may write, and give --config");
	return config_complain(c, -EPERM,
	                       "every user may write this directory, so it is not trusted; check "
	                       "it, then: chmod o-w '%s'",
	                       c->path);
}

static int check_directory(int fd, const struct complaint *c)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return config_complain(c, -errno, "cannot be examined: %s", strerror(errno));
	/* as of a volume with a Kubernetes ConfigMap or Secret, whose mode is 1777 */
	if ((st.st_mode & S_IWOTH) && !is_read_only(fd))
		return refuse_writable(fd, c);
	st.st_mode &= ~(mode_t)S_IWOTH;
	return config_check_trust(&st, "directory", c);
}

static int open_directory(DIR **ret, const struct complaint *c)
{
	int fd = open(c->path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return config_complain(c, -errno, "cannot be opened: %s", strerror(errno));
	r = check_directory(fd, c);
	if (r == 0) {
		*ret = fdopendir(fd);
		if (*ret)
			return 0;
		r = config_complain(c, -errno, "cannot be read: %s", strerror(errno));
	}
	close_fd(fd);
	return r;
}

static int add(struct drop_ins *drop_ins, const char *name, const struct complaint *c)
{
	if (!is_showable(name))
		return config_complain(c, -EINVAL,
		                       "a file name in it has a character that is not printable "
		                       "ASCII, or a blank, quote or backslash; rename the file");
	if (drop_ins->n == CONFIG_DROP_INS_MAX)
		return config_complain(c, -E2BIG, "has more than %d files; merge some of them",
		                       CONFIG_DROP_INS_MAX);
	if (asprintf(&drop_ins->paths[drop_ins->n], "%s/%s", c->path, name) < 0)
		return config_complain(c, -ENOMEM, "out of memory");
	drop_ins->n++;
	return 0;
}

static int read_names(struct drop_ins *drop_ins, DIR *dir, const struct complaint *c)
{
	struct dirent *entry;
	int r = 0;

	drop_ins->paths = calloc(CONFIG_DROP_INS_MAX, sizeof(*drop_ins->paths));
	if (!drop_ins->paths)
		return config_complain(c, -ENOMEM, "out of memory");
	while (r == 0) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		if (is_drop_in(entry->d_name))
			r = add(drop_ins, entry->d_name, c);
	}
	if (r == 0 && errno)
		r = config_complain(c, -errno, "cannot be read: %s", strerror(errno));
	return r;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int drop_ins_list(struct drop_ins *ret, const char *path, char *error, size_t error_size)
{
	struct drop_ins drop_ins CLEANUP(drop_ins_finish) = DROP_INS_NULL;
	char *directory CLEANUP(cleanup_free) = NULL;
	DIR *dir CLEANUP(cleanup_dir) = NULL;
	const char *slash = strrchr(path, '/');
	struct complaint c = {error, error_size, DIRECTORY};
	int r;

	if (asprintf(&directory, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, DIRECTORY) <
	    0) {
		directory = NULL;
		return config_complain(&c, -ENOMEM, "out of memory");
	}
	c.path = directory;
	r = open_directory(&dir, &c);
	if (r < 0 || !dir)
		return r;
	r = read_names(&drop_ins, dir, &c);
	if (r < 0)
		return r;
	qsort(drop_ins.paths, drop_ins.n, sizeof(*drop_ins.paths), compare_paths);
	*ret = STEAL(drop_ins, DROP_INS_NULL);
	return 0;
}
