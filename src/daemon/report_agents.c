// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_agents.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/report_json.h"

static bool has_cid(const struct inventory_domain *domain)
{
	return domain->seen->cids.n > 0;
}

static bool is_refused(const struct agent_view *view)
{
	return view->peer && strcmp(channel_session_state(&view->peer->session), "refused") == 0;
}

/* "absent": there is no way to connect; "awaited": it is not connected, or has not said hello. */
static const char *state_of(const struct inventory_domain *domain, const struct agent_view *view)
{
	if (view->peer)
		return channel_session_state(&view->peer->session);
	return has_cid(domain) ? "awaited" : "absent";
}

static void detail_of(const struct inventory_domain *domain, const struct agent_view *view,
                      char *text, size_t size)
{
	text[0] = '\0';
	if (!view->peer && !has_cid(domain))
		snprintf(
		        text, size,
		        "the domain has no vsock device; `pvschedctl attach --agent` gives it one");
	else if (is_refused(view))
		snprintf(text, size, "%s%s%s", channel_refusal_text(view->peer->session.refusal),
		         *view->why ? ": " : "", view->why);
}

static void add_unavailable(uint64_t bits, cJSON *report)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} all[] = {{PVSCHED_CS_NMI, "nmi"},
	           {PVSCHED_CS_HARDIRQ, "hardirq"},
	           {PVSCHED_CS_SOFTIRQ, "softirq"},
	           {PVSCHED_CS_PREEMPT, "preempt"}};
	cJSON *array = cJSON_AddArrayToObject(report, "unavailable");

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (bits & all[i].bit)
			cJSON_AddItemToArray(array, cJSON_CreateString(all[i].name));
}

static void add_totals(const struct agent_view *view, cJSON *report)
{
	cJSON *refusals;

	report_integer(report, "hellos_total", (int64_t)view->hellos_total);
	report_integer(report, "losses_total", (int64_t)view->losses_total);
	refusals = cJSON_AddObjectToObject(report, "refusals_total");
	for (int i = PVSCHED_CHANNEL_NO_DOMAIN; i < AGENT_REFUSALS; i++)
		if (view->refusals_total[i])
			report_integer(refusals,
			               channel_refusal_name((enum pvsched_channel_refusal)i),
			               (int64_t)view->refusals_total[i]);
}

/* All texts of a hello are printable ASCII. */
static void add_hello(const struct channel_peer *peer, cJSON *report)
{
	const struct channel_hello *hello = peer->hello;

	cJSON_AddStringToObject(report, "version", hello->agent_version);
	cJSON_AddStringToObject(report, "kernel", hello->kernel);
	report_integer(report, "cpus", hello->n_cpus);
	add_unavailable(hello->cs_unavailable, report);
}

void report_agent(const struct agents *agents, const struct inventory_domain *domain,
                  struct cJSON *object)
{
	cJSON *report = cJSON_AddObjectToObject(object, "agent"), *cids;
	struct agent_view view;
	char detail[320];

	agents_read(agents, domain, &view);
	cJSON_AddStringToObject(report, "state", state_of(domain, &view));
	detail_of(domain, &view, detail, sizeof(detail));
	cJSON_AddStringToObject(report, "detail", detail);
	cids = cJSON_AddArrayToObject(report, "cids");
	for (uint32_t i = 0; i < domain->seen->cids.n; i++)
		cJSON_AddItemToArray(cids, cJSON_CreateNumber(domain->seen->cids.of[i]));
	add_totals(&view, report);
	if (!view.peer || !view.peer->hello)
		return;
	if (is_refused(&view))
		cJSON_AddStringToObject(report, "refusal",
		                        channel_refusal_name(view.peer->session.refusal));
	add_hello(view.peer, report);
	if (view.peer->session.refusal != PVSCHED_CHANNEL_SERVED)
		return;
	cJSON_AddStringToObject(report, "policy", view.peer->policy.name);
	report_integer(report, "policy_version", view.peer->policy.version);
	report_integer(report, "pages", view.peer->session.n_pages);
	report_hex(report, "generation", view.peer->session.generation);
}

void report_agents(const struct agents *agents, struct cJSON *object)
{
	cJSON *report = cJSON_AddObjectToObject(object, "agents");
	struct agents_view view;
	const struct channel_counters *c = &view.counters;

	agents_read_all(agents, &view);
	cJSON_AddBoolToObject(report, "listening", view.listens);
	report_integer(report, "connected", (int64_t)view.n_peers);
	report_integer(report, "served", (int64_t)view.n_served);
	report_integer(report, "unknown", (int64_t)view.n_unknown);
	report_integer(report, "connections_total", (int64_t)c->connections);
	report_integer(report, "refused_peers_total", (int64_t)c->refused_peers);
	report_integer(report, "refused_rate_total", (int64_t)c->refused_rate);
	report_integer(report, "bad_frames_total", (int64_t)c->bad_frames);
	report_integer(report, "hellos_total", (int64_t)c->hellos);
	report_integer(report, "hellos_delayed_total", (int64_t)c->hellos_delayed);
}

static void PRINTF_FORMAT(2, 3) say(struct agent_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
}

void report_agents_finding(const struct agents *agents, const struct config_host *host,
                           struct agent_finding *ret)
{
	struct agents_view view;

	*ret = (struct agent_finding){.status = "ok"};
	agents_read_all(agents, &view);
	if (view.error) {
		ret->status = "warn";
		snprintf(ret->fix, sizeof(ret->fix),
		         "modprobe vhost_vsock; under systemd, \"agents\": \"auto\" and systemctl "
		         "restart pvschedd, which starts pvschedd.socket");
		say(ret, "agents in guests can't connect: vsock port %d can't be opened: %s",
		    PVSCHED_CHANNEL_PORT, strerror(-view.error));
	} else if (host->agents == CONFIG_AGENTS_OFF) {
		say(ret, "agents in guests are refused: \"agents\" is \"off\"");
	} else if (!view.listens) {
		snprintf(ret->fix, sizeof(ret->fix),
		         "where guests have agents: modprobe vhost_vsock; systemctl restart "
		         "pvschedd; systemctl status pvschedd.socket");
		say(ret, "agents in guests can't connect: there is no pvschedd.socket");
	} else {
		say(ret, "%zu agents are connected, %zu of them are heeded", view.n_peers,
		    view.n_served);
	}
}

bool report_agent_finding(const struct agents *agents, const struct inventory_domain *domain,
                          struct agent_finding *ret)
{
	struct agent_view view;
	char detail[320];

	*ret = (struct agent_finding){.status = "warn"};
	agents_read(agents, domain, &view);
	if (is_refused(&view) && view.peer->session.refusal != PVSCHED_CHANNEL_NOT_ALLOWED) {
		detail_of(domain, &view, detail, sizeof(detail));
		say(ret, "its agent is refused: %s", detail);
		snprintf(ret->fix, sizeof(ret->fix),
		         "see the detail; in the guest: pvsched-agent status");
		return true;
	}
	if (view.said_hello || !has_cid(domain))
		return false;
	/* others use vsock, too */
	ret->status = "ok";
	say(ret, "it has a vsock device (CID %u), and no agent has ever said hello",
	    domain->seen->cids.of[0]);
	snprintf(ret->fix, sizeof(ret->fix),
	         "to have its hints, in the guest: apt install "
	         "pvsched-agent");
	return true;
}
