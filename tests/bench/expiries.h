/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kernel's timers take when they fire, by the kind of timer: the callbacks of BPF timers
 * are in no statistics of BPF programs, and those of timerfds in no thread's CPU time.
 */

#include <linux/types.h>

#define EXPIRIES_CPUS_MAX 1024

enum expiry_kind {
	EXPIRY_BPF,     /* of a BPF timer */
	EXPIRY_TIMERFD, /* of a timerfd, whoever's */
	_EXPIRY_MAX,
};

/* Of one kind, on one CPU; apart, since those that fire in softirq context are interrupted by
 * others. */
struct expiry {
	__u64 timer; /* that fires now */
	__u64 since_ns, count, ns;
};

#ifndef __bpf__
#include "util/base.h"

struct expiries;

/** Counts from now on. Returns NULL after it told why on stderr. */
struct expiries *expiries_new(void);

/** Takes NULL; returns NULL. */
struct expiries *expiries_free(struct expiries *expiries);

/** How often timers of a kind fired so far, and how long their callbacks took; all CPUs. */
void expiries_read(const struct expiries *expiries, enum expiry_kind kind, uint64_t *count,
                   uint64_t *ns);
#endif
