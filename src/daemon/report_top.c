/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/report_top.h"

#include <cjson/cJSON.h>

#include "daemon/report_auto.h"
#include "daemon/report_domains.h"
#include "daemon/report_json.h"
#include "daemon/report_windows.h"
#include "daemon/vcpu_snapshot.h"
#include "util/clock.h"

/* Of one vCPU, or of all of a domain. */
struct sums {
	uint64_t boosts, denied_sum, boosted_ns, run_ns, wait_ns, wakeups;
	int64_t boosted_vcpus; /* now */
	struct window_sums windows;
	enum policy_reason reason;
	bool unboosted;       /* @reason says why one is */
	uint64_t most_denied; /* of a vCPU, lately */
	enum policy_reason denied;
};

/* The reason is that of the first vCPU that is not boosted; else that of the first. */
static void add_vcpu(const struct views *views, const struct inventory_vcpu *vcpu,
                     const struct vcpu_snapshot *snapshot, struct sums *sums)
{
	bool unboosted = snapshot->booster.view.state != POLICY_ARMED;
	uint64_t denied = sums->windows.now.denied;

	if (sums->wakeups == 0 || (unboosted && !sums->unboosted))
		sums->reason = vcpu_snapshot_reason(snapshot);
	sums->unboosted |= unboosted;
	sums->boosts += snapshot->booster.view.boosts_total;
	sums->denied_sum += snapshot->booster.view.denied_sum;
	sums->boosted_vcpus += snapshot->traced && !unboosted;
	sums->boosted_ns += snapshot->account.used_ns;
	sums->run_ns += snapshot->account.run_ns;
	sums->wait_ns += snapshot->account.wait_ns;
	sums->wakeups += snapshot->account.wakeups;
	report_windows_sum(views, vcpu, snapshot, &sums->windows);
	denied = sums->windows.now.denied - denied;
	if (denied <= sums->most_denied)
		return;
	sums->most_denied = denied;
	sums->denied = snapshot->booster.view.denied_last;
}

/*
 * Why it is not boosted more: the last denial of the vCPU that had the most of them lately; else
 * what keeps one unboosted now. Nothing, if neither is.
 */
static const char *why_not_more(const struct sums *sums)
{
	if (sums->most_denied)
		return policy_reason_name(sums->denied);
	return sums->unboosted ? policy_reason_name(sums->reason) : "";
}

static void add_sums(cJSON *object, const struct sums *sums)
{
	report_integer(object, "boosts_total", (int64_t)sums->boosts);
	report_integer(object, "denied_sum", (int64_t)sums->denied_sum);
	report_integer(object, "boosted_ns", (int64_t)sums->boosted_ns);
	report_integer(object, "run_ns", (int64_t)sums->run_ns);
	report_integer(object, "wait_ns", (int64_t)sums->wait_ns);
	report_integer(object, "wakeups", (int64_t)sums->wakeups);
	cJSON_AddStringToObject(object, "reason", policy_reason_name(sums->reason));
	cJSON_AddStringToObject(object, "why", why_not_more(sums));
	report_window_sums(&sums->windows, object);
}

struct cJSON *report_top_domain(const struct views *views, const struct inventory_domain *d)
{
	struct sums sums = {.reason = POLICY_REASON_PROFILE};
	cJSON *object = cJSON_CreateObject();
	struct vcpu_snapshot snapshot;

	report_add_name(object, "domain", d);
	cJSON_AddStringToObject(object, "uuid", d->seen->uuid);
	cJSON_AddStringToObject(object, "state", report_domain_state(views, d));
	cJSON_AddStringToObject(object, "profile",
	                        planning_domain(views->planning, d)->profile.name);
	report_integer(object, "vcpus", (int64_t)d->n_vcpus);
	for (size_t i = 0; i < d->n_vcpus; i++) {
		vcpu_snapshot_take(views, &d->vcpus[i], &snapshot);
		add_vcpu(views, &d->vcpus[i], &snapshot, &sums);
	}
	report_auto(views, d, object);
	report_integer(object, "boosted_vcpus", sums.boosted_vcpus);
	add_sums(object, &sums);
	return object;
}

static cJSON *of_vcpu(const struct views *views, const struct inventory_domain *d,
                      const struct inventory_vcpu *vcpu)
{
	struct sums sums = {.reason = POLICY_REASON_PROFILE};
	cJSON *object = cJSON_CreateObject();
	struct vcpu_snapshot snapshot;

	vcpu_snapshot_take(views, vcpu, &snapshot);
	add_vcpu(views, vcpu, &snapshot, &sums);
	report_add_name(object, "domain", d);
	cJSON_AddStringToObject(object, "uuid", d->seen->uuid);
	report_integer(object, "vcpu", vcpu->thread.index);
	report_integer(object, "tid", vcpu->thread.id.tid);
	cJSON_AddStringToObject(object, "state", vcpu_snapshot_state(&snapshot));
	cJSON_AddStringToObject(object, "profile",
	                        planning_domain(views->planning, d)->profile.name);
	add_sums(object, &sums);
	return object;
}

struct cJSON *report_top(const struct views *views, const struct inventory_domain *domain)
{
	cJSON *root = cJSON_CreateObject(), *rows = cJSON_AddArrayToObject(root, "rows");

	report_integer(root, "taken_us", (int64_t)(clock_now_ns() / NSEC_PER_USEC));
	for (const struct inventory_domain *d = views->inventory->domains; d && !domain;
	     d = d->next)
		cJSON_AddItemToArray(rows, report_top_domain(views, d));
	for (size_t i = 0; domain && i < domain->n_vcpus; i++)
		cJSON_AddItemToArray(rows, of_vcpu(views, domain, &domain->vcpus[i]));
	return root;
}
