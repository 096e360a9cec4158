/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The agent as a whole: what joins tracer, pages, channel and programs. */

#include "agent/aside.h"
#include "agent/channel.h"
#include "agent/clients.h"
#include "agent/cpus.h"
#include "agent/guest_tracer.h"
#include "agent/settings.h"

/** Exit codes of the program, documented in pvsched-agent(8). */
enum agent_exit {
	AGENT_DONE = 0,
	AGENT_FAILED = 1,
	AGENT_USAGE = 2,
	AGENT_NO_CHANNEL =
	        3, /* there is none, and none was waited for; of `status`: no agent runs */
};

struct agent_options {
	const char *channel_path; /* of a socket in place of vsock; NULL */
	const char *socket_path;  /* for programs */
	bool wait;                /* for a channel */
};

struct agent {
	const struct agent_options *options;
	struct settings settings;
	struct events events;
	struct event signals, uevents, resumed, announce;
	struct guest_tracer *tracer;
	struct pvsched_page *pages;
	struct guest_cpu *cpus;
	uint32_t n_cpus;
	uint32_t generation; /* agent_generation; not 0 */
	struct channel channel;
	struct clients *clients;
	struct aside *aside;
	uint64_t announced_after_ns;            /* the pause before the last pages_announce() */
	uint64_t hints_before, hints_before_ns; /* of the report before */
	enum agent_exit exit;
};
