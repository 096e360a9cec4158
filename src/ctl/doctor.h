/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What hinders boosting on this host, and the command that mends it. The checks here need no
 * daemon; the daemon's own are added when it answers.
 */

#include <stdio.h>

#include "util/base.h"
#include "util/json.h"

enum check_status {
	CHECK_OK,
	CHECK_WARN, /* works, but worse than it could, or nobody can tell */
	CHECK_FAIL, /* nothing is boosted while this stays */
	_CHECK_STATUS_MAX,
};

struct check {
	char name[32];
	enum check_status status;
	char detail[512]; /* what was found and what it means */
	char fix[512];    /* a command or a setting, "" if nothing need be done */
};

#define DOCTOR_CHECKS_MAX 64

struct doctor_report {
	size_t n;
	struct check checks[DOCTOR_CHECKS_MAX];
};

/** Where the checks look: a prefix for all paths ("" but in tests), and the paths in use. */
struct doctor_env {
	const char *root;
	const char *socket;
	const char *state_dir;
};

/** Adds a check without texts, to be filled. Outcomes: NULL when there are DOCTOR_CHECKS_MAX. */
struct check *doctor_add(struct doctor_report *report, const char *name, enum check_status status);

/** Runs the local checks. None of them starts, stops, connects to or changes anything. */
void doctor_run_local(const struct doctor_env *env, struct doctor_report *report);

/**
 * The check of the daemon itself.
 * @error  0 when it answered, else what ctl_ask() returned
 */
void doctor_add_daemon(const struct doctor_env *env, struct doctor_report *report, int error);

/**
 * Adds the checks of a daemon's answer ({"checks":[...]}). Its word replaces ours where both have a
 * check of the same name.
 */
void doctor_merge(struct doctor_report *report, const struct json_value *result);

/** The worst status of all. */
enum check_status doctor_worst(const struct doctor_report *report);

void doctor_render(const struct doctor_report *report, FILE *out);

/** Prints the report in the shape of the daemon's. Returns 0, or -ENOMEM. */
int doctor_render_json(const struct doctor_report *report, FILE *out);
