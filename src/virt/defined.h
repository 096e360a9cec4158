/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Looks for a domain that libvirt has defined, whether it runs or not. For pvschedctl alone: the
 * call may take as long as libvirt does. Read-only, and it starts no libvirt that is stopped.
 */

#include "model/domain.h"
#include "util/base.h"

struct defined_domain {
	char uuid[DOMAIN_UUID_LEN];
	char name[DOMAIN_NAME_MAX];
};

/** Outcomes of defined_find(). */
enum {
	DEFINED_NOT = 1,        /* libvirt answers, and knows no such domain */
	DEFINED_NO_LIBVIRT = 2, /* none runs, or it does not answer this user */
};

/** By name, else by uuid. Returns 0 and *ret, or an outcome. */
int defined_find(const char *name_or_uuid, struct defined_domain *ret);
