/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Do boosts do harm? Where real-time threads want more of some CPUs than these may give, or where a
 * machine is so slow that what boosts cost is more than what they give, vCPUs wait longer with
 * boosts than without. No counter tells: an unboosted wait is one of a vCPU's worst moments, and
 * its cause may be the boosts of another domain. So it is tried. For a moment nothing is boosted on
 * a set of CPUs, and the waits of that window are compared with those of a window beside it. Many
 * such pairs, each of which chance may decide either way, are a verdict. Then those domains that
 * used most are let alone, and come back one by one. docs/design/harm.md says more. Pure: time,
 * randomness and counters are parameters.
 *
 * A set of CPUs is such that each vCPU may run within one set alone. Each domain has a voice in
 * each set on which it has vCPUs, however many waits these had.
 */

#include "policy/harm_counts.h"
#include "policy/names.h"
#include "util/base.h"

struct harm;

/** For slots below @n. NULL: out of memory. */
struct harm *harm_new(unsigned int n, uint64_t seed, harm_read_fn *read, void *userdata);

/** Takes NULL; returns NULL. */
struct harm *harm_free(struct harm *harm);

/**
 * The vCPU in @slot is of @domain, runs within @set, and its profile boosts it. Likewise when that
 * has changed. @set and @domain are any numbers. Returns 0; -ENOMEM: it is not compared.
 */
int harm_put(struct harm *harm, unsigned int slot, unsigned int domain, unsigned int set);

/**
 * It is not compared any more. @gone: nor is it there, so that its holds ended with it; else
 * harm_change() tells that it is to have none.
 */
void harm_drop(struct harm *harm, unsigned int slot, bool gone);

/** What real-time threads may take of the CPUs of each set in all, in permille of one CPU. */
void harm_set_capacity(struct harm *harm, unsigned int set, uint32_t permille);

/**
 * Looks for late waits since the last look: where there are some, comparisons begin. To be called
 * when the caller is awake anyway, every few seconds.
 */
void harm_look(struct harm *harm, uint64_t now_ns);

/** Nothing waits late, and no domain is let alone: no look is needed before something happens. */
bool harm_is_quiet(const struct harm *harm);

/** When harm_step() is to be called; NSEC_NEVER: not before a look finds something. */
uint64_t harm_next_ns(const struct harm *harm);

/** What is due at @now_ns. The caller then carries out what harm_change() tells. */
void harm_step(struct harm *harm, uint64_t now_ns);

/**
 * The next vCPU, after the slot @after (-1: the first one), whose holds are others than this told
 * last. *ret: those of HARM_HOLDS that it is to have. -1: there is none.
 */
int harm_change(struct harm *harm, int after, uint32_t *ret);

#define HARM_HOLDS                                                                                 \
	(POLICY_HOLD(POLICY_REASON_COMPARED) | POLICY_HOLD(POLICY_REASON_HARMFUL) |                \
	 POLICY_HOLD(POLICY_REASON_NEEDLESS))

/** What the comparisons have shown. */
struct harm_view {
	uint32_t pairs, worse, better; /* of its CPUs, since the last verdict */
	uint32_t own_worse, own_better;
	uint64_t verdicts_total; /* "harmful", on its CPUs */
	uint64_t alone_total;    /* how often the domain was let alone there */
	uint64_t alone_until_ns; /* 0: it is not */
	uint64_t off_ns;         /* so long nothing was boosted there, to compare */
};

/** Of the domain of a vCPU, on its CPUs. Returns false if it is not compared. */
bool harm_read(const struct harm *harm, unsigned int slot, struct harm_view *ret);
