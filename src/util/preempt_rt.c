// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/preempt_rt.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/base.h"
#include "util/cleanup.h"

#define PATH_SIZE 1024

static bool read_text(const char *root, const char *name, char *text, size_t size)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char path[PATH_SIZE];
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s%s", root, name) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

static bool has_word(char *text, const char *wanted)
{
	char *rest;

	for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
		if (strcmp(word, wanted) == 0)
			return true;
	return false;
}

enum preempt_rt preempt_rt_look(const char *root)
{
	char text[256];

	if (read_text(root, "/sys/kernel/realtime", text, sizeof(text)) && text[0] == '1')
		return PREEMPT_RT_YES;
	if (!read_text(root, "/proc/sys/kernel/version", text, sizeof(text)))
		return PREEMPT_RT_UNKNOWN;
	return has_word(text, "PREEMPT_RT") ? PREEMPT_RT_YES : PREEMPT_RT_NO;
}
