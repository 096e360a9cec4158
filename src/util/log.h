/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Messages for people: structured fields to the journal where stderr is the journal, plain lines to
 * stderr elsewhere. A function either logs or returns an error, never both. Never called by the
 * booster thread, the guardian or the policy.
 */

#include <syslog.h>

#include "util/base.h"

/** The subject of a message; NULL (or -1) members are left out of the record. */
struct log_context {
	const char *domain;     /* PVSCHED_DOMAIN; escaped before it is printed */
	int vcpu;               /* PVSCHED_VCPU, or -1 */
	const char *reason;     /* PVSCHED_REASON */
	const char *message_id; /* MESSAGE_ID: 32 hex digits, see log_ids.h */
};

/** Chooses the least severe level that is written (LOG_INFO at start; LOG_DEBUG for -v). */
void log_set_level(int level);

/**
 * Writes one message. Control characters in it are escaped, since names come from outside. @ctx may
 * be NULL. Lines beyond 300 in 10 s are only counted, and the count is written later.
 */
void log_write(int level, const struct log_context *ctx, const char *format, ...)
        PRINTF_FORMAT(3, 4);

#define log_error(...)   log_write(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_DEBUG, NULL, __VA_ARGS__)
