/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "util/procfs_parse.h"

#include <errno.h>
#include <string.h>

/** A piece of a text that no NUL ends. */
struct span {
	const char *at;
	size_t size;
};

/** Takes what is before @separator, or all, off *rest. Returns false when *rest is empty. */
static bool span_take(struct span *rest, char separator, struct span *ret)
{
	const char *end;

	if (rest->size == 0)
		return false;
	end = memchr(rest->at, separator, rest->size);
	ret->at = rest->at;
	ret->size = end ? (size_t)(end - rest->at) : rest->size;
	rest->at += ret->size + (end ? 1 : 0);
	rest->size -= ret->size + (end ? 1 : 0);
	return true;
}

static bool span_is(const struct span *span, const char *word)
{
	return span->size == strlen(word) && memcmp(span->at, word, span->size) == 0;
}

/** Reads an unsigned decimal number that fills the whole span. */
static bool span_number(const struct span *span, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i;

	if (span->size == 0)
		return false;
	for (i = 0; i < span->size; i++) {
		unsigned int digit = (unsigned char)span->at[i] - (unsigned int)'0';

		if (digit > 9 || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

/** True if @word is one of the comma-separated words of @list. */
static bool span_lists(struct span list, const char *word)
{
	struct span one;

	while (span_take(&list, ',', &one))
		if (span_is(&one, word))
			return true;
	return false;
}

static void copy_cut(char *to, size_t to_size, const struct span *from)
{
	size_t size = MIN(from->size, to_size - 1);

	memcpy(to, from->at, size);
	to[size] = '\0';
}

/* Fields are numbered as in proc(5); the name is field 2. */
#define FIELD_STATE 3
#define FIELD_PPID  4
#define FIELD_FLAGS 9
#define FIELD_START 22

static bool parse_stat_field(int field, const struct span *value, struct procfs_stat *ret)
{
	uint64_t number;

	switch (field) {
	case FIELD_STATE:
		if (value->size != 1)
			return false;
		ret->state = value->at[0];
		return true;
	case FIELD_PPID:
		if (!span_number(value, INT32_MAX, &number))
			return false;
		ret->ppid = (pid_t)number;
		return true;
	case FIELD_FLAGS:
		if (!span_number(value, UINT32_MAX, &number))
			return false;
		ret->flags = (unsigned int)number;
		return true;
	case FIELD_START:
		return span_number(value, UINT64_MAX, &ret->start_ticks);
	default: /* a field of no interest */
		return true;
	}
}

int procfs_parse_stat(const char *text, size_t size, struct procfs_stat *ret)
{
	struct span rest = {text, size}, value, comm;
	const char *open, *close;
	uint64_t pid;
	int field;

	*ret = (struct procfs_stat){0};
	/* The last ')' ends the name: the name itself may hold any number of them. */
	open = size ? memchr(text, '(', size) : NULL;
	close = size ? memrchr(text, ')', size) : NULL;
	if (!open || !close || close < open || open == text || open[-1] != ' ')
		return -EBADMSG;
	value = (struct span){text, (size_t)(open - text) - 1};
	if (!span_number(&value, INT32_MAX, &pid))
		return -EBADMSG;
	ret->pid = (pid_t)pid;
	comm = (struct span){open + 1, (size_t)(close - open) - 1};
	copy_cut(ret->comm, sizeof(ret->comm), &comm);
	rest.size -= (size_t)(close - text) + 1;
	rest.at = close + 1;
	if (rest.size == 0 || rest.at[0] != ' ')
		return -EBADMSG;
	rest.at++;
	rest.size--;
	for (field = FIELD_STATE; field <= FIELD_START; field++)
		if (!span_take(&rest, ' ', &value) || !parse_stat_field(field, &value, ret))
			return -EBADMSG;
	return 0;
}

/** Splits one line of a cgroup file, "ID:CONTROLLERS:PATH"; the path may hold colons. */
static bool split_cgroup_line(struct span line, struct span *controllers, struct span *path)
{
	struct span id;
	uint64_t number;

	if (!span_take(&line, ':', &id) || !span_number(&id, INT32_MAX, &number))
		return false;
	if (!span_take(&line, ':', controllers))
		return false;
	*path = line;
	return path->size > 0 && path->at[0] == '/';
}

int procfs_parse_cgroup(const char *text, size_t size, enum procfs_cgroup_kind *kind, char *path,
                        size_t path_size)
{
	struct span rest = {text, size}, line, controllers, at, found = {0};

	while (span_take(&rest, '\n', &line)) {
		if (!split_cgroup_line(line, &controllers, &at))
			return -EBADMSG;
		if (span_lists(controllers, "cpu")) {
			found = at;
			*kind = PROCFS_CGROUP_V1;
			break;
		}
		if (controllers.size == 0) {
			found = at;
			*kind = PROCFS_CGROUP_V2;
		}
	}
	if (!found.at)
		return -ENOENT;
	if (found.size >= path_size)
		return -ENAMETOOLONG;
	if (memchr(found.at, '\0', found.size))
		return -EBADMSG;
	copy_cut(path, path_size, &found);
	return 0;
}

/** Undoes the "\040" escapes of the kernel in place. */
static void unescape_octal(char *text)
{
	char *to = text;
	const char *from = text;

	while (*from) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
		    from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
			*to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 +
			               (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/** One line of a mountinfo file, see proc(5). */
struct mount_line {
	struct span id;
	struct span root;
	struct span point;
	struct span type;
	struct span super_options;
};

static bool split_mount_line(struct span line, struct mount_line *ret)
{
	struct span field;
	int i;

	if (!span_take(&line, ' ', &ret->id))
		return false;
	for (i = 0; i < 2; i++) /* parent ID, major:minor */
		if (!span_take(&line, ' ', &field))
			return false;
	if (!span_take(&line, ' ', &ret->root) || !span_take(&line, ' ', &ret->point))
		return false;
	do { /* mount options, then any number of optional fields up to a "-" */
		if (!span_take(&line, ' ', &field))
			return false;
	} while (!span_is(&field, "-"));
	return span_take(&line, ' ', &ret->type) && span_take(&line, ' ', &field) &&
	       span_take(&line, ' ', &ret->super_options);
}

unsigned int procfs_levels_up(const char *group, const char **rest)
{
	unsigned int n = 0;

	while (strncmp(group, "/..", 3) == 0 && (group[3] == '/' || group[3] == '\0')) {
		group += 3;
		n++;
	}
	*rest = group;
	return n;
}

/** The levels of a mount that shows the whole hierarchy, or all above our namespace; -1: neither.
 */
static int root_levels(const struct span *root)
{
	char path[PROCFS_MOUNT_MAX];
	const char *rest;
	unsigned int n;

	if (span_is(root, "/"))
		return 0;
	if (root->size >= sizeof(path))
		return -1;
	copy_cut(path, sizeof(path), root);
	n = procfs_levels_up(path, &rest);
	return n > 0 && *rest == '\0' ? (int)n : -1;
}

static bool mount_is(const struct mount_line *mount, enum procfs_cgroup_kind kind)
{
	if (kind == PROCFS_CGROUP_V2)
		return span_is(&mount->type, "cgroup2");
	return span_is(&mount->type, "cgroup") && span_lists(mount->super_options, "cpu");
}

int procfs_parse_cgroup_mount(const char *text, size_t size, enum procfs_cgroup_kind kind,
                              struct procfs_cgroup_mount *ret)
{
	struct span rest = {text, size}, line;
	int levels, most = -1, r = -ENOENT;

	while (span_take(&rest, '\n', &line)) {
		struct mount_line mount;

		if (!split_mount_line(line, &mount) || !mount_is(&mount, kind))
			continue;
		levels = root_levels(&mount.root);
		if (levels <= most)
			continue;
		if (mount.point.size >= sizeof(ret->point)) {
			r = r == 0 ? 0 : -ENAMETOOLONG;
			continue;
		}
		ret->levels_up = (unsigned int)levels;
		copy_cut(ret->point, sizeof(ret->point), &mount.point);
		unescape_octal(ret->point);
		most = levels;
		r = 0;
	}
	return r;
}

int procfs_parse_read_only(const char *text, size_t size, uint64_t mount)
{
	struct span rest = {text, size}, line;

	while (span_take(&rest, '\n', &line)) {
		struct mount_line found;
		uint64_t id;

		if (split_mount_line(line, &found) && span_number(&found.id, UINT64_MAX, &id) &&
		    id == mount)
			return span_lists(found.super_options, "ro");
	}
	return -ENOENT;
}

/** The value of hidepid in mount options. */
static int parse_hidepid(struct span options)
{
	static const struct {
		const char *option;
		int value;
	} values[] = {
	        {"hidepid=1", 1},         {"hidepid=noaccess", 1},   {"hidepid=2", 2},
	        {"hidepid=invisible", 2}, {"hidepid=ptraceable", 4}, {"hidepid=4", 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (span_lists(options, values[i].option))
			return values[i].value;
	return 0;
}

int procfs_parse_hidepid(const char *text, size_t size)
{
	struct span rest = {text, size}, line;
	int r = -ENOENT;

	while (span_take(&rest, '\n', &line)) {
		struct mount_line mount;

		if (split_mount_line(line, &mount) && span_is(&mount.point, "/proc") &&
		    span_is(&mount.type, "proc"))
			r = parse_hidepid(mount.super_options);
	}
	return r;
}

const char *procfs_next_argument(const char **at, const char *end)
{
	const char *argument = *at;
	const char *nul = argument < end ? memchr(argument, '\0', (size_t)(end - argument)) : NULL;

	if (!nul)
		return NULL;
	*at = nul + 1;
	return argument;
}

/** The four numbers behind "Uid:". */
static int parse_uid_line(struct span *rest, uid_t ret[static PROCFS_UIDS])
{
	struct span word;
	uint64_t value;
	size_t i;

	for (i = 0; i < PROCFS_UIDS; i++) {
		if (!span_take(rest, '\t', &word) || !span_number(&word, UINT32_MAX, &value))
			return -EBADMSG;
		ret[i] = (uid_t)value;
	}
	return rest->size == 0 ? 0 : -EBADMSG;
}

/** Finds the line of a status file that begins with @name; *ret is the rest of that line. */
static bool find_status_line(const char *text, size_t size, const char *name, struct span *ret)
{
	struct span rest = {text, size}, word;

	/* Before it, a process chooses only its name, in which line breaks are escaped. */
	while (span_take(&rest, '\n', ret)) {
		if (span_take(ret, '\t', &word) && span_is(&word, name))
			return true;
	}
	return false;
}

int procfs_parse_process(const char *text, size_t size, pid_t *ret)
{
	struct span line;
	uint64_t value;

	if (!find_status_line(text, size, "Tgid:", &line) || !span_number(&line, INT32_MAX, &value))
		return -EBADMSG;
	*ret = (pid_t)value;
	return 0;
}

int procfs_parse_uids(const char *text, size_t size, uid_t ret[static PROCFS_UIDS])
{
	struct span line;

	return find_status_line(text, size, "Uid:", &line) ? parse_uid_line(&line, ret) : -EBADMSG;
}

bool procfs_is_option(const char *argument, const char *name)
{
	if (argument[0] != '-')
		return false;
	argument += argument[1] == '-' ? 2 : 1;
	return strcmp(argument, name) == 0;
}
