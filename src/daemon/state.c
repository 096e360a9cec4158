// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/policies_file.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/procfs.h"

/* That a domain runs is written down once a day. */
#define DAY_S (24 * 3600)

struct state {
	char disabled_path[PATH_MAX];
	char policies_path[PATH_MAX];
	char running_path[PATH_MAX];
	char breaker_path[PATH_MAX];
	bool disabled;
	struct breaker breaker;
	struct policies policies;
	bool policies_changed; /* by state_domain_runs(), and not saved yet */
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

static int policies_load(struct state *state, char *warning, size_t warning_size)
{
	CLEANUP(cleanup_free) char *text = malloc(POLICIES_FILE_MAX);
	char aside[PATH_MAX + 8];
	struct json_error error = JSON_ERROR_NULL;
	ssize_t size;
	int r;

	if (!text)
		return -ENOMEM;
	size = procfs_read_file(state->policies_path, text, POLICIES_FILE_MAX);
	if (size < 0)
		return size == -ENOENT ? 0 : (int)size;
	r = policies_parse(text, (size_t)size, &state->policies, &error);
	if (r != -EBADMSG)
		return r;
	json_error_format(&error, state->policies_path, warning, warning_size);
	snprintf(aside, sizeof(aside), "%s.bad", state->policies_path);
	policies_finish(&state->policies);
	return rename(state->policies_path, aside) < 0 ? -errno : 0;
}

static int policies_save(const struct state *state)
{
	CLEANUP(cleanup_free) char *text = policies_print(&state->policies);

	return text ? write_file(state->policies_path, text) : -ENOMEM;
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
	snprintf(state->policies_path, PATH_MAX, "%s/policies.json", state_dir);
	snprintf(state->running_path, PATH_MAX, "%s/running", runtime_dir);
	snprintf(state->breaker_path, PATH_MAX, "%s/breaker", runtime_dir);
	state->disabled = access(state->disabled_path, F_OK) == 0;
	breaker_load(state);
	r = policies_load(state, warning, warning_size);
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
	policies_finish(&state->policies);
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

/* ---- policies that persist ---- */

/* The calendar, since these days outlive a boot. Nothing is decided by it but what is dropped. */
static int64_t today_s(void)
{
	return (int64_t)time(NULL);
}

const struct policy_entry *state_policy(const struct state *state, const char *uuid)
{
	return policies_find(&state->policies, uuid);
}

const struct policies *state_policies(const struct state *state)
{
	return &state->policies;
}

int64_t state_ago_s(int64_t day_s)
{
	int64_t now_s = today_s();

	return day_s <= 0 ? -1 : now_s > day_s ? now_s - day_s : 0;
}

/* The one whose domain has not run, or that was not set, for the longest. */
static const struct policy_entry *stalest(const struct policies *policies)
{
	const struct policy_entry *found = NULL;

	for (size_t i = 0; i < policies->n; i++) {
		const struct policy_entry *p = &policies->entries[i];

		if (!found || MAX(p->set_s, p->ran_s) < MAX(found->set_s, found->ran_s))
			found = p;
	}
	return found;
}

/* What one command says of a domain leaves what another one says. */
static struct policy_entry merge(const struct policy_entry *there,
                                 const struct policy_entry *policy)
{
	struct policy_entry ret = *policy;

	if (there && !policy->policy[0])
		memcpy(ret.policy, there->policy, sizeof(ret.policy));
	if (there && !policy->profile[0]) {
		memcpy(ret.profile, there->profile, sizeof(ret.profile));
		ret.share_permille = there->share_permille;
		ret.burst_ns = there->burst_ns;
	}
	return ret;
}

int state_keep_policy(struct state *state, const struct policy_entry *policy,
                      struct policy_entry *dropped)
{
	struct policy_entry entry = merge(policies_find(&state->policies, policy->uuid), policy);
	int r;

	*dropped = (struct policy_entry){0};
	entry.set_s = today_s();
	if (state->policies.n >= POLICIES_MAX && !policies_find(&state->policies, entry.uuid)) {
		*dropped = *stalest(&state->policies);
		policies_remove(&state->policies, dropped->uuid);
	}
	r = policies_put(&state->policies, &entry);
	return r < 0 ? r : policies_save(state);
}

int state_drop_policy(struct state *state, const char *uuid)
{
	if (!policies_remove(&state->policies, uuid))
		return 0;
	return policies_save(state) < 0 ? -EIO : 1;
}

int state_unassign(struct state *state, const char *uuid)
{
	if (!policies_drop_policy(&state->policies, uuid))
		return 0;
	return policies_save(state) < 0 ? -EIO : 1;
}

void state_domain_runs(struct state *state, const char *uuid, const char *name)
{
	struct policy_entry *policy = policies_find(&state->policies, uuid);
	int64_t now_s;

	if (!policy)
		return;
	now_s = today_s();
	if (strcmp(policy->name, name) == 0 && now_s - policy->ran_s < DAY_S)
		return;
	snprintf(policy->name, sizeof(policy->name), "%s", name);
	policy->ran_s = now_s;
	state->policies_changed = true;
}

void state_save_runs(struct state *state)
{
	if (state->policies_changed)
		policies_save(state); /* if not, the day is lost and nothing else */
	state->policies_changed = false;
}
