/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/qemu.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "util/procfs.h"

/** Makes the path of a file that libvirt keeps for a domain. */
static int domain_file(char *path, const char *run_dir, const char *name, const char *suffix)
{
	int n;

	if (*name == '\0' || strchr(name, '/'))
		return -EINVAL;
	n = snprintf(path, PATH_MAX, "%s/libvirt/qemu/%s%s", run_dir, name, suffix);
	return n < PATH_MAX ? 0 : -EINVAL;
}

/** The PID in NAME.pid, or 0 if it cannot be read. */
static pid_t read_pid_file(const char *path)
{
	char text[32], *end;
	ssize_t n = procfs_read_file(path, text, sizeof(text));
	unsigned long pid;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	errno = 0;
	pid = strtoul(text, &end, 10);
	if (errno || end == text || (*end && *end != '\n') || pid > INT32_MAX)
		return 0;
	return (pid_t)pid;
}

/** Fills *qemu if @pid runs for the domain. Its start time must not change during the look. */
static int verify(pid_t pid, const struct qemu_query *query, struct thread_id *qemu,
                  struct cmdline_facts *facts)
{
	struct thread_id id = {.tid = pid};
	int r;

	if (procfs_start_ticks(pid, pid, &id.start_ticks) < 0)
		return -ESRCH;
	r = cmdline_get(query->cmdlines, &id, facts);
	if (r == -ETIMEDOUT || r == -EBUSY || r == -EAGAIN || r == -ENOMEM)
		return r;
	if (r < 0 || strcmp(facts->uuid_option, query->uuid) != 0)
		return -ESRCH;
	if (!thread_id_is_current(&id))
		return -ESRCH;
	cmdline_keep(query->cmdlines, &id, facts);
	*qemu = id;
	return 0;
}

/** Reads the status file. *ret is NULL (no error) if it is unreadable or not about @uuid. */
static int read_status(const char *path, const char *uuid, struct status_file **ret)
{
	CLEANUP(status_file_cleanup) struct status_file *status = NULL;
	struct xml_error error;
	int r = status_file_read(path, &status, &error);

	*ret = NULL;
	if (r == -EBADMSG && error.text[0])
		log_debug("%s: %s; the groups of threads tell which are vCPUs", path, error.text);
	if (r == -ENOMEM)
		return r;
	if (r == 0 && strcmp(status->uuid, uuid) == 0)
		*ret = STEAL(status, NULL);
	return 0;
}

int qemu_find(const struct qemu_query *query, struct thread_id *qemu, struct cmdline_facts *facts,
              struct status_file **ret)
{
	CLEANUP(status_file_cleanup) struct status_file *status = NULL;
	char path[PATH_MAX];
	pid_t pid;
	int r = domain_file(path, query->run_dir, query->name, ".xml");

	if (r < 0)
		return r;
	r = read_status(path, query->uuid, &status);
	if (r < 0)
		return r;
	r = domain_file(path, query->run_dir, query->name, ".pid");
	if (r < 0)
		return r;
	pid = read_pid_file(path);
	if (status && status->qemu) {
		if (pid && pid != status->qemu)
			return -ESRCH;
		pid = status->qemu;
	}
	if (pid == 0)
		return -ESRCH;
	r = verify(pid, query, qemu, facts);
	if (r < 0)
		return r;
	*ret = STEAL(status, NULL);
	return 0;
}
