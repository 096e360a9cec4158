/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config/match.h"
#include "config/tables.h"
#include "util/cleanup.h"

#define SUMMARY_INTERVAL_DEFAULT_NS (300 * NSEC_PER_SEC)

/* --- The struct --- */

struct config *config_new(const char *name, size_t n_more)
{
	const struct profile built_in[] = {
	        PROFILE_OFF_INIT,
	        PROFILE_OBSERVE_INIT,
	        PROFILE_INTERACTIVE_INIT,
	        PROFILE_LATENCY_INIT,
	};
	struct config *config CLEANUP(config_cleanup) = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->name = strdup(name);
	config->profiles = calloc(ARRAY_SIZE(built_in) + n_more, sizeof(*config->profiles));
	if (!config->name || !config->profiles)
		return NULL;
	memcpy(config->profiles, built_in, sizeof(built_in));
	config->n_profiles = ARRAY_SIZE(built_in);
	config->default_profile = (size_t)config_find_profile(config, "observe");
	config->host = (struct config_host){
	        .enabled = true,
	        .caps = HOST_CAPS_INIT,
	        .rt_priority = 1,
	        .summary_interval_ns = SUMMARY_INTERVAL_DEFAULT_NS,
	};
	return STEAL(config, NULL);
}

struct config *config_default(void)
{
	return config_new("built-in configuration", 0);
}

static void entries_free(struct config_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++) {
		free(entries->entries[i].key);
		free(entries->entries[i].path);
	}
	free(entries->entries);
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(config->by_match); i++)
		entries_free(&config->by_match[i]);
	free(config->profiles);
	free(config->name);
	free(config);
	return NULL;
}

void config_cleanup(struct config **config)
{
	config_free(*config);
}

/* --- Questions --- */

const struct config_host *config_host(const struct config *config)
{
	return &config->host;
}

long config_find_profile(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_profiles; i++)
		if (strcmp(config->profiles[i].name, name) == 0)
			return (long)i;
	return -1;
}

const struct profile *config_profile(const struct config *config, const char *name)
{
	long i = config_find_profile(config, name);

	return i < 0 ? NULL : &config->profiles[i];
}

int config_compare_keys(const void *a, const void *b)
{
	const struct config_entry *x = a, *y = b;

	if (x->literals != y->literals)
		return x->literals > y->literals ? -1 : 1;
	return strcmp(x->key, y->key);
}

static const struct config_entry *find_key(const struct config_entries *entries, const char *key)
{
	const struct config_entry wanted = {.key = (char *)key};

	if (entries->n == 0)
		return NULL;
	return bsearch(&wanted, entries->entries, entries->n, sizeof(wanted), config_compare_keys);
}

static const struct config_entry *find_glob(const struct config_entries *entries, const char *name)
{
	for (size_t i = 0; i < entries->n; i++)
		if (glob_match(entries->entries[i].key, name))
			return &entries->entries[i];
	return NULL;
}

static const struct config_entry *find_entry(const struct config *config, const char *uuid,
                                             const char *name, enum config_match *match)
{
	const struct config_entry *entry = NULL;
	char canonical[DOMAIN_UUID_LEN];

	*match = CONFIG_MATCH_UUID;
	if (uuid && uuid_canonical(uuid, canonical))
		entry = find_key(&config->by_match[CONFIG_MATCH_UUID], canonical);
	if (!entry && name) {
		*match = CONFIG_MATCH_NAME;
		entry = find_key(&config->by_match[CONFIG_MATCH_NAME], name);
	}
	if (!entry && name) {
		*match = CONFIG_MATCH_GLOB;
		entry = find_glob(&config->by_match[CONFIG_MATCH_GLOB], name);
	}
	return entry;
}

void config_choose(const struct config *config, const char *uuid, const char *name,
                   struct config_choice *ret)
{
	enum config_match match;
	const struct config_entry *entry = find_entry(config, uuid, name, &match);

	*ret = (struct config_choice){.match = CONFIG_MATCH_DEFAULT};
	if (entry) {
		ret->match = match;
		ret->profile = entry->profile;
		snprintf(ret->source, sizeof(ret->source), "%s:%u: %s", config->name, entry->line,
		         entry->path);
		return;
	}
	ret->profile = config->profiles[config->default_profile];
	if (config->default_line > 0)
		snprintf(ret->source, sizeof(ret->source), "%s:%u: .default_profile", config->name,
		         config->default_line);
	else
		snprintf(ret->source, sizeof(ret->source), "%s: no entry, built-in default",
		         config->name);
}

/* --- Files --- */

struct complaint {
	char *buffer;
	size_t size;
	const char *path;
};

static int PRINTF_FORMAT(3, 4) complain(const struct complaint *c, int r, const char *format, ...)
{
	va_list args;
	int n = snprintf(c->buffer, c->size, "%s: ", c->path);

	if (n < 0 || (size_t)n >= c->size)
		return r;
	va_start(args, format);
	vsnprintf(c->buffer + n, c->size - (size_t)n, format, args);
	va_end(args);
	return r;
}

static int check_file(int fd, struct stat *st, const struct complaint *c)
{
	if (fstat(fd, st) < 0)
		return complain(c, -errno, "cannot be examined: %s", strerror(errno));
	if (!S_ISREG(st->st_mode))
		return complain(c, -EINVAL, "is not a regular file");
	if (st->st_mode & S_IWOTH)
		return complain(c, -EPERM,
		                "every user may write this file, so it is not trusted; "
		                "check it, then: chmod o-w '%s'",
		                c->path);
	if (st->st_size > CONFIG_FILE_MAX)
		return complain(c, -EFBIG, "is larger than %d bytes", CONFIG_FILE_MAX);
	return 0;
}

/* Reads until the end or until the buffer is full. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t n = read(fd, buffer + length, size - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	return (ssize_t)length;
}

static bool same_version(const struct stat *a, const struct stat *b, ssize_t length)
{
	return a->st_size == b->st_size && b->st_size == length &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Reads the file once and whole: the caller frees *ret. */
static int read_file(const char *path, char **ret, size_t *size, const struct complaint *c)
{
	char *text CLEANUP(cleanup_free) = NULL;
	int fd CLEANUP(cleanup_fd) = -1;
	struct stat before, after;
	ssize_t n;
	int r;

	/* O_NONBLOCK: a FIFO of this name must not stop the daemon. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return complain(c, -errno, "cannot be opened: %s", strerror(errno));
	r = check_file(fd, &before, c);
	if (r < 0)
		return r;
	text = malloc(CONFIG_FILE_MAX + 1);
	if (!text)
		return complain(c, -ENOMEM, "out of memory");
	n = read_all(fd, text, CONFIG_FILE_MAX + 1);
	if (n < 0)
		return complain(c, (int)n, "cannot be read: %s", strerror((int)-n));
	r = check_file(fd, &after, c);
	if (r < 0)
		return r;
	if (!same_version(&before, &after, n))
		return complain(c, -EBUSY, "was written while it was read; try again");
	*ret = STEAL(text, NULL);
	*size = (size_t)n;
	return 0;
}

int config_load(const char *path, struct config **ret, char *error, size_t error_size)
{
	const struct complaint c = {error, error_size, path};
	char *text CLEANUP(cleanup_free) = NULL;
	size_t size = 0;
	int r;

	r = read_file(path, &text, &size, &c);
	if (r < 0)
		return r;
	return config_parse(path, text, size, ret, error, error_size);
}
