/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Admission: shares are promises, and the shares promised on a set of CPUs must not sum above what
 * those CPUs may give to real time. Where they would, all of them are scaled down alike. The vCPUs
 * of a domain promise no more together than the domain's bucket lets pass. Pure.
 */

#include "util/base.h"

/** One vCPU that wants a share. */
struct admission_demand {
	unsigned int domain; /* index */
	unsigned int set;    /* index of the set of CPUs it may run on */
	/* wanted, in millionths of a CPU; becomes what it gets, which may be 0 */
	uint32_t share_ppm;
};

/**
 * Relation of the sets: @within(a, b, userdata) says whether set a is part of set b, and
 * @cpus[s] how many online CPUs set s has.
 */
struct admission_sets {
	size_t n;
	const unsigned int *cpus;
	bool (*within)(unsigned int inner, unsigned int outer, const void *userdata);
	const void *userdata;
};

struct admission_domains {
	size_t n;
	/* that each may use; is scaled with the shares of its vCPUs on any set of CPUs */
	uint64_t *shares_ppm;
	uint64_t *sums_ppm; /* scratch */
};

/**
 * Scales the demands so that for every set, those that may run nowhere else get together at most
 * @cap_permille of each of its CPUs, by their own shares or by their domains'.
 */
void admission_scale(struct admission_demand *demands, size_t n, const struct admission_sets *sets,
                     const struct admission_domains *domains, uint32_t cap_permille);
