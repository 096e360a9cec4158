/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The command line of pvschedctl, as data. All of it is parsed before anything is done. Pure.
 */

#include "ctl/duration.h"
#include "ctl/status_columns.h"
#include "ctl/verbs.h"

#define CTL_SOCKET_DEFAULT    "/run/pvschedd/control.sock"
#define CTL_STATE_DIR_DEFAULT "/var/lib/pvschedd"

/** The parsed command line; the strings belong to argv. */
struct ctl_args {
	enum ctl_verb verb;
	bool json;
	const char *socket;
	const char *state_dir;
	const char *domain;      /* NULL if none was given; else 1..255 bytes of UTF-8 */
	const char *profile;     /* NULL if none was given; else 1..31 bytes of UTF-8 */
	const char *policy;      /* likewise; 1..47 bytes */
	const char *vcpus;       /* avoid: a list, or "auto", "none", "profile" */
	int vcpu;                /* -1: all */
	uint64_t for_s;          /* policy set: rounded up to whole seconds; 0: until changed */
	uint64_t for_us;         /* boost */
	uint64_t for_ms;         /* latency; 0: not given */
	uint64_t over_us;        /* latency; 0: not given */
	bool persist;            /* attach, detach: the definition; !live implies it */
	bool live;               /* attach, detach: the running domain */
	bool agent;              /* attach, detach: the vsock of an agent */
	bool dry_run;            /* attach, detach, policy set */
	bool absent;             /* see control.h; not of the command line, nor is... */
	const char *name;        /* ...this */
	bool probe;              /* doctor: try the kernel's fair class, too */
	const char *report;      /* doctor: the file to write; NULL: none */
	uint64_t delay_ms;       /* top, watch: between two looks */
	unsigned int count;      /* top, watch: so many looks; 0: until it is ended */
	unsigned int limit;      /* top, watch: so many rows; 0: all */
	unsigned int sort;       /* top, watch: enum top_sort, as --sort offers them */
	bool batch;              /* top */
	uint64_t burst_us;       /* policy set; 0: the profile's */
	uint32_t share_permille; /* policy set; 0: the profile's */
	bool all;                /* recommend, trial */
	uint64_t window_min_ms;  /* trial; 0: the daemon's */
	uint64_t window_max_ms;  /* likewise */
	const char *plot;        /* trial, latency: the file to write; NULL: none */
	bool follow, stop;       /* trial */
	const char *request;     /* in place of the verb's own; not of the command line */
	bool apply;              /* recommend */
	bool long_form;          /* status: all that is known */
	bool no_header;          /* status */
	struct status_columns columns; /* status: these alone; none: what a person wants to know */
};

/** Outcomes of ctl_args_parse() besides 0. */
enum {
	CTL_ARGS_HELP = 1, /* verb is that of which help is wanted; _CTL_VERB_MAX: of all */
	CTL_ARGS_VERSION,
};

/**
 * Parses argv[1..argc-1], whose order it changes. Options may stand anywhere, but not after "--";
 * their names may be shortened as long as they are not those of two.
 * Returns 0 and *ret; CTL_ARGS_HELP or CTL_ARGS_VERSION if that was asked for; -EINVAL with a
 * message in @error, which names what was probably meant.
 */
int ctl_args_parse(int argc, char *argv[], struct ctl_args *ret, char *error, size_t error_size);
