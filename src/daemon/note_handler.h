/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Notes of the booster: what it found, which people or other files of the daemon should know. */

#include <systemd/sd-event.h>

#include "boost/booster.h"
#include "daemon/carriers.h"
#include "daemon/discovery.h"
#include "daemon/domains.h"
#include "daemon/engine.h"
#include "daemon/switches.h"
#include "trace/tracer.h"
#include "util/base.h"
#include "util/cgroup.h"

struct note_handler;

/** What they concern; all of it must stay. */
struct note_handler_parts {
	sd_event *event;
	struct booster *booster;
	const struct ledger *ledger;
	struct tracer *tracer;           /* NULL: there is none */
	const struct cgroup_cpu *cgroup; /* NULL: there is none */
	struct domains *domains;
	struct engine *engine;
	struct switches *switches;
};

/** Returns 0 and *ret, or -errno. */
int note_handler_new(struct note_handler **ret, const struct note_handler_parts *parts);

/** Takes NULL; returns NULL. */
struct note_handler *note_handler_free(struct note_handler *notes);
