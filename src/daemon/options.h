/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The command line of pvschedd: parsed into a struct, acted on by main. Pure. */

#include "util/base.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK_CONFIG,
	OPTIONS_RESTORE,
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

struct options {
	enum options_action action;
	const char *config_path;
	const char *runtime_dir;
	const char *state_dir;
	const char *libvirt_uri; /* NULL: the system's */
	const char *pve_dir;     /* of Proxmox's configurations */
	bool config_given;       /* a file that was asked for must exist */
	bool verbose;
};

/** Returns 0, or -EINVAL when getopt has said on stderr what is wrong. */
int options_parse(int argc, char **argv, struct options *ret);

/** The text of --help. */
const char *options_help(void);
