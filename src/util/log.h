/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Messages for people: structured fields to the journal where stderr is the journal, plain lines to
 * stderr elsewhere. A function either logs or returns an error, never both. Never called by the
 * booster thread, the guardian or the policy.
 */

#include <syslog.h>

#include "util/base.h"

/** A figure or a word for programs, beside the message. */
struct log_field {
	const char *name; /* "PVSCHED_...": upper case, digits, underscores; LOG_FIELD_NAME_MAX */
	const char *text; /* NULL: it is a number */
	uint64_t number;
};

#define LOG_FIELD_NAME_MAX 40
#define LOG_FIELDS_MAX     56 /* of one message; what is more is left out */

/** The subject of a message; NULL (or -1) members are left out of the record. */
struct log_context {
	const char *domain;     /* PVSCHED_DOMAIN; escaped before it is printed */
	int vcpu;               /* PVSCHED_VCPU, or -1 */
	const char *reason;     /* PVSCHED_REASON */
	const char *message_id; /* MESSAGE_ID: 32 hex digits, see log_ids.h */
	bool outside;           /* others can cause it at any rate, as all about a domain */
	const struct log_field *fields;
	size_t n_fields;
};

/** Chooses the least severe level that is written (LOG_INFO at start; LOG_DEBUG for -v). */
void log_set_level(int level);

/**
 * Writes one message. Control characters in it are escaped, since names come from outside. @ctx may
 * be NULL. What is beyond the budget (util/log_budget.h), or what a journal that hangs does not
 * take, is only counted, and the count is written later. Waits for 200 ms in 10 s at most.
 */
void log_write(int level, const struct log_context *ctx, const char *format, ...)
        PRINTF_FORMAT(3, 4);

/** About a domain: others can cause it, and it has a budget. */
#define log_domain(level, name, ...)                                                               \
	log_write(level, &(struct log_context){.domain = (name), .vcpu = -1}, __VA_ARGS__)

/** For what is said of processes and domains that are not managed. */
#define log_outside(level, ...)                                                                    \
	log_write(level, &(struct log_context){.vcpu = -1, .outside = true}, __VA_ARGS__)

#define log_error(...)   log_write(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_DEBUG, NULL, __VA_ARGS__)
