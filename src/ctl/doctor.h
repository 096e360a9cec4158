/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Finds what prevents boosts on this host, and how to fix it. The checks here need no daemon. If a
 * daemon answers, its own checks are added.
 */

#include <stdio.h>
#include <sys/types.h>

#include "ctl/fair_order.h"
#include "util/base.h"
#include "util/json.h"

enum check_status {
	CHECK_OK,
	CHECK_WARN, /* works, but not as well as possible; or the check itself failed */
	CHECK_FAIL, /* nothing is boosted until this is fixed */
	_CHECK_STATUS_MAX,
};

struct check {
	char name[288]; /* "domain" and its name, which others share the beginning of */
	enum check_status status;
	char detail[512]; /* what was found and what it means */
	char fix[512];    /* a command or a setting; "" if there is nothing to do */
};

/** Hosts have up to 1024 domains. */
#define DOCTOR_CHECKS_MAX 2048

struct doctor_report {
	size_t n;
	size_t n_left_out; /* checks for which there is no room; the last one counts them */
	struct check checks[DOCTOR_CHECKS_MAX];
};

/** Where the checks look: a prefix for all paths, which is "" except in tests; paths in use. */
struct doctor_env {
	const char *root;
	const char *socket;
	const char *state_dir;
	unsigned int rt_priority; /* of boosts, by the daemon; 0: not known */
	const char *booster_wait; /* by the daemon; NULL: not known */
	pid_t daemon;             /* that answered; 0: not known */
	const char *user;         /* who asks, for a command; NULL: not known */
};

/** Adds a check without texts. Returns NULL if there is no room: one is kept for "more". */
struct check *doctor_add(struct doctor_report *report, const char *name, enum check_status status);

/** Runs the local checks. They do not start, stop, connect to or change anything. */
void doctor_run_local(const struct doctor_env *env, struct doctor_report *report);

/**
 * Adds the check of the daemon itself.
 * @error  0 if the daemon answered, else the error of ctl_ask()
 */
void doctor_add_daemon(const struct doctor_env *env, struct doctor_report *report, int error);

/**
 * Adds what became of fair_order_try().
 * @error  0, or as it returned; *order counts if it is 0
 */
void doctor_add_fair_order(struct doctor_report *report, int error, const struct fair_order *order);

/**
 * Adds the checks of the daemon's answer, {"checks":[...]}. A check of the daemon replaces a local
 * check of the same name. What does not fit is counted in a check "more", as bad as the worst.
 */
void doctor_merge(struct doctor_report *report, const struct json_value *result);

/** The worst status of all. */
enum check_status doctor_worst(const struct doctor_report *report);

void doctor_render(const struct doctor_report *report, FILE *out);

/** Prints the report as JSON, in the daemon's format. Returns 0, or -ENOMEM. */
int doctor_render_json(const struct doctor_report *report, FILE *out);
