/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* `policy set` of a domain that does not run: libvirt knows its uuid, and the daemon does not. */

#include "ctl/client.h"

/**
 * Asks again, by the uuid, where @reply says that no such domain runs; *reply is then the new
 * answer. Returns 0, or as ctl_ask() does.
 */
int policy_ask_absent(const struct ctl_args *args, struct ctl_reply *reply);
