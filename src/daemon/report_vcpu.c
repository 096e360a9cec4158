// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_vcpu.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "daemon/report_auto.h"
#include "daemon/report_delays.h"
#include "daemon/report_interrupts.h"
#include "daemon/report_json.h"
#include "daemon/report_levers.h"
#include "daemon/report_page.h"
#include "daemon/report_windows.h"
#include "policy/registry.h"

static void add_denied(cJSON *object, const struct policy_view *view)
{
	cJSON *denied = cJSON_AddObjectToObject(object, "denied_total");

	for (int r = 0; r < _POLICY_REASON_MAX; r++)
		if (view->denied_total[r])
			report_integer(denied, policy_reason_name((enum policy_reason)r),
			               (int64_t)view->denied_total[r]);
}

static void add_state(cJSON *object, const struct vcpu_snapshot *snapshot)
{
	char label[REGISTRY_LABEL_MAX];

	if (snapshot->traced && snapshot->booster.view.policy) {
		registry_label(snapshot->booster.view.policy, label);
		cJSON_AddStringToObject(object, "policy", label);
	}
	cJSON_AddStringToObject(object, "state", vcpu_snapshot_state(snapshot));
	cJSON_AddStringToObject(object, "reason",
	                        policy_reason_name(vcpu_snapshot_reason(snapshot)));
}

static cJSON *report(const struct views *views, const struct inventory_domain *domain,
                     const struct inventory_vcpu *vcpu, const struct vcpu_snapshot *snapshot)
{
	const struct pvs_vcpu_account *account = &snapshot->account;
	cJSON *object = cJSON_CreateObject();

	report_add_name(object, "domain", domain);
	cJSON_AddStringToObject(object, "uuid", domain->seen->uuid);
	report_integer(object, "vcpu", vcpu->thread.index);
	report_integer(object, "tid", vcpu->thread.id.tid);
	cJSON_AddStringToObject(object, "profile",
	                        planning_domain(views->planning, domain)->profile.name);
	add_state(object, snapshot);
	report_lever_of(views, vcpu, snapshot, object);
	report_integer(object, "boosts_total", (int64_t)snapshot->booster.view.boosts_total);
	report_integer(object, "would_boost_total", (int64_t)account->wakeups_imagined);
	add_denied(object, &snapshot->booster.view);
	report_integer(object, "boosted_ns", (int64_t)account->used_ns);
	report_integer(object, "would_boosted_ns", (int64_t)account->imagined_ns);
	report_integer(object, "run_ns", (int64_t)account->run_ns);
	report_integer(object, "wait_ns", (int64_t)account->wait_ns);
	report_delays(object, "wait_us", account->wait_counts,
	              account->wait_max_ns / NSEC_PER_USEC);
	report_delays(object, "request_to_applied_us", snapshot->booster.request_to_applied.counts,
	              snapshot->booster.request_to_applied.max_ns / NSEC_PER_USEC);
	return object;
}

struct cJSON *report_vcpu(const struct views *views, const struct inventory_domain *domain,
                          const struct inventory_vcpu *vcpu)
{
	struct vcpu_snapshot snapshot;

	vcpu_snapshot_take(views, vcpu, &snapshot);
	return report(views, domain, vcpu, &snapshot);
}

/* Whether boosts do harm on its CPUs. */
static void add_compared(const struct views *views, const struct inventory_vcpu *vcpu,
                         uint64_t now_ns, cJSON *object)
{
	struct harm_view view;
	cJSON *compared;

	if (vcpu->slot == SLOT_NONE || !comparing_read(views->comparing, vcpu->slot, &view))
		return;
	compared = cJSON_AddObjectToObject(object, "compared");
	report_integer(compared, "pairs", view.pairs);
	report_integer(compared, "worse", view.worse);
	report_integer(compared, "better", view.better);
	report_integer(compared, "own_worse", view.own_worse);
	report_integer(compared, "own_better", view.own_better);
	report_integer(compared, "verdicts_total", (int64_t)view.verdicts_total);
	report_integer(compared, "alone_total", (int64_t)view.alone_total);
	report_integer(compared, "alone_for_ms",
	               view.alone_until_ns > now_ns
	                       ? (int64_t)((view.alone_until_ns - now_ns) / NSEC_PER_MSEC)
	                       : 0);
	report_integer(compared, "off_ms", (int64_t)(view.off_ns / NSEC_PER_MSEC));
}

static uint32_t share_permille(const struct views *views, const struct inventory_domain *domain,
                               const struct inventory_vcpu *vcpu)
{
	const struct profile *profile = apply_profile(views->apply, vcpu->slot);

	if (!profile)
		profile = &planning_domain(views->planning, domain)->profile;
	return profile->share_permille;
}

struct cJSON *report_vcpu_detail(const struct views *views, const struct inventory_domain *domain,
                                 const struct inventory_vcpu *vcpu)
{
	struct vcpu_snapshot snapshot;
	const struct pvs_vcpu_account *account = &snapshot.account;
	const struct policy_view *view = &snapshot.booster.view;
	cJSON *object;

	vcpu_snapshot_take(views, vcpu, &snapshot);
	object = report(views, domain, vcpu, &snapshot);
	report_integer(object, "cpu", account->cpu);
	report_integer(object, "share_permille", share_permille(views, domain, vcpu));
	report_integer(object, "tokens_us", snapshot.facts.tokens_ns / (int64_t)NSEC_PER_USEC);
	report_integer(object, "charge_min_ns", snapshot.facts.prices.charge_min_ns);
	report_integer(object, "entitlement_permille", account->entitled_permille);
	report_integer(object, "wakeups", (int64_t)account->wakeups);
	report_integer(object, "boosted_wakeups", (int64_t)account->wakeups_boosted);
	report_integer(object, "preemptions", (int64_t)account->preemptions);
	report_integer(object, "halts", (int64_t)account->halts);
	report_interrupts(account, view, object);
	report_integer(object, "threads_mended", (int64_t)vcpu->children_mended);
	cJSON_AddStringToObject(object, "identity",
	                        snapshot.tracer_knows_identity ? "tracer" : "proc");
	report_integer(object, "unseen_total", account->unseen);
	report_integer(object, "throttles_total", (int64_t)view->throttles_total);
	report_integer(object, "shorts_total", (int64_t)view->shorts_total);
	report_integer(object, "work_us", (int64_t)(account->work.most_ns / NSEC_PER_USEC));
	report_integer(object, "yields_total", (int64_t)view->yields_total);
	add_compared(views, vcpu, snapshot.taken_ns, object);
	report_windows(views, vcpu, &snapshot, object);
	report_page(&snapshot.booster.page, object);
	return object;
}

static void next_sentence(const struct vcpu_snapshot *snapshot, char *text, size_t size)
{
	uint64_t next_ns = snapshot->booster.view.next_ns, now_ns = snapshot->taken_ns;

	if (snapshot->traced && next_ns != NSEC_NEVER)
		snprintf(text, size, "It is looked at again in %.1f ms.",
		         next_ns > now_ns ? (double)(next_ns - now_ns) / NSEC_PER_MSEC : 0.0);
	else if (snapshot->traced && snapshot->booster.view.state == POLICY_ARMED)
		snprintf(text, size, "It is unboosted when its tokens (%.1f us now) are used up.",
		         (double)snapshot->facts.tokens_ns / NSEC_PER_USEC);
	else
		snprintf(text, size, "Nothing happens until the cause is gone.");
}

/* The reason as a sentence; a command in it has the domain's name. */
static void explain_reason(enum policy_reason reason, const struct inventory_domain *domain,
                           char *text, size_t size)
{
	static const char place[] = " DOM ";
	const char *sentence = policy_reason_text(reason);
	const char *at = strstr(sentence, place);

	if (at)
		snprintf(text, size, "%.*s %s %s", (int)(at - sentence), sentence,
		         report_word(domain), at + strlen(place));
	else
		snprintf(text, size, "%s", sentence);
}

struct cJSON *report_vcpu_explain(const struct views *views, const struct inventory_domain *domain,
                                  const struct inventory_vcpu *vcpu)
{
	cJSON *object = cJSON_CreateObject();
	struct vcpu_snapshot snapshot;
	char next[128], text[768];
	uint64_t since_ns;

	vcpu_snapshot_take(views, vcpu, &snapshot);
	since_ns = snapshot.booster.view.since_ns;
	next_sentence(&snapshot, next, sizeof(next));
	report_add_name(object, "domain", domain);
	report_integer(object, "vcpu", vcpu->thread.index);
	add_state(object, &snapshot);
	explain_reason(vcpu_snapshot_reason(&snapshot), domain, text, sizeof(text));
	cJSON_AddStringToObject(object, "explanation", text);
	report_auto_explain(views, domain, object);
	report_lever_of(views, vcpu, &snapshot, object);
	report_lever_explain(views, vcpu, &snapshot, object);
	report_integer(object, "since_ms",
	               snapshot.traced ? (int64_t)((snapshot.taken_ns - since_ns) / NSEC_PER_MSEC)
	                               : 0);
	add_denied(object, &snapshot.booster.view);
	report_signs(&snapshot.booster.view, object);
	cJSON_AddStringToObject(object, "next", next);
	return object;
}

struct cJSON *report_vcpu_boost(const struct views *views, const struct inventory_vcpu *vcpu)
{
	cJSON *object = cJSON_CreateObject();
	struct vcpu_snapshot snapshot;
	enum policy_reason reason;

	vcpu_snapshot_take(views, vcpu, &snapshot);
	reason = vcpu_snapshot_reason(&snapshot);
	report_integer(object, "vcpu", vcpu->thread.index);
	cJSON_AddBoolToObject(object, "boosted",
	                      snapshot.traced && snapshot.booster.view.state == POLICY_ARMED);
	cJSON_AddStringToObject(object, "reason", policy_reason_name(reason));
	cJSON_AddStringToObject(object, "text", policy_reason_text(reason));
	return object;
}
