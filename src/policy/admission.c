// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/admission.h"

/* The shares wanted by the vCPUs that may run in @set only. */
static uint64_t demand(const struct admission_demand *demands, size_t n,
                       const struct admission_sets *sets, unsigned int set)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (sets->within(demands[i].set, set, sets->userdata))
			sum += demands[i].share_ppm;
	return sum;
}

void admission_scale(struct admission_demand *demands, size_t n, const struct admission_sets *sets,
                     uint32_t cap_permille)
{
	/* One set after the other: scaling for one only unboosts what the next one finds wanted. */
	for (unsigned int set = 0; set < sets->n; set++) {
		uint64_t capacity = UINT64_C(1000) * cap_permille * sets->cpus[set];
		uint64_t wanted = demand(demands, n, sets, set);

		if (wanted <= capacity)
			continue;
		for (size_t i = 0; i < n; i++)
			if (sets->within(demands[i].set, set, sets->userdata))
				demands[i].share_ppm =
				        (uint32_t)(demands[i].share_ppm * capacity / wanted);
	}
}
