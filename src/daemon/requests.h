/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The verbs of the control socket. Each is answered when it has had its effect: what is due is
 * applied before anything is reported or changed, and a change before it is answered.
 */

#include "control/control.h"
#include "daemon/domains.h"
#include "daemon/guard.h"
#include "daemon/pass.h"
#include "daemon/state.h"
#include "daemon/switches.h"
#include "daemon/views.h"

/** What requests change; all of it must stay. */
struct requests {
	const struct views *views;
	struct domains *domains;
	struct switches *switches;
	struct state *state;
	struct guard *guard;
	struct pass *pass;
	/** Reads the configuration anew, see daemon.c. @error, of @size bytes: why not. */
	int (*reload)(void *userdata, char *error, size_t size);
	void *userdata;
};

/** control_ops::handle; @userdata: struct requests. */
int requests_handle(void *userdata, const struct control_request *request, struct cJSON **result,
                    char *error, size_t error_size);
