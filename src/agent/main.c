// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "agent/aside_do.h"
#include "agent/options.h"
#include "agent/run.h"
#include "agent/status.h"
#include "util/log.h"

static enum agent_exit run(const struct options *options)
{
	struct settings settings;
	char why[512];

	if (options->verbose)
		log_set_level(LOG_DEBUG);
	if (settings_load(options->config_path, options->config_given, &settings, why,
	                  sizeof(why)) < 0) {
		log_error("%s", why);
		return AGENT_FAILED;
	}
	if (options->action == OPTIONS_CHECK_CONFIG) {
		printf("%s: valid\n", options->config_path);
		return AGENT_DONE;
	}
	return agent_run(&options->agent, &settings);
}

int main(int argc, char **argv)
{
	struct options options;

	if (options_parse(argc, argv, &options) < 0) {
		fputs("Try: pvsched-agent --help\n", stderr);
		return AGENT_USAGE;
	}
	switch (options.action) {
	case OPTIONS_VERSION:
		puts("pvsched-agent " PVSCHEDD_VERSION);
		return AGENT_DONE;
	case OPTIONS_HELP:
		fputs(options_help(), stdout);
		return AGENT_DONE;
	case OPTIONS_STATUS:
		return (int)status_show(options.agent.socket_path, options.json);
	case OPTIONS_ASIDE:
		return aside_command(options.cpus);
	case OPTIONS_RUN:
	case OPTIONS_CHECK_CONFIG:
		break;
	}
	return (int)run(&options);
}
