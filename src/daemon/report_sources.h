/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The parts that the daemon depends on, and whether they work. */

#include "daemon/views.h"

#define REPORT_SOURCES_MAX (_DOMAIN_SOURCE_MAX + 6)

struct report_source {
	const char *name; /* as in `status`: "libvirt", "bpf", ... */
	bool ok;
	char detail[512];
};

/** Fills @ret and returns how many there are. @totals: those of the booster. */
size_t report_sources(const struct views *views, const struct booster_totals *totals,
                      struct report_source ret[REPORT_SOURCES_MAX]);
