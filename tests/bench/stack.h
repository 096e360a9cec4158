/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the daemon has below its main thread, for benchmarks: ledger, guardian, tracer, booster. The
 * order of start and stop is the daemon's. Failures are told on stderr where they happen: these are
 * programs of one page, and their reader is a person at a terminal.
 */

#include "boost/booster.h"
#include "boost/guardian.h"
#include "boost/standing.h"
#include "trace/tracer.h"

#define STACK_PRIORITY 1 /* of boosts; booster and guardian are one and two above */

struct stack {
	struct ledger *ledger;
	const char *ledger_path;
	struct guardian *guardian;
	struct tracer *tracer;
	struct standing *standing; /* with the tracer alone */
	struct board *board;
	struct booster *booster;
	struct accounts accounts; /* the tracer's, or the caller's own */
	struct host_caps caps;    /* to be set before stack_start() */
	enum booster_wait wait;   /* likewise */
};

/** Ledger (at @ledger_path, which must be on tmpfs) and guardian. Returns 0, or -errno. */
int stack_open(struct stack *stack, const char *ledger_path);

/** Loads the tracer; its accounts become the stack's. Returns 0, or -errno. */
int stack_trace(struct stack *stack);

/**
 * Starts the booster on the stack's accounts. @source  where events come from; NULL: the tracer.
 * Returns 0, or -errno.
 */
int stack_start(struct stack *stack, const struct booster_source *source);

/**
 * Gives thread @tid to the booster, and to the tracer if there is one; with the slice of its
 * profile, where that boosts and the kernel has slices. Returns 0, or -errno.
 */
int stack_add(struct stack *stack, unsigned int slot, unsigned int domain, pid_t tid,
              const struct profile *profile);

/** Another profile for a thread that was added. Returns 0, or -errno. */
int stack_set(struct stack *stack, unsigned int slot, unsigned int domain, pid_t tid,
              const struct profile *profile);

/** Takes it back: it has its own class and slice again. */
void stack_remove(struct stack *stack, unsigned int slot, pid_t tid);

/** Which way of waiting a word means: epoll or io_uring. Returns false if none. */
bool stack_wait_by_name(const char *name, enum booster_wait *ret);

/** Ends what was started, last first. */
void stack_close(struct stack *stack);
