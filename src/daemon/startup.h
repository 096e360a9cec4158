/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The steps of the daemon's start that deal with the system. Each returns 0, or -errno and in @why,
 * STARTUP_WHY_MAX bytes, what failed; nothing of that is logged here. What is worth a line and does
 * not keep the daemon from starting is.
 */

#include <systemd/sd-event.h>

#include "boost/accounts.h"
#include "boost/ledger.h"
#include "config/config.h"
#include "daemon/options.h"
#include "daemon/state.h"
#include "trace/tracer.h"
#include "util/base.h"
#include "util/cgroup.h"

#define STARTUP_WHY_MAX 768

/** Makes the directories, and takes the lock that only one daemon has. */
int startup_directories(const struct options *options, char *why);

/** Reads the configuration; where that may be, goes on with the default one. */
int startup_config(const struct options *options, struct config **ret, char *why);

/**
 * Finds the hierarchy of the cpu controller, and says where it is, or that quotas and RT budgets
 * cannot be looked at. Returns 0 and *ret, or -errno; then the daemon goes on without.
 */
int startup_cgroup(struct cgroup_cpu *ret);

/**
 * Opens the ledger, and gives back what an earlier run left: *recovered records.
 * @cgroup  where it may give budgets back; NULL: nowhere
 */
int startup_ledger(const struct options *options, const struct cgroup_cpu *cgroup,
                   struct ledger **ret, unsigned int *recovered, char *why);

/** Opens what persists. *unclean: the last daemon did not end by itself. */
int startup_state(const struct options *options, struct state **ret, bool *unclean, char *why);

/**
 * Loads the tracer and fills in @accounts, which are the tracer's. Where the kernel refuses it,
 * *ret is NULL, @tracer_why (512 bytes) says why, and @accounts are memory that
 * startup_accounts_free() frees.
 */
int startup_tracer(const struct pvs_bucket_rule *cpu_rule, struct tracer **ret,
                   struct accounts *accounts, char *tracer_why);

/** Frees the accounts of a daemon that has no tracer. */
void startup_accounts_free(struct accounts *accounts);

/** Is this a PREEMPT_RT kernel, or may it be one? Says so. */
bool startup_is_preempt_rt(void);

/** Bounds the process's real-time run time, opens as many files as it may, locks its memory. */
void startup_limit_self(void);

/**
 * The main loop: SIGTERM and SIGINT end it, SIGHUP calls @on_reload. These and SIGCHLD are blocked
 * in this thread and those that it makes; SIGPIPE is ignored. Returns 0 and *ret, or -errno.
 */
int startup_event_loop(sd_event **ret, sd_event_signal_handler_t on_reload, void *userdata);
