/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The agents of guests: which domain a connection belongs to, whether its hints are taken, and what
 * the agent is answered. The channel's bytes and limits are channel/server.h's, the proof of pages
 * agent_pages.h's. All is for the main thread.
 */

#include <systemd/sd-event.h>

#include "channel/server.h"
#include "config/config.h"
#include "daemon/agent_pages.h"
#include "daemon/inventory.h"
#include "util/base.h"

struct agents;

struct agents_options {
	sd_event *event;
	struct agent_pages *pages; /* whose news are for agents_proven(), _lost() and _changed() */
	const struct inventory *inventory;
	void (*look)(void *userdata); /* a guest of no domain that is known: look for it */
	void *userdata;
};

/** Accepts nothing before agents_configure(). Returns 0 and *ret, or -errno. */
int agents_new(struct agents **ret, const struct agents_options *options);

/** Takes NULL; returns NULL. */
struct agents *agents_free(struct agents *agents);

/** The configuration is another one, which must stay until the next call. */
void agents_configure(struct agents *agents, const struct config_host *host);

/** @allowed says whether the hints of a domain's guest are taken. Until then no one's are. */
void agents_ask_allowed(struct agents *agents,
                        bool (*allowed)(void *userdata, const struct inventory_domain *domain),
                        void *userdata);

/** Domains, CIDs or what is allowed may have changed: agents that are there are judged anew. */
void agents_review(struct agents *agents);

/** News of the pages: see struct agent_pages_news. */
void agents_proven(struct agents *agents, const struct inventory_domain *domain,
                   uint64_t generation, const struct agent_pages_result *result);
void agents_lost(struct agents *agents, const struct inventory_domain *domain,
                 enum agent_pages_loss loss);
void agents_changed(struct agents *agents, const struct inventory_domain *domain, bool at_once);

/** The domain is gone. */
void agents_end(struct agents *agents, const struct inventory_domain *domain);

#define AGENT_REFUSALS (PVSCHED_CHANNEL_NO_POLICY + 1)

/** What is known of a domain's agent. */
struct agent_view {
	const struct channel_peer *peer; /* NULL: it is not connected */
	const char *why;                 /* it was refused, beyond the code; "": nothing more */
	bool said_hello;                 /* ever, since the domain is known */
	uint64_t hellos_total, losses_total;
	uint64_t refusals_total[AGENT_REFUSALS]; /* by enum pvsched_channel_refusal */
	struct agent_pages_view pages;
};

void agents_read(const struct agents *agents, const struct inventory_domain *domain,
                 struct agent_view *ret);

/** What is known of the channel as a whole. */
struct agents_view {
	bool listens;
	int error;        /* -errno: why the daemon could not open the socket; 0: it did not try */
	size_t n_peers;   /* that are connected */
	size_t n_served;  /* of these, whose pages are used */
	size_t n_unknown; /* of these, of no domain that is known */
	struct channel_counters counters;
};

void agents_read_all(const struct agents *agents, struct agents_view *ret);
