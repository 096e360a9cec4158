// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/admission.h"

#include <string.h>

/* The shares of each domain's vCPUs that may run in @set only, and what all may use of these. */
static uint64_t demand(const struct admission_demand *demands, size_t n,
                       const struct admission_sets *sets, const struct admission_domains *domains,
                       unsigned int set)
{
	uint64_t sum = 0;

	memset(domains->sums_ppm, 0, domains->n * sizeof(*domains->sums_ppm));
	for (size_t i = 0; i < n; i++)
		if (sets->within(demands[i].set, set, sets->userdata))
			domains->sums_ppm[demands[i].domain] += demands[i].share_ppm;
	for (size_t i = 0; i < domains->n; i++)
		sum += MIN(domains->sums_ppm[i], domains->shares_ppm[i]);
	return sum;
}

void admission_scale(struct admission_demand *demands, size_t n, const struct admission_sets *sets,
                     const struct admission_domains *domains, uint32_t cap_permille)
{
	/* One set after the other: scaling for one only unboosts what the next one finds wanted. */
	for (unsigned int set = 0; set < sets->n; set++) {
		uint64_t capacity = UINT64_C(1000) * cap_permille * sets->cpus[set];
		uint64_t wanted = demand(demands, n, sets, domains, set);

		if (wanted <= capacity)
			continue;
		for (size_t i = 0; i < n; i++)
			if (sets->within(demands[i].set, set, sets->userdata))
				demands[i].share_ppm =
				        (uint32_t)(demands[i].share_ppm * capacity / wanted);
		/* one whose shares are more than its own would still use all of that there */
		for (size_t i = 0; i < domains->n; i++)
			if (domains->sums_ppm[i] > domains->shares_ppm[i])
				domains->shares_ppm[i] = domains->shares_ppm[i] * capacity / wanted;
	}
}
