// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/json.h"
#include "util/read_all.h"

/* Policies that this agent speaks: what it writes into a page means the same to each. */
static const char *const policy_names[] = {"pvschedd", "urgent-only"};
#define POLICY_VERSION 1

static const struct settings_user USER_DEFAULTS = {
        .connections_max = 4,
        .rt_priority_max = 99,
        .urgent_permille = 100,
        .looks_per_s = 10000,
};

static void add_policy(struct settings *settings, size_t which)
{
	struct pvsched_channel_policy *policy = &settings->policies[settings->n_policies++];

	*policy = (struct pvsched_channel_policy){.version = POLICY_VERSION};
	memcpy(policy->name, policy_names[which], strlen(policy_names[which]));
}

void settings_init(struct settings *settings)
{
	*settings = (struct settings){
	        .port = PVSCHED_CHANNEL_PORT,
	        .tasks = true,
	        .interrupts = true,
	        .clients_max = SETTINGS_CLIENTS_MAX,
	        .n_users = 1,
	};
	for (size_t i = 0; i < ARRAY_SIZE(policy_names); i++)
		add_policy(settings, i);
	settings->users[0] = USER_DEFAULTS; /* root's uid is 0 */
	settings->users[0].urgent_permille = 1000;
}

static int get_u32(const struct json_value *object, const char *key, int64_t min, int64_t max,
                   uint32_t *ret, struct json_error *error)
{
	int64_t value = *ret;
	int r = json_get_integer(object, key, min, max, &value, error);

	*ret = (uint32_t)value;
	return r;
}

static int parse_channel(const struct json_value *object, struct settings *ret,
                         struct json_error *error)
{
	static const char *const keys[] = {"port"};
	int r = json_check_keys(object, keys, ARRAY_SIZE(keys), error);

	return r ? r : get_u32(object, "port", 1, UINT32_MAX - 1, &ret->port, error);
}

static int parse_policies(const struct json_value *array, struct settings *ret,
                          struct json_error *error)
{
	uint32_t seen = 0;

	if (json_type(array) != JSON_ARRAY)
		return json_fail(array, error, "must be an array of names of policies");
	ret->n_policies = 0;
	JSON_FOREACH(value, array)
	{
		size_t which = 0;
		int r = json_as_word(value, policy_names, ARRAY_SIZE(policy_names), &which, error);

		if (r)
			return r;
		if (seen & (1U << which))
			return json_fail(value, error, "names a policy twice");
		seen |= 1U << which;
		add_policy(ret, which);
	}
	if (ret->n_policies == 0)
		return json_fail(array, error, "must name a policy at least");
	return 0;
}

static int parse_hints(const struct json_value *object, struct settings *ret,
                       struct json_error *error)
{
	static const char *const keys[] = {"tasks", "interrupts"};
	int r = json_check_keys(object, keys, ARRAY_SIZE(keys), error);

	if (r == 0)
		r = json_get_bool(object, "tasks", &ret->tasks, error);
	if (r == 0)
		r = json_get_bool(object, "interrupts", &ret->interrupts, error);
	return r;
}

static int parse_uid(const struct json_value *member, uid_t *ret, struct json_error *error)
{
	const char *key = json_key(member);
	unsigned long uid;
	char *end;

	*ret = (uid_t)-1;
	if (strcmp(key, "*") == 0)
		return 0;
	errno = 0;
	uid = strtoul(key, &end, 10);
	if (key[0] < '0' || key[0] > '9' || *end || errno || uid >= (uid_t)-1 ||
	    (key[0] == '0' && key[1]))
		return json_fail(member, error, "is no user: a key here is a user id, or \"*\"");
	*ret = (uid_t)uid;
	return 0;
}

static int parse_user(const struct json_value *object, struct settings_user *user,
                      struct json_error *error)
{
	static const char *const keys[] = {"connections", "rt_priority_max", "urgent_permille",
	                                   "looks_per_s"};
	int r = json_check_keys(object, keys, ARRAY_SIZE(keys), error);

	if (r == 0)
		r = get_u32(object, "connections", 0, SETTINGS_CLIENTS_MAX, &user->connections_max,
		            error);
	if (r == 0)
		r = get_u32(object, "rt_priority_max", 1, 99, &user->rt_priority_max, error);
	if (r == 0)
		r = get_u32(object, "urgent_permille", 0, 1000, &user->urgent_permille, error);
	if (r == 0)
		r = get_u32(object, "looks_per_s", 1, 1000000, &user->looks_per_s, error);
	return r;
}

static int parse_users(const struct json_value *object, struct settings *ret,
                       struct json_error *error)
{
	int r = json_check_object(object, error);

	if (r)
		return r;
	JSON_FOREACH(member, object)
	{
		struct settings_user user = USER_DEFAULTS;
		struct settings_user *place = &ret->users[ret->n_users];

		if (json_is_annotation(member))
			continue;
		r = parse_uid(member, &user.uid, error);
		if (r)
			return r;
		if (user.uid == 0) { /* the default has it already */
			place = &ret->users[0];
			user = *place;
		} else if (ret->n_users == SETTINGS_USERS_MAX) {
			return json_fail(member, error, "is one user more than %d",
			                 SETTINGS_USERS_MAX);
		} else {
			ret->n_users++;
		}
		r = parse_user(member, &user, error);
		if (r)
			return r;
		*place = user;
	}
	return 0;
}

static int parse_applications(const struct json_value *object, struct settings *ret,
                              struct json_error *error)
{
	static const char *const keys[] = {"connections", "users"};
	const struct json_value *users = json_member(object, "users");
	int r = json_check_keys(object, keys, ARRAY_SIZE(keys), error);

	if (r == 0)
		r = get_u32(object, "connections", 0, SETTINGS_CLIENTS_MAX, &ret->clients_max,
		            error);
	if (r == 0 && users)
		r = parse_users(users, ret, error);
	return r;
}

static int parse_step_aside(const struct json_value *value, struct settings *ret,
                            struct json_error *error)
{
	static const char *const words[] = {"off", "host", "steal", "auto"};
	size_t which = 0;
	int r = json_as_word(value, words, ARRAY_SIZE(words), &which, error);

	ret->step_aside = (enum settings_step_aside)which;
	return r;
}

int settings_parse(const char *text, size_t size, struct settings *ret, struct json_error *error)
{
	static const char *const keys[] = {"channel", "policies", "hints", "applications",
	                                   "step_aside"};
	static int (*const parsers[])(const struct json_value *, struct settings *,
	                              struct json_error *) = {
	        parse_channel, parse_policies, parse_hints, parse_applications, parse_step_aside};
	struct json_doc *doc CLEANUP(json_cleanup) = NULL;
	int r = json_parse(text, size, &doc, error);

	settings_init(ret);
	if (r == 0)
		r = json_check_keys(json_root(doc), keys, ARRAY_SIZE(keys), error);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++) {
		const struct json_value *value = json_member(json_root(doc), keys[i]);

		if (value)
			r = parsers[i](value, ret, error);
	}
	return r;
}

/* Who may write the file can have any program's requests taken. */
static int check_file(int fd, char *why, size_t why_size, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode)) {
		snprintf(why, why_size, "%s: is not a regular file", path);
		return -EINVAL;
	}
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) || (st.st_uid != 0 && st.st_uid != geteuid())) {
		snprintf(why, why_size,
		         "%s: others than root may write it, so it is not trusted; check it, then: "
		         "chown root:root, chmod go-w",
		         path);
		return -EPERM;
	}
	return 0;
}

int settings_load(const char *path, bool must_exist, struct settings *ret, char *why,
                  size_t why_size)
{
	int fd CLEANUP(cleanup_fd) = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text CLEANUP(cleanup_free) = malloc(SETTINGS_FILE_MAX + 1);
	struct json_error error;
	ssize_t n = 0;
	int r = 0;

	settings_init(ret);
	if (fd < 0 && errno == ENOENT && !must_exist)
		return 0;
	why[0] = '\0';
	if (!text)
		r = -ENOMEM;
	else if (fd < 0)
		r = -errno;
	if (r == 0)
		r = check_file(fd, why, why_size, path);
	if (r == 0) {
		n = read_all(fd, text, SETTINGS_FILE_MAX + 1);
		r = n < 0 ? (int)n : n > SETTINGS_FILE_MAX ? -EFBIG : 0;
	}
	if (r < 0) {
		if (!why[0])
			snprintf(why, why_size, "%s: cannot be read: %s", path, strerror(-r));
		return r;
	}
	r = settings_parse(text, (size_t)n, ret, &error);
	if (r < 0)
		json_error_format(&error, path, why, why_size);
	return r;
}

const struct settings_user *settings_user(const struct settings *settings, uid_t uid)
{
	const struct settings_user *others = NULL;

	for (uint32_t i = 0; i < settings->n_users; i++) {
		if (settings->users[i].uid == uid)
			return &settings->users[i];
		if (settings->users[i].uid == (uid_t)-1)
			others = &settings->users[i];
	}
	return others;
}
