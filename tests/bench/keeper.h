/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Who sees that the tokens of a boosted vCPU have ended: the tracer, by a BPF timer, as shipped;
 * or the booster's own thread, which is woken for it and looks at the accounts. Either way an event
 * says so to booster, policy and actuator as they are. It stands between the tracer and these, as
 * the booster's source of events, and notes how late each boost ended.
 */

#include "stack.h"

enum keeper_way {
	KEEPER_NONE,   /* nobody: a vCPU stays boosted, but for the booster's backstop */
	KEEPER_TIMER,  /* the tracer */
	KEEPER_PERIOD, /* a look at all of them every so often, as long as there are any */
	KEEPER_RUN,    /* told of each switch-in, and looks when the tokens will have ended */
};

struct keeper {
	enum keeper_way way;
	uint64_t period_ns;   /* of KEEPER_PERIOD */
	bool pinged;          /* the booster is to be woken every so often */
	unsigned int n_vcpus; /* slots 0 and on */
	struct stack *stack;
	int epoll_fd, timer_fd;
	uint64_t next_ns; /* the look that timer_fd is set for; NSEC_NEVER: none */
	/* of the booster, while it drains */
	booster_event_fn *fn;
	void *userdata;
	/* for each boost that ended for want of tokens: how long it had run without any */
	uint64_t *overshoot_ns;
	size_t n, max;
};

/**
 * @way  timer, none, backstop (none, but somebody wakes the booster), check-US, check-run
 * Returns false if it is none of these.
 */
bool keeper_parse(const char *way, struct keeper *ret);

/** @stack: traced and not started. Returns 0 and the source for stack_start(), or -errno. */
int keeper_open(struct keeper *keeper, struct stack *stack, struct booster_source *ret);

/** After stack_close(). */
void keeper_close(struct keeper *keeper);
