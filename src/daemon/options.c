// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "virt/vm_conf.h"

enum {
	OPTION_CONFIG = 256,
	OPTION_RUNTIME_DIR,
	OPTION_STATE_DIR,
	OPTION_URI,
	OPTION_PVE_DIR,
	OPTION_CHECK_CONFIG,
	OPTION_RESTORE,
	OPTION_VERSION,
};

static const struct option table[] = {
        {"config", required_argument, NULL, OPTION_CONFIG},
        {"runtime-dir", required_argument, NULL, OPTION_RUNTIME_DIR},
        {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
        {"libvirt-uri", required_argument, NULL, OPTION_URI},
        {"pve-dir", required_argument, NULL, OPTION_PVE_DIR},
        {"check-config", no_argument, NULL, OPTION_CHECK_CONFIG},
        {"restore", no_argument, NULL, OPTION_RESTORE},
        {"verbose", no_argument, NULL, 'v'},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, 'h'},
        {0},
};

int options_parse(int argc, char **argv, struct options *ret)
{
	int c;

	*ret = (struct options){
	        .config_path = PVSCHEDD_CONFIG,
	        .runtime_dir = "/run/pvschedd",
	        .state_dir = "/var/lib/pvschedd",
	        .pve_dir = VM_CONF_DIR,
	};
	while ((c = getopt_long(argc, argv, "vh", table, NULL)) >= 0) {
		if (c == OPTION_CONFIG) {
			ret->config_path = optarg;
			ret->config_given = true;
		} else if (c == OPTION_RUNTIME_DIR) {
			ret->runtime_dir = optarg;
		} else if (c == OPTION_STATE_DIR) {
			ret->state_dir = optarg;
		} else if (c == OPTION_URI) {
			ret->libvirt_uri = optarg;
		} else if (c == OPTION_PVE_DIR) {
			ret->pve_dir = optarg;
		} else if (c == OPTION_CHECK_CONFIG) {
			ret->action = OPTIONS_CHECK_CONFIG;
		} else if (c == OPTION_RESTORE) {
			ret->action = OPTIONS_RESTORE;
		} else if (c == OPTION_VERSION) {
			ret->action = OPTIONS_VERSION;
		} else if (c == 'h') {
			ret->action = OPTIONS_HELP;
		} else if (c == 'v') {
			ret->verbose = true;
		} else {
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "pvschedd: unexpected argument: %s\n", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

const char *options_help(void)
{
	return "Usage: pvschedd [OPTION...]\n"
	       "Gives the vCPUs of running VMs their latency, within a budget, and gives it back.\n"
	       "\n"
	       "  --config FILE       configuration (" PVSCHEDD_CONFIG ")\n"
	       "  --runtime-dir DIR   ledger and control socket (/run/pvschedd)\n"
	       "  --state-dir DIR     what persists (/var/lib/pvschedd)\n"
	       "  --libvirt-uri URI   the libvirt to watch (the system's)\n"
	       "  --pve-dir DIR       Proxmox's configurations (/etc/pve)\n"
	       "  --check-config      say whether the configuration is valid, and leave\n"
	       "  --restore           give back what a dead daemon left, and leave\n"
	       "  -v, --verbose       say more\n"
	       "  --version           print the version\n"
	       "  -h, --help          print this\n"
	       "\n"
	       "Runs in the foreground; see pvschedd(8). pvschedctl(8) talks to it.\n";
}
