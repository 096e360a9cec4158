/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The sets, domains and vCPUs that are compared, and samples of them: for harm.c and
 * harm_verdict.c. */

#include "policy/harm_counts.h"

/** The first test is after so many pairs. */
#define HARM_PAIRS_FIRST 8

/** A first verdict may take so many; until then windows are short, and close together. */
#define HARM_PAIRS_SOON 32

/** So many looks without a late wait end the comparisons of a set. */
#define HARM_QUIET_LOOKS 3

/** After so many, what was let alone comes back without a test: the load has gone. */
#define HARM_QUIET_LONG 10

enum phase {
	PHASE_QUIET,  /* nothing to compare: no timer */
	PHASE_REST,   /* until the next pair */
	PHASE_SETTLE, /* the first window of a pair, not measured yet */
	PHASE_FIRST,
	PHASE_SETTLE_AGAIN,
	PHASE_SECOND,
};

/* A domain's vCPUs in a set. */
struct member {
	struct member *next; /* set::members */
	unsigned int domain, n_vcpus;
	struct harm_counts begin, now;
	uint32_t waits[2][PVS_WAIT_BUCKETS]; /* of this pair: without, with boosts */
	uint64_t used_ns;                    /* boosted, in windows with boosts */
	uint32_t worse, better;
	uint32_t calm; /* pairs in a row whose window without boosts had no late wait */
	uint32_t hold; /* 0, or why it is let alone */
	uint64_t until_ns, length_ns, alone_total;
};

struct set {
	struct set *next; /* harm::sets */
	unsigned int number;
	uint32_t capacity_permille;
	struct member *members;
	enum phase phase;
	uint64_t at_ns; /* when the phase ends */
	uint64_t length_ns, with_ns;
	bool off_first;
	uint32_t pairs, tests_at, worse, better;
	uint64_t off_repaid_ns, off_ns;
	uint64_t late; /* late waits so far, at the last look */
	unsigned int quiet_looks;
	struct member *returned; /* came back, and that was not tested yet; NULL: none did */
	unsigned int in_a_row;   /* verdicts without a test between that found no harm */
	unsigned int in_vain;    /* pairs in a row that told nothing: the next one comes later */
	uint64_t verdicts_total;
};

struct slot {
	struct set *set; /* NULL: not compared */
	struct member *member;
	uint32_t told;
};

struct harm {
	uint64_t random;
	harm_read_fn *read;
	void *userdata;
	unsigned int n;
	struct set *sets;
	struct slot slots[];
};

/** The set of that number; NULL: there is none. */
struct set *harm_sets_find(const struct harm *harm, unsigned int number);

/** A vCPU comes into a set, or leaves the one that it is in. As harm_put(), harm_drop(). */
int harm_sets_put(struct harm *harm, unsigned int slot, unsigned int domain, unsigned int number);
void harm_sets_drop(struct harm *harm, unsigned int slot);

/** The counters of each domain of a set, as they are now: member::now. */
void harm_sets_sample(struct harm *harm, struct set *set);
