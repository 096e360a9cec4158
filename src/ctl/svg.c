// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/svg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/escape.h"

FILE *svg_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && !out)
		close_fd(fd);
	return out;
}

int svg_close(FILE *out)
{
	bool failed = ferror(out);

	if (fclose(out) != 0)
		return -errno;
	return failed ? -EIO : 0;
}

void svg_text(const char *text, FILE *out)
{
	size_t size = ESCAPE_SIZE(strlen(text));
	CLEANUP(cleanup_free) char *plain = malloc(size);

	if (!plain)
		return;
	escape_text(text, plain, size);
	for (const char *c = plain; *c; c++) {
		if (strncmp(c, "\xef\xbf\xbe", 3) == 0 || strncmp(c, "\xef\xbf\xbf", 3) == 0) {
			fputc('?', out);
			c += 2;
		} else if (*c == '&') {
			fputs("&amp;", out);
		} else if (*c == '<') {
			fputs("&lt;", out);
		} else if (*c == '>') {
			fputs("&gt;", out);
		} else {
			fputc(*c, out);
		}
	}
}
