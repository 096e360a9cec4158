// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/log_budget.h"

static unsigned int set_of(const struct log_budget *budget, const char *domain)
{
	uint64_t hash = UINT64_C(14695981039346656037) ^ budget->seed;

	for (; *domain; domain++)
		hash = (hash ^ (unsigned char)*domain) * UINT64_C(1099511628211);
	return (unsigned int)(hash >> 32) % LOG_DOMAIN_SETS;
}

static bool take(struct log_budget *budget, const char *domain, bool outside)
{
	uint16_t *of_domain;

	if (!domain && !outside) {
		if (budget->own >= LOG_OWN_MAX)
			return false;
		budget->own++;
		return true;
	}
	of_domain = domain ? &budget->of_domain[set_of(budget, domain)] : NULL;
	if (budget->others >= LOG_OTHERS_MAX || (of_domain && *of_domain >= LOG_DOMAIN_MAX))
		return false;
	budget->others++;
	if (of_domain)
		(*of_domain)++;
	return true;
}

bool log_budget_take(struct log_budget *budget, const char *domain, bool outside, uint64_t now_ns,
                     unsigned int *suppressed)
{
	*suppressed = 0;
	if (now_ns - budget->begin_ns >= LOG_WINDOW_NS) {
		*suppressed = budget->suppressed;
		*budget = (struct log_budget){.begin_ns = now_ns, .seed = budget->seed};
	}
	if (take(budget, domain, outside))
		return true;
	budget->suppressed++;
	return false;
}

void log_budget_lost(struct log_budget *budget)
{
	budget->suppressed++;
}
