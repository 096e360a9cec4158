// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/refused.h"

#include <string.h>

#include "policy/names.h"
#include "util/log.h"
#include "util/log_ids.h"

/* Bits of inventory_vcpu::said. */
enum {
	SAID_NO_BUDGET = 1 << 0,
	SAID_NOT_MANAGED = 1 << 1,
	SAID_NOT_TRACED = 1 << 2,
	SAID_NO_SLICE = 1 << 3,
	SAID_NO_CLAMP = 1 << 4,
	SAID_OWN_SLICE = 1 << 5,
	SAID_OWN_CLAMP = 1 << 6,
	SAID_NOT_RETURNED = 1 << 7,
};

static bool is_first(struct inventory_vcpu *vcpu, unsigned int said)
{
	bool first = !(vcpu->said & said);

	vcpu->said |= said;
	return first;
}

void refused_budget(const struct inventory_domain *domain, struct inventory_vcpu *vcpu,
                    uint32_t rt_permille, const char *group, int error)
{
	struct log_context ctx = {
	        .domain = domain->seen->name,
	        .vcpu = (int)vcpu->thread.index,
	        .reason = policy_reason_name(POLICY_REASON_RT_REFUSED),
	        .message_id = LOG_ID_BOOST_REFUSED,
	};

	if (!is_first(vcpu, SAID_NO_BUDGET))
		return;
	log_write(LOG_WARNING, &ctx,
	          "domain \"%s\", vCPU %u: the RT budget of %u permille does not fit in group %s: "
	          "%s; lower what its siblings have, or boost fewer vCPUs",
	          domain->seen->name, vcpu->thread.index, rt_permille, group, strerror(-error));
}

void refused_standing(const struct inventory_domain *domain, struct inventory_vcpu *vcpu,
                      const struct standing_view *view)
{
	static const struct {
		const char *name;
		unsigned int failed, own;
	} levers[_STANDING_LEVER_MAX] = {
	        [STANDING_SLICE] = {"slice", SAID_NO_SLICE, SAID_OWN_SLICE},
	        [STANDING_CLAMP] = {"clamp", SAID_NO_CLAMP, SAID_OWN_CLAMP},
	};
	const char *name = domain->seen->name;
	unsigned int index = vcpu->thread.index;

	for (int i = 0; i < _STANDING_LEVER_MAX; i++) {
		if (view->states[i] == STANDING_FAILED && is_first(vcpu, levers[i].failed))
			log_domain(LOG_WARNING, name,
			           "domain \"%s\", vCPU %u: thread %d gets no %s: %s", name, index,
			           vcpu->thread.id.tid, levers[i].name, strerror(-view->errors[i]));
		if (view->states[i] == STANDING_OWN && is_first(vcpu, levers[i].own))
			log_domain(LOG_NOTICE, name,
			           "domain \"%s\", vCPU %u: another program gave thread %d a %s; "
			           "it is left alone",
			           name, index, vcpu->thread.id.tid, levers[i].name);
	}
}

void refused_return(const struct inventory_domain *domain, struct inventory_vcpu *vcpu, int error)
{
	if (is_first(vcpu, SAID_NOT_RETURNED))
		log_domain(LOG_WARNING, domain->seen->name,
		           "domain \"%s\", vCPU %u: thread %d keeps its slice or clamp for now: "
		           "%s; it is tried again",
		           domain->seen->name, vcpu->thread.index, vcpu->thread.id.tid,
		           strerror(-error));
}

void refused_slots(struct inventory_domain *domain, uint32_t n)
{
	struct log_context ctx = {
	        .domain = domain->seen->name,
	        .vcpu = -1,
	        .reason = policy_reason_name(POLICY_REASON_NO_SLOT),
	        .message_id = LOG_ID_BOOST_REFUSED,
	};

	if (n && !domain->n_without_slot)
		log_write(LOG_WARNING, &ctx,
		          "domain \"%s\": %u of its vCPUs are neither measured nor boosted: the %u "
		          "slots are taken, and other domains have no more of them than this one; "
		          "give domains that need no boost the profile \"off\"",
		          domain->seen->name, n, PVS_VCPUS_MAX);
	else if (!n && domain->n_without_slot)
		log_domain(LOG_INFO, domain->seen->name,
		           "domain \"%s\": all of its vCPUs have slots again", domain->seen->name);
	domain->n_without_slot = n;
}

void refused_thread(const struct inventory_domain *domain, struct inventory_vcpu *vcpu, int error)
{
	if (is_first(vcpu, SAID_NOT_MANAGED))
		log_domain(LOG_WARNING, domain->seen->name,
		           "domain \"%s\", vCPU %u: not managed: %s", domain->seen->name,
		           vcpu->thread.index, strerror(-error));
}

void refused_tracing(const struct inventory_domain *domain, struct inventory_vcpu *vcpu, int error)
{
	if (is_first(vcpu, SAID_NOT_TRACED))
		log_domain(LOG_WARNING, domain->seen->name,
		           "domain \"%s\", vCPU %u: can't be traced, so it is not boosted: %s",
		           domain->seen->name, vcpu->thread.index, strerror(-error));
}
