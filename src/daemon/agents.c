// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/agents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/agent_verdict.h"
#include "daemon/domain_log.h"
#include "util/clock.h"
#include "util/log.h"

/* A guest can lose its pages as often as it likes: they are proven anew once in this time. */
#define RENEW_NS NSEC_PER_SEC

/* A CID of no domain may be one that was plugged in just now. Any guest may have such a CID. */
#define LOOK_NS (2 * NSEC_PER_SEC)

/* What one domain has. */
struct entry {
	const struct inventory_domain *domain; /* NULL: none has this slot */
	struct channel_peer *peer;             /* NULL: none is connected */
	bool renew;                            /* its pages are to be proven anew */
	uint64_t challenged_ns;                /* when it last was challenged */
	bool said_hello;
	uint64_t hellos_total, losses_total;
	uint64_t refusals_total[AGENT_REFUSALS];
	char why[sizeof(((struct agent_pages_result *)NULL)->why)];
	struct domain_log log;
};

struct agents {
	struct agents_options options;
	struct agent_rules rules;
	struct channel_server *server;
	sd_event_source *renewals; /* the timer of entries with renew */
	int listen_fd;             /* systemd's, until the configuration is there; -1: none */
	int listen_error;
	uint64_t looked_ns;               /* when a domain was last looked for */
	struct entry of[PVS_DOMAINS_MAX]; /* by the domain's slot */
};

static struct entry *entry_of(struct agents *agents, const struct inventory_domain *domain)
{
	struct entry *e = &agents->of[domain->slot];

	e->domain = domain;
	return e;
}

static void say(struct entry *e, int level, const char *text)
{
	domain_log_say(&e->log, e->domain->seen->name, -1, level, "agent", text);
}

/* ---- which domain it is ---- */

/* The domain of a peer loses it. */
static void detach(struct agents *agents, struct channel_peer *peer)
{
	const struct inventory_domain *domain = peer->owner;
	struct entry *e;

	if (!domain)
		return;
	e = entry_of(agents, domain);
	e->peer = NULL;
	e->renew = false;
	peer->owner = NULL;
	/* what it still sends must not find a domain that is gone */
	channel_session_withdraw(&peer->session, clock_now_ns());
	agent_pages_end(agents->options.pages, domain);
}

static void attach(struct agents *agents, struct channel_peer *peer,
                   const struct inventory_domain *domain)
{
	struct entry *e = entry_of(agents, domain);
	struct channel_peer *other = e->peer;

	if (other) {
		detach(agents, other);
		channel_close(other, "another agent of the domain has connected");
	}
	e->peer = peer;
	peer->owner = (void *)domain;
}

/* ---- whether it is served ---- */

static void answer(struct agents *agents, struct channel_peer *peer,
                   const struct channel_verdict *verdict, const char *why)
{
	const struct inventory_domain *domain = peer->owner;
	char text[256];
	struct entry *e;

	channel_answer(peer, verdict);
	if (!domain)
		return;
	e = entry_of(agents, domain);
	e->refusals_total[verdict->refusal]++;
	snprintf(e->why, sizeof(e->why), "%s", why);
	if (verdict->refusal == PVSCHED_CHANNEL_SERVED)
		snprintf(text, sizeof(text), "version %s on Linux %s, %u pages",
		         peer->hello->agent_version, peer->hello->kernel, verdict->n_pages);
	else
		snprintf(text, sizeof(text), "refused: %s%s%s",
		         channel_refusal_text(verdict->refusal), *why ? ": " : "", why);
	say(e, verdict->refusal == PVSCHED_CHANNEL_SERVED ? LOG_INFO : LOG_NOTICE, text);
}

static void challenge(struct agents *agents, struct channel_peer *peer)
{
	struct entry *e = entry_of(agents, peer->owner);
	int r = channel_challenge(peer);

	e->renew = false;
	e->challenged_ns = clock_now_ns();
	if (r < 0)
		channel_close(peer, "there are no random numbers");
}

static void carry_out(struct agents *agents, struct channel_peer *peer,
                      const struct agent_decision *d)
{
	if (peer->owner != d->domain) {
		detach(agents, peer);
		if (d->domain)
			attach(agents, peer, d->domain);
	}
	if (d->verdict.refusal == PVSCHED_CHANNEL_SERVED) {
		challenge(agents, peer);
		return;
	}
	if (peer->owner)
		agent_pages_end(agents->options.pages, peer->owner);
	answer(agents, peer, &d->verdict, "");
}

void agents_review(struct agents *agents)
{
	if (!agents->server->peers)
		return;
	agent_cids_fill(&agents->rules.cids, agents->options.inventory);
	for (struct channel_peer *peer = agents->server->peers; peer; peer = peer->next) {
		struct agent_decision d;

		if (!peer->hello || peer->pending || peer->doomed)
			continue; /* it is judged when it is heard */
		d = agent_decide(&agents->rules, peer);
		if (!agent_decision_stands(peer, &d))
			carry_out(agents, peer, &d);
	}
}

/* ---- what the channel tells ---- */

/* At most so often: its guest may go on for ever. */
static void look_for(struct agents *agents)
{
	uint64_t now_ns = clock_now_ns();

	if (agents->looked_ns && now_ns < agents->looked_ns + LOOK_NS)
		return;
	agents->looked_ns = now_ns;
	agents->options.look(agents->options.userdata);
}

static void on_hello(void *userdata, struct channel_peer *peer)
{
	struct agents *agents = userdata;
	struct agent_decision d;

	if (peer->owner)
		agent_pages_end(agents->options.pages, peer->owner);
	agent_cids_fill(&agents->rules.cids, agents->options.inventory);
	d = agent_decide(&agents->rules, peer);
	if (d.domain) {
		struct entry *e = entry_of(agents, d.domain);

		e->said_hello = true;
		e->hellos_total++;
	}
	carry_out(agents, peer, &d);
	if (d.verdict.refusal == PVSCHED_CHANNEL_NO_DOMAIN)
		look_for(agents);
}

static void on_late(void *userdata, struct channel_peer *peer)
{
	struct agents *agents = userdata;
	struct entry *e;

	if (!peer->owner)
		return;
	e = entry_of(agents, peer->owner);
	e->refusals_total[PVSCHED_CHANNEL_TOO_OFTEN]++;
	e->renew = false;
	agent_pages_end(agents->options.pages, peer->owner);
}

static void on_stored(void *userdata, struct channel_peer *peer)
{
	struct agents *agents = userdata;
	const struct agent_decision d = agent_decide(&agents->rules, peer);
	struct agent_pages_claim claim = {
	        .generation = peer->session.generation,
	        .nonce = peer->session.nonce,
	        .agent_generation = peer->hello->agent_generation,
	        .policy_version = d.verdict.policy.version,
	        .n_cpus = peer->hello->n_cpus,
	        .cpus = peer->hello->cpus,
	};

	strncpy(claim.policy_name, d.verdict.policy.name, sizeof(claim.policy_name) - 1);
	if (agent_pages_prove(agents->options.pages, peer->owner, &claim) < 0)
		channel_close(peer, "its pages can't be looked for now");
}

static uint32_t on_states(void *userdata, struct channel_peer *peer,
                          struct pvsched_channel_vcpu *ret, uint32_t max)
{
	struct agents *agents = userdata;

	return agent_pages_states(agents->options.pages, peer->owner, ret, max);
}

static void on_gone(void *userdata, struct channel_peer *peer, const char *why)
{
	struct agents *agents = userdata;

	if (peer->owner)
		say(entry_of(agents, peer->owner), LOG_INFO, why);
	else
		log_debug("agent with CID %u: %s", peer->cid, why);
	detach(agents, peer);
}

/* ---- what the pages tell ---- */

void agents_proven(struct agents *agents, const struct inventory_domain *domain,
                   uint64_t generation, const struct agent_pages_result *result)
{
	struct channel_peer *peer = entry_of(agents, domain)->peer;
	struct channel_verdict verdict;

	if (!peer || channel_session_proven(&peer->session, generation) != 0)
		return;
	verdict = agent_decide(&agents->rules, peer).verdict;
	verdict.refusal = result->refusal;
	verdict.status = result->refusal == PVSCHED_CHANNEL_SERVED ? PVSCHED_STATUS_ENABLED
	                                                           : PVSCHED_STATUS_DISABLED;
	verdict.n_pages = result->n_found;
	answer(agents, peer, &verdict, result->why);
}

static void renew_due(struct agents *agents)
{
	uint64_t now_ns = clock_now_ns(), next_ns = NSEC_NEVER;

	for (struct entry *e = agents->of; e < agents->of + PVS_DOMAINS_MAX; e++) {
		if (!e->renew)
			continue;
		if (now_ns >= e->challenged_ns + RENEW_NS)
			challenge(agents, e->peer);
		else
			next_ns = MIN(next_ns, e->challenged_ns + RENEW_NS);
	}
	if (next_ns == NSEC_NEVER)
		return;
	sd_event_source_set_time(agents->renewals, next_ns / NSEC_PER_USEC + 1);
	sd_event_source_set_enabled(agents->renewals, SD_EVENT_ONESHOT);
}

static int on_renewals(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	renew_due(userdata);
	return 0;
}

void agents_lost(struct agents *agents, const struct inventory_domain *domain,
                 enum agent_pages_loss loss)
{
	static const char *const texts[] = {
	        [AGENT_PAGES_RESET] = "its guest was reset, restored or migrated",
	        [AGENT_PAGES_MOVED] = "its pages are not where they were",
	        [AGENT_PAGES_READER] = "the reader was lost",
	};
	struct entry *e = entry_of(agents, domain);

	/* one that has yet to store a challenge is proven after that; one that was refused stays so
	 */
	if (!e->peer || (e->peer->session.phase != CHANNEL_PROVING &&
	                 e->peer->session.refusal != PVSCHED_CHANNEL_SERVED))
		return;
	e->losses_total++;
	say(e, LOG_INFO, texts[loss]);
	e->renew = true;
	renew_due(agents);
}

void agents_changed(struct agents *agents, const struct inventory_domain *domain, bool at_once)
{
	struct channel_peer *peer = entry_of(agents, domain)->peer;

	if (peer)
		channel_changed(peer, at_once);
}

/* ---- for others ---- */

void agents_end(struct agents *agents, const struct inventory_domain *domain)
{
	struct entry *e = entry_of(agents, domain);

	if (e->peer)
		detach(agents, e->peer);
	else
		agent_pages_end(agents->options.pages, domain);
	agent_cids_forget(&agents->rules.cids, domain);
	*e = (struct entry){0};
}

void agents_ask_allowed(struct agents *agents,
                        bool (*allowed)(void *userdata, const struct inventory_domain *domain),
                        void *userdata)
{
	agents->rules.allowed = allowed;
	agents->rules.userdata = userdata;
}

/* Also where no agent is allowed: each is to learn that. */
static void listen_now(struct agents *agents)
{
	int fd = STEAL(agents->listen_fd, -1);

	if (agents->server->listens)
		return;
	if (fd < 0 && agents->rules.host->agents != CONFIG_AGENTS_LISTEN)
		return;
	agents->listen_error = 0;
	if (fd < 0)
		fd = agents->listen_error = channel_listen();
	if (fd >= 0)
		agents->listen_error = channel_server_listen(agents->server, fd);
	if (agents->listen_error < 0)
		log_warning("agents in guests can't connect: vsock port %d can't be opened: %s",
		            PVSCHED_CHANNEL_PORT, strerror(-agents->listen_error));
	else
		log_info("agents in guests may connect to vsock port %d", PVSCHED_CHANNEL_PORT);
}

void agents_configure(struct agents *agents, const struct config_host *host)
{
	agents->rules.host = host;
	listen_now(agents);
}

/* The socket that systemd has opened; -1: none. Others that it gave are closed. */
static int take_listener(void)
{
	int n = sd_listen_fds(1), found = -1;

	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
		if (found < 0 && channel_is_listener(fd))
			found = fd;
		else
			close(fd);
	}
	return found;
}

static int construct(struct agents *agents)
{
	const struct channel_ops ops = {.hello = on_hello,
	                                .late = on_late,
	                                .stored = on_stored,
	                                .states = on_states,
	                                .gone = on_gone,
	                                .userdata = agents};
	int r = channel_server_new(&agents->server, agents->options.event, &ops);

	if (r < 0)
		return r;
	r = sd_event_add_time(agents->options.event, &agents->renewals, CLOCK_MONOTONIC, 0, 0,
	                      on_renewals, agents);
	return r < 0 ? r : sd_event_source_set_enabled(agents->renewals, SD_EVENT_OFF);
}

int agents_new(struct agents **ret, const struct agents_options *options)
{
	struct agents *agents = calloc(1, sizeof(*agents));
	int r;

	if (!agents)
		return -ENOMEM;
	agents->options = *options;
	agents->listen_fd = take_listener();
	r = construct(agents);
	if (r < 0) {
		agents_free(agents);
		return r;
	}
	*ret = agents;
	return 0;
}

struct agents *agents_free(struct agents *agents)
{
	if (!agents)
		return NULL;
	channel_server_free(agents->server);
	sd_event_source_disable_unref(agents->renewals);
	if (agents->listen_fd >= 0)
		close(agents->listen_fd);
	free(agents);
	return NULL;
}

void agents_read(const struct agents *agents, const struct inventory_domain *domain,
                 struct agent_view *ret)
{
	const struct entry *e = &agents->of[domain->slot];

	*ret = (struct agent_view){
	        .peer = e->peer,
	        .why = e->why,
	        .said_hello = e->said_hello,
	        .hellos_total = e->hellos_total,
	        .losses_total = e->losses_total,
	};
	memcpy(ret->refusals_total, e->refusals_total, sizeof(ret->refusals_total));
	agent_pages_read(agents->options.pages, domain, &ret->pages);
}

void agents_read_all(const struct agents *agents, struct agents_view *ret)
{
	*ret = (struct agents_view){
	        .listens = agents->server->listens,
	        .error = agents->listen_error,
	        .n_peers = agents->server->n_peers,
	        .counters = agents->server->shared.counters,
	};
	for (const struct channel_peer *peer = agents->server->peers; peer; peer = peer->next) {
		ret->n_served += peer->session.refusal == PVSCHED_CHANNEL_SERVED;
		ret->n_unknown += peer->hello && !peer->owner;
	}
}
