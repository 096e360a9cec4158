/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The agents of guests, and the channel they use, as JSON and as findings for doctor. */

#include "config/config.h"
#include "daemon/agents.h"

struct cJSON;

/** Adds "agent": what is known of the agent of one domain. */
void report_agent(const struct agents *agents, const struct inventory_domain *domain,
                  struct cJSON *object);

/** Adds "agents": the channel as a whole. */
void report_agents(const struct agents *agents, struct cJSON *object);

/** One check of doctor's. */
struct agent_finding {
	const char *status; /* "ok", "warn" */
	char text[512];
	char fix[256]; /* "": nothing is to be done */
};

/** Of the channel. */
void report_agents_finding(const struct agents *agents, const struct config_host *host,
                           struct agent_finding *ret);

/** Of one domain. Returns false if there is nothing to say. */
bool report_agent_finding(const struct agents *agents, const struct inventory_domain *domain,
                          struct agent_finding *ret);
