// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/state.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/json.h"
#include "util/procfs.h"

#define OVERRIDES_MAX 4096
#define FILE_MAX      (512 * 1024)

struct override {
	char uuid[DOMAIN_UUID_LEN];
	char profile[PROFILE_NAME_MAX];
};

struct state {
	char disabled_path[PATH_MAX];
	char overrides_path[PATH_MAX];
	char running_path[PATH_MAX];
	char breaker_path[PATH_MAX];
	bool disabled;
	struct breaker breaker;
	size_t n_overrides;
	struct override *overrides;
};

/* Writes a file whole or not at all. */
static int write_file(const char *path, const char *text)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char draft[PATH_MAX + 8];
	size_t size = strlen(text);

	snprintf(draft, sizeof(draft), "%s.new", path);
	fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, size) != (ssize_t)size || fsync(fd) < 0)
		return errno ? -errno : -EIO;
	return rename(draft, path) < 0 ? -errno : 0;
}

static int override_add(struct state *state, const char *uuid, const char *profile)
{
	struct override *more;

	if (state->n_overrides >= OVERRIDES_MAX)
		return -ENOSPC;
	more = realloc(state->overrides, (state->n_overrides + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	state->overrides = more;
	snprintf(more[state->n_overrides].uuid, DOMAIN_UUID_LEN, "%s", uuid);
	snprintf(more[state->n_overrides].profile, PROFILE_NAME_MAX, "%s", profile);
	state->n_overrides++;
	return 0;
}

static int overrides_parse(struct state *state, const char *text, size_t size,
                           struct json_error *error)
{
	struct json_doc *doc CLEANUP(json_cleanup) = NULL;
	static const char *const keys[] = {"version", "policies"};
	const struct json_value *policies;
	int64_t version = 1;
	int r;

	r = json_parse(text, size, &doc, error);
	if (r == 0)
		r = json_check_keys(json_root(doc), keys, ARRAY_SIZE(keys), error);
	if (r == 0)
		r = json_get_integer(json_root(doc), "version", 1, 1, &version, error);
	if (r < 0)
		return r;
	policies = json_member(json_root(doc), "policies");
	if (!policies)
		return 0;
	r = json_check_object(policies, error);
	if (r < 0)
		return r;
	JSON_FOREACH(member, policies)
	{
		const char *profile;

		r = json_as_string(member, &profile, error);
		if (r == 0 && (strlen(json_key(member)) != DOMAIN_UUID_LEN - 1 ||
		               strlen(profile) >= PROFILE_NAME_MAX))
			r = json_fail(member, error, "not a uuid and a profile's name");
		if (r == 0)
			r = override_add(state, json_key(member), profile);
		if (r < 0)
			return r;
	}
	return 0;
}

static int overrides_load(struct state *state, char *warning, size_t warning_size)
{
	CLEANUP(cleanup_free) char *text = malloc(FILE_MAX);
	char aside[PATH_MAX + 8];
	struct json_error error = JSON_ERROR_NULL;
	ssize_t size;
	int r;

	if (!text)
		return -ENOMEM;
	size = procfs_read_file(state->overrides_path, text, FILE_MAX);
	if (size < 0)
		return size == -ENOENT ? 0 : (int)size;
	r = overrides_parse(state, text, (size_t)size, &error);
	if (r != -EBADMSG)
		return r;
	json_error_format(&error, state->overrides_path, warning, warning_size);
	snprintf(aside, sizeof(aside), "%s.bad", state->overrides_path);
	state->n_overrides = 0;
	return rename(state->overrides_path, aside) < 0 ? -errno : 0;
}

static int overrides_save(const struct state *state)
{
	cJSON *root = cJSON_CreateObject(), *policies;
	CLEANUP(cleanup_free) char *text = NULL;

	cJSON_AddNumberToObject(root, "version", 1);
	policies = cJSON_AddObjectToObject(root, "policies");
	for (size_t i = 0; i < state->n_overrides; i++)
		cJSON_AddStringToObject(policies, state->overrides[i].uuid,
		                        state->overrides[i].profile);
	text = cJSON_Print(root);
	cJSON_Delete(root);
	return text ? write_file(state->overrides_path, text) : -ENOMEM;
}

/*
 * The breaker's file, of this boot since /run is new: state, how often it opened in a row, since
 * when, then the times of unclean ends and of the guardian's acts. A file that does not read like
 * that counts as none.
 */
static void breaker_load(struct state *state)
{
	CLEANUP(cleanup_file) FILE *f = fopen(state->breaker_path, "re");
	struct breaker breaker = {0};
	unsigned int which;

	if (!f ||
	    fscanf(f, "%u %" SCNu32 " %" SCNu64, &which, &breaker.opened, &breaker.since_ns) != 3 ||
	    which > BREAKER_HALF_OPEN)
		return;
	breaker.state = (enum breaker_state)which;
	for (size_t i = 0; i < BREAKER_ENDS; i++)
		if (fscanf(f, "%" SCNu64, &breaker.ends_ns[i]) != 1)
			return;
	for (size_t i = 0; i < BREAKER_ACTS; i++)
		if (fscanf(f, "%" SCNu64, &breaker.acts_ns[i]) != 1)
			return;
	state->breaker = breaker;
}

static int breaker_save(const struct state *state)
{
	const struct breaker *breaker = &state->breaker;
	char text[1024];
	size_t n = (size_t)snprintf(text, sizeof(text), "%d %" PRIu32 " %" PRIu64, breaker->state,
	                            breaker->opened, breaker->since_ns);

	for (size_t i = 0; i < BREAKER_ENDS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " %" PRIu64, breaker->ends_ns[i]);
	for (size_t i = 0; i < BREAKER_ACTS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " %" PRIu64, breaker->acts_ns[i]);
	return write_file(state->breaker_path, text);
}

int state_open(struct state **ret, const char *runtime_dir, const char *state_dir, char *warning,
               size_t warning_size)
{
	struct state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return -ENOMEM;
	*warning = '\0';
	snprintf(state->disabled_path, PATH_MAX, "%s/disabled", state_dir);
	snprintf(state->overrides_path, PATH_MAX, "%s/policies.json", state_dir);
	snprintf(state->running_path, PATH_MAX, "%s/running", runtime_dir);
	snprintf(state->breaker_path, PATH_MAX, "%s/breaker", runtime_dir);
	state->disabled = access(state->disabled_path, F_OK) == 0;
	breaker_load(state);
	r = overrides_load(state, warning, warning_size);
	if (r < 0) {
		state_free(state);
		return r;
	}
	*ret = state;
	return 0;
}

struct state *state_free(struct state *state)
{
	if (!state)
		return NULL;
	free(state->overrides);
	free(state);
	return NULL;
}

bool state_disabled(const struct state *state)
{
	return state->disabled;
}

int state_set_disabled(struct state *state, bool disabled)
{
	int r = 0;

	if (disabled)
		r = write_file(state->disabled_path, "");
	else if (unlink(state->disabled_path) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0)
		state->disabled = disabled;
	return r;
}

int state_begin(struct state *state, bool *unclean)
{
	*unclean = access(state->running_path, F_OK) == 0;
	return write_file(state->running_path, "");
}

const struct breaker *state_breaker(const struct state *state)
{
	return &state->breaker;
}

int state_set_breaker(struct state *state, const struct breaker *breaker)
{
	state->breaker = *breaker;
	return breaker_save(state);
}

int state_end_cleanly(struct state *state)
{
	return unlink(state->running_path) < 0 && errno != ENOENT ? -errno : 0;
}

const char *state_override(const struct state *state, const char *uuid)
{
	for (size_t i = 0; i < state->n_overrides; i++)
		if (strcasecmp(state->overrides[i].uuid, uuid) == 0)
			return state->overrides[i].profile;
	return NULL;
}

int state_set_override(struct state *state, const char *uuid, const char *profile)
{
	for (size_t i = 0; i < state->n_overrides; i++) {
		if (strcasecmp(state->overrides[i].uuid, uuid) != 0)
			continue;
		state->overrides[i] = state->overrides[--state->n_overrides];
		break;
	}
	if (profile) {
		int r = override_add(state, uuid, profile);

		if (r < 0)
			return r;
	}
	return overrides_save(state);
}
