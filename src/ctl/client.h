/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Sends one request to the daemon and receives its answer.
 */

#include <sys/types.h>

#include "ctl/args.h"
#include "util/json.h"

/** Time-out. The daemon answers in milliseconds; if it hangs, pvschedctl must not. */
#define CTL_TIMEOUT_S 5

struct ctl_reply {
	bool ok;
	char *text; /* the received line, NUL-terminated; owned */
	struct json_doc *doc;
	const struct json_value *result; /* if ok; may be JSON_NULL */
	const char *error;               /* if not ok */
	const char *code;                /* if not ok: the name of an errno, or "" */
	pid_t daemon;                    /* that answered; 0: not known, as in another container */
};

#define CTL_REPLY_NULL ((struct ctl_reply){0})

/** Frees the members of a reply. For CLEANUP(). */
void ctl_reply_cleanup(struct ctl_reply *reply);

/**
 * Sends the request that @args describe.
 * Returns 0 and *ret if the daemon answers, even if it refuses. -errno if there is no answer:
 * -ENOENT or -ECONNREFUSED: no daemon runs. -EACCES: this user may not connect. -ETIMEDOUT: the
 * daemon does not answer. -EBADMSG: the answer does not follow the protocol.
 */
int ctl_ask(const struct ctl_args *args, struct ctl_reply *ret);

/** Returns the text of the result as the daemon wrote it, inside the reply; *size is its length. */
const char *ctl_reply_result_text(const struct ctl_reply *reply, size_t *size);
