// SPDX-License-Identifier: GPL-2.0-or-later
/* No page is looked for: each claim is refused. */
#include "daemon/agent_pages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct claim {
	const struct inventory_domain *domain; /* NULL: it is to be told of none */
	uint64_t generation;
};

struct agent_pages {
	struct agent_pages_news news;
	sd_event_source *telling;
	struct claim of[PVS_DOMAINS_MAX];
};

static int on_telling(sd_event_source *source, void *userdata)
{
	struct agent_pages *pages = userdata;
	struct agent_pages_result result = {.refusal = PVSCHED_CHANNEL_HOST_CANNOT};

	(void)source;
	for (struct claim *c = pages->of; c < pages->of + PVS_DOMAINS_MAX; c++) {
		const struct inventory_domain *domain = STEAL(c->domain, NULL);

		if (domain)
			pages->news.proven(pages->news.userdata, domain, c->generation, &result);
	}
	return 0;
}

int agent_pages_new(struct agent_pages **ret, const struct agent_pages_options *options)
{
	struct agent_pages *pages = calloc(1, sizeof(*pages));
	int r;

	if (!pages)
		return -ENOMEM;
	pages->news = options->news;
	r = sd_event_add_defer(options->event, &pages->telling, on_telling, pages);
	if (r >= 0)
		r = sd_event_source_set_enabled(pages->telling, SD_EVENT_OFF);
	if (r < 0) {
		agent_pages_free(pages);
		return r;
	}
	*ret = pages;
	return 0;
}

struct agent_pages *agent_pages_free(struct agent_pages *pages)
{
	if (!pages)
		return NULL;
	sd_event_source_disable_unref(pages->telling);
	free(pages);
	return NULL;
}

int agent_pages_prove(struct agent_pages *pages, const struct inventory_domain *domain,
                      const struct agent_pages_claim *claim)
{
	pages->of[domain->slot] = (struct claim){domain, claim->generation};
	return MIN(sd_event_source_set_enabled(pages->telling, SD_EVENT_ONESHOT), 0);
}

void agent_pages_end(struct agent_pages *pages, const struct inventory_domain *domain)
{
	pages->of[domain->slot] = (struct claim){0};
}

void agent_pages_reset(struct agent_pages *pages, const struct inventory_domain *domain)
{
	(void)pages;
	(void)domain;
}

uint64_t agent_pages_usable(const struct agent_pages *pages, const struct inventory_domain *domain)
{
	(void)pages;
	(void)domain;
	return 0;
}

struct guest_page agent_pages_page(const struct agent_pages *pages,
                                   const struct inventory_domain *domain, unsigned int index)
{
	(void)pages;
	(void)domain;
	(void)index;
	return GUEST_PAGE_NULL;
}

uint32_t agent_pages_states(const struct agent_pages *pages, const struct inventory_domain *domain,
                            struct pvsched_channel_vcpu *ret, uint32_t max)
{
	(void)pages;
	(void)domain;
	(void)ret;
	(void)max;
	return 0;
}

void agent_pages_read(const struct agent_pages *pages, const struct inventory_domain *domain,
                      struct agent_pages_view *ret)
{
	*ret = (struct agent_pages_view){.proving = pages->of[domain->slot].domain};
}
