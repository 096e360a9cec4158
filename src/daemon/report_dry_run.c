// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_dry_run.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "daemon/report_json.h"
#include "policy/names.h"

/* What one domain has by a plan. */
struct holding {
	uint32_t least_permille; /* of its vCPUs' shares; 0: one has none */
	uint32_t domain_permille;
	enum policy_reason reason; /* why that one has none; WITHIN: all have one */
};

static enum policy_reason first_hold(uint32_t holds)
{
	return (enum policy_reason)__builtin_ctz(holds);
}

static void look_at(const struct plan_vcpu *vcpu, struct holding *ret)
{
	bool boosts = vcpu->profile.mode == PROFILE_BOOST;
	enum policy_reason reason = POLICY_REASON_WITHIN;

	if (!vcpu->traced)
		reason = vcpu->untraced;
	else if (!boosts)
		reason = vcpu->profile.learned ? POLICY_REASON_AUTO : POLICY_REASON_PROFILE;
	else if (vcpu->holds)
		reason = first_hold(vcpu->holds);
	if (reason != POLICY_REASON_WITHIN) {
		ret->least_permille = 0;
		if (ret->reason == POLICY_REASON_WITHIN)
			ret->reason = reason;
		return;
	}
	ret->least_permille = MIN(ret->least_permille, vcpu->profile.share_permille);
}

static struct holding holding_of(const struct plan_domain *domain, const struct plan_vcpu *vcpus,
                                 size_t n)
{
	struct holding ret = {.least_permille = n ? UINT32_MAX : 0,
	                      .domain_permille = domain->rule.share_permille,
	                      .reason = POLICY_REASON_WITHIN};

	for (size_t i = 0; i < n; i++)
		look_at(&vcpus[i], &ret);
	return ret;
}

static bool differ(const struct holding *a, const struct holding *b)
{
	return a->least_permille != b->least_permille || a->domain_permille != b->domain_permille ||
	       a->reason != b->reason;
}

static void add_row(cJSON *rows, const struct inventory_domain *d, const struct holding *now,
                    const struct holding *then)
{
	cJSON *row = cJSON_CreateObject();

	report_add_name(row, "domain", d);
	cJSON_AddStringToObject(row, "uuid", d->seen->uuid);
	report_integer(row, "vcpus", (int64_t)d->n_vcpus);
	report_integer(row, "share_now_permille", now->least_permille);
	report_integer(row, "share_then_permille", then->least_permille);
	report_integer(row, "domain_share_now_permille", now->domain_permille);
	report_integer(row, "domain_share_then_permille", then->domain_permille);
	cJSON_AddStringToObject(row, "reason", policy_reason_name(then->reason));
	cJSON_AddItemToArray(rows, row);
}

/* The domain first, then those that would lose or gain. */
static void add_rows(const struct views *views, const struct inventory_domain *wanted,
                     const struct plan *now, const struct plan *then, cJSON *rows)
{
	for (int others = 0; others < 2; others++) {
		size_t domain = 0, vcpu = 0;

		for (const struct inventory_domain *d = views->inventory->domains; d;
		     vcpu += d->n_vcpus, domain++, d = d->next) {
			struct holding a =
			        holding_of(&now->domains[domain], &now->vcpus[vcpu], d->n_vcpus);
			struct holding b =
			        holding_of(&then->domains[domain], &then->vcpus[vcpu], d->n_vcpus);

			if ((d == wanted) == !others && (!others || differ(&a, &b)))
				add_row(rows, d, &a, &b);
		}
	}
}

struct cJSON *report_dry_run(const struct views *views, const struct inventory_domain *domain,
                             const struct profile *profile)
{
	CLEANUP(planning_try_cleanup) struct plan now = {0}, then = {0};
	static const struct planning_wish none;
	const struct planning_wish wish = {.domain = domain, .profile = profile};
	const struct plan_switches *switches = switches_now(views->switches);
	cJSON *root;

	if (planning_try(views->planning, switches, &none, &now) < 0 ||
	    planning_try(views->planning, switches, &wish, &then) < 0)
		return NULL;
	root = cJSON_CreateObject();
	report_add_name(root, "domain", domain);
	cJSON_AddStringToObject(root, "profile", profile->name);
	report_integer(root, "share_permille", profile->share_permille);
	if (then.holds)
		cJSON_AddStringToObject(root, "host_reason",
		                        policy_reason_name(first_hold(then.holds)));
	add_rows(views, domain, &now, &then, cJSON_AddArrayToObject(root, "domains"));
	return root;
}
