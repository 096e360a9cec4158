/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A log that counts its lines and drops them. */

#include "util/log.h"

static unsigned int n_logged;

void log_write(int level, const struct log_context *ctx, const char *format, ...)
{
	(void)level;
	(void)ctx;
	(void)format;
	n_logged++;
}
