// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/complaint.h"

#include <stdarg.h>
#include <stdio.h>

int config_complain(const struct complaint *c, int r, const char *format, ...)
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
