/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the files that serve requests share: what requests change, and where an answer goes. */

#include "control/control.h"
#include "daemon/domains.h"
#include "daemon/guard.h"
#include "daemon/latency_leases.h"
#include "daemon/pass.h"
#include "daemon/state.h"
#include "daemon/switches.h"
#include "daemon/tally.h"
#include "daemon/views.h"
#include "util/base.h"

/** What requests change; all of it must stay. */
struct requests {
	const struct views *views;
	struct tally *tally;
	struct domains *domains;
	struct switches *switches;
	struct state *state;
	struct guard *guard;
	struct latency_leases *leases;
	struct pass *pass;
	/** Reads the configuration anew, see daemon.c. @error, of @size bytes: why not. */
	int (*reload)(void *userdata, char *error, size_t size);
	void *userdata;
};

/** Where the answer to a request goes. */
struct answer {
	struct cJSON **result;
	char *error;
	size_t size;
};

/** Answers no, with a message. Returns @code. */
int answer_no(struct answer *answer, int code, const char *format, ...) PRINTF_FORMAT(3, 4);

/** Answers with a sentence. Returns 0. */
int answer_sentence(struct answer *answer, const char *format, ...) PRINTF_FORMAT(2, 3);
