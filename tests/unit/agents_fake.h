/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Agents and their pages that only write down that they were called. */

#include "daemon/agents.h"

#include "test.h"

static struct agent_pages_news agent_news;
static struct agents_options agents_options;
static bool migrating;

static void call(const char *what);

bool lifecycle_migrating(const struct lifecycle *lifecycle, const struct inventory_domain *domain)
{
	(void)lifecycle;
	(void)domain;
	return migrating;
}

int agent_pages_new(struct agent_pages **ret, const struct agent_pages_options *options)
{
	(void)ret;
	agent_news = options->news;
	return 0;
}

struct agent_pages *agent_pages_free(struct agent_pages *pages)
{
	return pages;
}

void agent_pages_reset(struct agent_pages *pages, const struct inventory_domain *domain)
{
	(void)pages;
	(void)domain;
	call("agent-reset");
}

int agents_new(struct agents **ret, const struct agents_options *options)
{
	(void)ret;
	agents_options = *options;
	return 0;
}

struct agents *agents_free(struct agents *agents)
{
	return agents;
}

void agents_configure(struct agents *agents, const struct config_host *host)
{
	(void)agents;
	(void)host;
	call("agents-configure");
}

void agents_end(struct agents *agents, const struct inventory_domain *domain)
{
	(void)agents;
	(void)domain;
	call("agents-end");
}

void agents_proven(struct agents *agents, const struct inventory_domain *domain,
                   uint64_t generation, const struct agent_pages_result *result)
{
	(void)agents;
	(void)domain;
	(void)result;
	CHECK_U64(generation, 5);
	call("proven");
}

void agents_lost(struct agents *agents, const struct inventory_domain *domain,
                 enum agent_pages_loss loss)
{
	(void)agents;
	(void)domain;
	CHECK_INT(loss, AGENT_PAGES_MOVED);
	call("lost");
}

void agents_changed(struct agents *agents, const struct inventory_domain *domain, bool at_once)
{
	(void)agents;
	(void)domain;
	call(at_once ? "changed-at-once" : "changed");
}
