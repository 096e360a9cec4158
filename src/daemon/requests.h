/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The verbs of the control socket. Each is answered when it has had its effect: what is due is
 * applied before anything is reported or changed, and a change before it is answered.
 */

#include "daemon/request_parts.h"

/** control_ops::handle; @userdata: struct requests. */
int requests_handle(void *userdata, const struct control_request *request, struct cJSON **result,
                    char *error, size_t error_size);
