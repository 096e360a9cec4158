/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct terminal terminal_of(FILE *out)
{
	const char *no_color = getenv("NO_COLOR"), *type = getenv("TERM");
	struct winsize size;

	if (!isatty(fileno(out)))
		return (struct terminal){0};
	if (ioctl(fileno(out), TIOCGWINSZ, &size) < 0)
		size.ws_col = 0;
	return (struct terminal){
	        .columns = size.ws_col,
	        .colors = (!no_color || !no_color[0]) && type && strcmp(type, "dumb") != 0,
	};
}
