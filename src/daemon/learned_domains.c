// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/learned_domains.h"

#include <stdlib.h>

struct of_slot {
	uint64_t serial; /* of the domain; 0: none */
	struct learned learned;
};

struct learned_domains {
	struct of_slot of[PVS_DOMAINS_MAX];
};

struct learned_domains *learned_domains_new(void)
{
	return calloc(1, sizeof(struct learned_domains));
}

struct learned_domains *learned_domains_free(struct learned_domains *learned)
{
	free(learned);
	return NULL;
}

const struct learned *learned_of(const struct learned_domains *learned,
                                 const struct inventory_domain *domain)
{
	static const struct learned none;
	const struct of_slot *of = &learned->of[domain->slot];

	return of->serial == domain->serial ? &of->learned : &none;
}

struct learned *learned_begin(struct learned_domains *learned,
                              const struct inventory_domain *domain)
{
	struct of_slot *of = &learned->of[domain->slot];

	if (of->serial != domain->serial)
		*of = (struct of_slot){.serial = domain->serial};
	return &of->learned;
}

void learned_forget(struct learned_domains *learned, const struct inventory_domain *domain)
{
	learned->of[domain->slot] = (struct of_slot){0};
}
