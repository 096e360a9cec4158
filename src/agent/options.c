// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "pvsched/agent.h"

enum {
	OPTION_CONFIG = 256,
	OPTION_CHANNEL,
	OPTION_SOCKET,
	OPTION_WAIT,
	OPTION_JSON,
	OPTION_CHECK_CONFIG,
	OPTION_VERSION,
};

static const struct option table[] = {
        {"config", required_argument, NULL, OPTION_CONFIG},
        {"channel", required_argument, NULL, OPTION_CHANNEL},
        {"socket", required_argument, NULL, OPTION_SOCKET},
        {"wait", no_argument, NULL, OPTION_WAIT},
        {"json", no_argument, NULL, OPTION_JSON},
        {"check-config", no_argument, NULL, OPTION_CHECK_CONFIG},
        {"verbose", no_argument, NULL, 'v'},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, 'h'},
        {0},
};

static void take(struct options *ret, int c)
{
	if (c == OPTION_CONFIG) {
		ret->config_path = optarg;
		ret->config_given = true;
	} else if (c == OPTION_CHANNEL) {
		ret->agent.channel_path = optarg;
	} else if (c == OPTION_SOCKET) {
		ret->agent.socket_path = optarg;
	} else if (c == OPTION_WAIT) {
		ret->agent.wait = true;
	} else if (c == OPTION_JSON) {
		ret->json = true;
	} else if (c == OPTION_CHECK_CONFIG) {
		ret->action = OPTIONS_CHECK_CONFIG;
	} else if (c == OPTION_VERSION) {
		ret->action = OPTIONS_VERSION;
	} else if (c == 'h') {
		ret->action = OPTIONS_HELP;
	} else {
		ret->verbose = true;
	}
}

int options_parse(int argc, char **argv, struct options *ret)
{
	int c;

	*ret = (struct options){
	        .agent.socket_path = PVSCHED_AGENT_SOCKET,
	        .config_path = PVSCHED_AGENT_CONFIG,
	};
	while ((c = getopt_long(argc, argv, "vh", table, NULL)) >= 0) {
		if (c == '?')
			return -EINVAL;
		take(ret, c);
	}
	if (optind < argc && strcmp(argv[optind], "status") == 0 && ret->action == OPTIONS_RUN) {
		ret->action = OPTIONS_STATUS;
		optind++;
	}
	if (optind + 1 < argc && strcmp(argv[optind], "aside") == 0 && ret->action == OPTIONS_RUN) {
		ret->action = OPTIONS_ASIDE;
		ret->cpus = argv[optind + 1];
		optind += 2;
	}
	if (optind < argc) {
		fprintf(stderr, "pvsched-agent: unexpected argument: %s\n", argv[optind]);
		return -EINVAL;
	}
	if (ret->json && (ret->action == OPTIONS_RUN || ret->action == OPTIONS_ASIDE)) {
		fprintf(stderr, "pvsched-agent: --json belongs to the verb status\n");
		return -EINVAL;
	}
	return 0;
}

const char *options_help(void)
{
	return "Usage: pvsched-agent [OPTION...]\n"
	       "       pvsched-agent status [--json] [--socket PATH]\n"
	       "       pvsched-agent aside CPUS|none|asked\n"
	       "Tells the host of this guest, per virtual CPU, what runs there.\n"
	       "\n"
	       "  --wait          wait for a channel to the host, instead of leaving\n"
	       "  --config FILE   configuration (" PVSCHED_AGENT_CONFIG ")\n"
	       "  --socket PATH   socket for programs (" PVSCHED_AGENT_SOCKET ")\n"
	       "  --channel PATH  a stream socket of this machine in place of the host's\n"
	       "  --check-config  say whether the configuration is valid, and leave\n"
	       "  --json          of status: print JSON\n"
	       "  -v, --verbose   say more\n"
	       "  --version       print the version\n"
	       "  -h, --help      print this\n"
	       "\n"
	       "Runs in the foreground; see pvsched-agent(8).\n";
}
