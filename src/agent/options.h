/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "agent/agent.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_STATUS,
	OPTIONS_ASIDE,
	OPTIONS_CHECK_CONFIG,
	OPTIONS_VERSION,
	OPTIONS_HELP,
};

struct options {
	enum options_action action;
	struct agent_options agent;
	const char *config_path;
	const char *cpus; /* of the verb aside */
	bool config_given;
	bool json;
	bool verbose;
};

/** Parses the command line. Returns 0; -EINVAL: it is wrong, and a message was written. */
int options_parse(int argc, char **argv, struct options *ret);

const char *options_help(void);
