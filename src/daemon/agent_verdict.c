// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/agent_verdict.h"

#include <errno.h>

#include "policy/registry.h"

static bool is_allowed(const struct agent_rules *rules, const struct inventory_domain *domain)
{
	return rules->host->agents != CONFIG_AGENTS_OFF &&
	       rules->host->guest_pages != CONFIG_GUEST_PAGES_OFF && rules->allowed &&
	       rules->allowed(rules->userdata, domain);
}

static struct channel_policy policy_of(uint32_t number)
{
	const struct registry_entry *entry = registry_of(number);

	return (struct channel_policy){entry->name, entry->version};
}

/* The first policy of the guest that there is here, too. */
static enum pvsched_status choose_policy(const struct channel_hello *hello,
                                         struct channel_policy *ret)
{
	uint32_t number;
	enum pvsched_status status =
	        registry_negotiate(hello->policies, hello->n_policies, &number);

	*ret = policy_of(number);
	return status;
}

struct agent_decision agent_decide(const struct agent_rules *rules, const struct channel_peer *peer)
{
	struct agent_decision d = {.verdict = {.policy = policy_of(REGISTRY_DEFAULT)}};
	struct channel_verdict *v = &d.verdict;
	int r = agent_cids_find(&rules->cids, peer->cid, &d.domain);

	if (r < 0) {
		v->refusal = r == -ENOTUNIQ ? PVSCHED_CHANNEL_AMBIGUOUS : PVSCHED_CHANNEL_NO_DOMAIN;
		return d;
	}
	if (!is_allowed(rules, d.domain)) {
		v->refusal = PVSCHED_CHANNEL_NOT_ALLOWED;
		return d;
	}
	v->status = peer->hello->abi_version != PVSCHED_ABI_VERSION
	                    ? PVSCHED_STATUS_ABI
	                    : choose_policy(peer->hello, &v->policy);
	if (v->status != PVSCHED_STATUS_ENABLED)
		v->refusal = PVSCHED_CHANNEL_NO_POLICY;
	return d;
}

/* An answer that another configuration or inventory may change; a proof gives the others. */
static bool is_decided(enum pvsched_channel_refusal refusal)
{
	switch (refusal) {
	case PVSCHED_CHANNEL_NO_DOMAIN:
	case PVSCHED_CHANNEL_NOT_ALLOWED:
	case PVSCHED_CHANNEL_NO_POLICY:
		return true;
	case PVSCHED_CHANNEL_SERVED:
	case PVSCHED_CHANNEL_AMBIGUOUS: /* which a proof gives as well: then it has a domain */
	case PVSCHED_CHANNEL_NOT_FOUND:
	case PVSCHED_CHANNEL_ENCRYPTED:
	case PVSCHED_CHANNEL_HOST_CANNOT:
	case PVSCHED_CHANNEL_TOO_OFTEN:
		return false;
	}
	return false;
}

bool agent_decision_stands(const struct channel_peer *peer, const struct agent_decision *decision)
{
	const struct channel_session *s = &peer->session;

	if (peer->owner != decision->domain)
		return false;
	if (s->phase == CHANNEL_ANSWERED && (is_decided(s->refusal) || !peer->owner))
		return s->refusal == decision->verdict.refusal;
	return decision->verdict.refusal == PVSCHED_CHANNEL_SERVED;
}
