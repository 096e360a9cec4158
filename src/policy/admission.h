/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Admission: shares are promises, and the shares promised to the vCPUs of a set of CPUs must not
 * sum above what those CPUs may give to real time. Where they would, all of them are scaled down
 * alike. Pure.
 */

#include "util/base.h"

/** One vCPU that wants a share. */
struct admission_demand {
	unsigned int set; /* index of the set of CPUs it may run on */
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

/**
 * Scales the demands so that for every set, those that may run nowhere else get together at most
 * @cap_permille of each of its CPUs.
 */
void admission_scale(struct admission_demand *demands, size_t n, const struct admission_sets *sets,
                     uint32_t cap_permille);
