/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Reading a configuration that is not only valid but can be had on this host. */

#include "config/config.h"
#include "util/base.h"

/** As config_load(), and -EBADMSG for CPUs that the booster can't have here. */
int usable_config_load(const char *path, struct config **ret, char *error, size_t size);
