// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/aside_irqbalance.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "agent/aside_places.h"
#include "util/cleanup.h"

#define WAIT_US 100000

/* What it receives has at most so many bytes. */
#define MESSAGE_MAX 499

/* "irqbalance713.sock" */
static bool find_socket(const char *directory, struct sockaddr_un *ret)
{
	DIR *dir CLEANUP(cleanup_dir) = opendir(directory);
	const struct dirent *entry;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	while (dir && (entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');
		int n;

		if (strncmp(entry->d_name, "irqbalance", 10) != 0 || !dot ||
		    strcmp(dot, ".sock") != 0)
			continue;
		n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s", directory,
		             entry->d_name);
		if (n > 0 && n < (int)sizeof(ret->sun_path))
			return true;
	}
	return false;
}

/* A connection takes one message. Returns the size of the answer, 0 if there is none; -errno. */
static ssize_t say(const struct sockaddr_un *to, const char *text, char *answer, size_t size)
{
	int fd CLEANUP(cleanup_fd) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval wait = {.tv_usec = WAIT_US};
	ssize_t n;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 ||
	    send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		return -errno;
	n = recv(fd, answer, size - 1, 0);
	if (n < 0)
		return -errno;
	answer[n] = '\0';
	return n;
}

int aside_irqbalance_parse(const char *text, struct cpu_set_bits *ret)
{
	const char *mask = strstr(text, "BANNED ");

	return mask && aside_mask_parse(mask + strlen("BANNED "), ret) == 0 ? 0 : -EBADMSG;
}

enum aside_irqbalance aside_irqbalance_tell(const char *directory,
                                            const struct cpu_set_bits *avoided,
                                            struct cpu_set_bits *prior)
{
	char text[MESSAGE_MAX] = "settings cpus NULL", answer[8192];
	struct cpu_set_bits all = *avoided;
	struct sockaddr_un to;
	ssize_t n;

	*prior = CPU_SET_BITS_NULL;
	if (!find_socket(directory, &to))
		return ASIDE_IRQBALANCE_ABSENT;
	if (!cpu_set_bits_empty(avoided)) {
		n = say(&to, "setup", answer, sizeof(answer));
		if (n == -ECONNREFUSED || n == -ENOENT)
			return ASIDE_IRQBALANCE_ABSENT; /* one that was killed left its socket */
		if (n < 0 || aside_irqbalance_parse(answer, prior) < 0)
			return ASIDE_IRQBALANCE_FAILED;
		for (size_t i = 0; i < CPU_SET_BITS_WORDS; i++)
			all.words[i] |= prior->words[i];
		n = snprintf(text, sizeof(text), "settings cpus ");
		if ((size_t)n + cpulist_format(&all, text + n, sizeof(text) - (size_t)n) >=
		    sizeof(text))
			return ASIDE_IRQBALANCE_FAILED;
	}
	n = say(&to, text, answer, sizeof(answer));
	return n >= 0                               ? ASIDE_IRQBALANCE_TOLD
	       : n == -ECONNREFUSED || n == -ENOENT ? ASIDE_IRQBALANCE_ABSENT
	                                            : ASIDE_IRQBALANCE_FAILED;
}
