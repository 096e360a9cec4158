/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One question to the daemon and its answer.
 */

#include "ctl/args.h"
#include "util/json.h"

/** How long the daemon may take. It answers in milliseconds; a hung one must not hang its admin. */
#define CTL_TIMEOUT_S 5

struct ctl_reply {
	bool ok;
	char *text; /* the line as it came, terminated; owned */
	struct json_doc *doc;
	const struct json_value *result; /* if ok; may be JSON_NULL */
	const char *error;               /* if not ok */
	const char *code;                /* if not ok: the name of an errno, "" if there is none */
};

#define CTL_REPLY_NULL ((struct ctl_reply){0})

/** Frees what a reply owns. For CLEANUP(). */
void ctl_reply_cleanup(struct ctl_reply *reply);

/**
 * Asks what @args say.
 * Returns 0 and *ret, whether or not the daemon said ok; -errno when there is no answer: -ENOENT or
 * -ECONNREFUSED when no daemon runs, -EACCES when this user may not ask, -ETIMEDOUT when it does
 * not answer, -EBADMSG when it is not an answer of this protocol.
 */
int ctl_ask(const struct ctl_args *args, struct ctl_reply *ret);

/**
 * The text of the result as the daemon wrote it. Returns its start within the reply, *size its
 * length.
 */
const char *ctl_reply_result_text(const struct ctl_reply *reply, size_t *size);
