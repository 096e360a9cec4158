/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What became of stepping aside once: what the service that did it tells the agent, as text. */

#include "agent/aside_irqbalance.h"

enum aside_result {
	ASIDE_BACK,    /* nothing is avoided: all is as it was */
	ASIDE_AWAY,    /* @avoided is avoided */
	ASIDE_REFUSED, /* @reason; nothing is avoided */
	ASIDE_FAILED,  /* @reason */
	_ASIDE_RESULT_MAX,
};

enum aside_reason {
	ASIDE_NO_REASON,
	ASIDE_NO_SYSTEMD,
	ASIDE_NO_CPUSET,
	ASIDE_CPUSET_OFF,      /* enabling it would lose tasks' affinities */
	ASIDE_KERNEL_GOVERNOR, /* the kernel's own steps aside */
	ASIDE_NOT_ALLOWED,     /* by the unit, or it is not root */
	ASIDE_TASKS_BOUND,     /* to all of what was to be avoided */
	ASIDE_ONE_CPU,         /* nothing is left that may be avoided */
	ASIDE_SYSTEMD_REFUSED, /* a unit, or the kernel that one */
	ASIDE_RECORD,          /* it cannot be read or written */
	ASIDE_TIME,            /* it took too long */
	ASIDE_PROCESS,         /* there is no process for it, or it died */
	_ASIDE_REASON_MAX,
};

struct aside_outcome {
	enum aside_result result;
	enum aside_reason reason;
	struct cpu_set_bits avoided;
	struct cpu_set_bits left_out; /* that stay in use, since tasks are bound to them */
	uint32_t tasks_bound;
	uint32_t tasks_kept; /* whose affinity this machine's kernel would have lost */
	uint32_t units;      /* of systemd that were changed */
	uint32_t units_left; /* that have no other CPUs, or failed */
	uint32_t irqs;       /* that were moved; with that of unbound work */
	uint32_t irqs_fixed; /* that the kernel does not let be moved */
	enum aside_irqbalance irqbalance;
};

/** "back", ...; "no-systemd", ..., with a sentence for people. */
const char *aside_result_name(enum aside_result result);
const char *aside_reason_name(enum aside_reason reason);
const char *aside_reason_text(enum aside_reason reason);
const char *aside_irqbalance_name(enum aside_irqbalance irqbalance);

/** Writes it, zero terminated. Returns its size, or 0 if that is not enough. */
size_t aside_outcome_format(const struct aside_outcome *outcome, char *ret, size_t size);

/** Returns 0, or -EBADMSG. */
int aside_outcome_parse(const char *text, struct aside_outcome *ret);

#define ASIDE_OUTCOME_MAX 32768
