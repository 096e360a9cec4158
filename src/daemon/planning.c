// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/planning.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/registry.h"
#include "util/log.h"

_Static_assert(DOMAIN_METADATA_PROFILE_MAX == PROFILE_NAME_MAX, "a name fits in both");
_Static_assert(DOMAIN_METADATA_SHARE_MAX == PROFILE_SHARE_PERMILLE_MAX, "one limit");
_Static_assert(DOMAIN_METADATA_BURST_US_MIN *NSEC_PER_USEC == PROFILE_BURST_NS_MIN, "one limit");
_Static_assert(DOMAIN_METADATA_BURST_US_MAX *NSEC_PER_USEC == PROFILE_BURST_NS_MAX, "one limit");

#define METADATA_SOURCE "metadata of the domain"
#define LEARNED_SOURCE  "learned of the domain's demand"

/* What the last plan says of the domain of a slot. */
struct planned {
	uint64_t serial; /* of that domain; 0: none */
	struct plan_domain plan;
	char metadata_error[192];
};

/* Input and result of one plan: a place for each domain and vCPU, in the inventory's order. */
struct draft {
	struct plan_domain_input *domains;
	struct plan_vcpu_input *vcpus;
	struct plan plan;
};

struct planning {
	struct planning_inputs inputs;
	const struct config *config;
	struct draft last;
	struct planned of[PVS_DOMAINS_MAX];
};

static void draft_free(struct draft *draft)
{
	free(draft->domains);
	free(draft->vcpus);
	free(draft->plan.domains);
	free(draft->plan.vcpus);
}

int planning_new(struct planning **ret, const struct planning_inputs *inputs)
{
	struct planning *planning = calloc(1, sizeof(*planning));

	if (!planning)
		return -ENOMEM;
	planning->inputs = *inputs;
	*ret = planning;
	return 0;
}

struct planning *planning_free(struct planning *planning)
{
	if (!planning)
		return NULL;
	draft_free(&planning->last);
	free(planning);
	return NULL;
}

void planning_configure(struct planning *planning, const struct config *config)
{
	planning->config = config;
}

/* ---- input ---- */

static enum plan_metadata_rule metadata_rule(enum config_metadata metadata)
{
	switch (metadata) {
	case CONFIG_METADATA_IGNORE:
		return PLAN_METADATA_IGNORE;
	case CONFIG_METADATA_OBSERVE:
		return PLAN_METADATA_OBSERVE;
	case CONFIG_METADATA_HONOUR:
		return PLAN_METADATA_HONOUR;
	}
	return PLAN_METADATA_IGNORE;
}

static struct plan_metadata metadata_input(const struct planning *planning,
                                           const struct domain_metadata *metadata)
{
	struct plan_metadata ret = {
	        .names_profile = metadata->profile[0] != '\0',
	        .share_permille = metadata->share_permille,
	        .burst_ns = metadata->burst_us * NSEC_PER_USEC,
	};

	switch (metadata->state) {
	case DOMAIN_METADATA_NONE:
		ret.state = PLAN_METADATA_ABSENT;
		break;
	case DOMAIN_METADATA_INVALID:
		ret.state = PLAN_METADATA_MALFORMED;
		break;
	case DOMAIN_METADATA_VALID:
		ret.state = PLAN_METADATA_WELL_FORMED;
		break;
	}
	if (ret.names_profile)
		ret.profile = config_profile(planning->config, metadata->profile);
	return ret;
}

/* A profile that is no longer in the configuration sets nothing, nor does a policy of another
 * version of pvschedd. */
static struct plan_override override_input(const struct planning *planning,
                                           const struct policy_entry *policy)
{
	if (!policy)
		return (struct plan_override){0};
	return (struct plan_override){
	        .profile = config_profile(planning->config, policy->profile),
	        .share_permille = policy->share_permille,
	        .burst_ns = policy->burst_ns,
	        .policy = policy->policy[0] ? registry_parse(policy->policy) : REGISTRY_NONE,
	};
}

static void choose(const struct config *config, const struct domain *seen,
                   struct config_choice *ret)
{
	const struct config_subject subject = {seen->uuid, seen->name, &seen->labels};

	config_choose(config, &subject, ret);
}

/* An agent's pages have the words of the guest's scheduler, too: they go before a carrier's. */
static void pages_input(const struct planning_inputs *inputs, const struct inventory_domain *d,
                        struct plan_domain_input *ret)
{
	uint64_t generation = agent_pages_usable(inputs->agent_pages, d);

	ret->page_generation = carriers_usable(inputs->carriers, d, &ret->n_pages);
	if (!generation)
		return;
	ret->page_generation = generation;
	ret->n_pages = DOMAIN_VCPUS_MAX; /* a vCPU that is not in the claim gets an empty page */
}

static void domain_input(const struct planning *planning, const struct inventory_domain *d,
                         struct plan_domain_input *ret)
{
	const struct planning_inputs *inputs = &planning->inputs;
	const struct policy_entry *trial = trials_policy(inputs->trials, d);
	struct config_choice choice;

	choose(planning->config, d->seen, &choice);
	*ret = (struct plan_domain_input){
	        .trial = override_input(planning, trial),
	        .command = override_input(planning, overrides_policy(inputs->overrides, d)),
	        .persistent = override_input(planning, state_policy(inputs->state, d->seen->uuid)),
	        .configured = choice.profile,
	        .has_entry = choice.match != CONFIG_MATCH_DEFAULT,
	        .metadata = metadata_input(planning, &d->seen->metadata),
	        .learned = *learned_of(inputs->learned, d),
	        .paused = d->seen->state != DOMAIN_RUNNING ||
	                  lifecycle_migrating(inputs->lifecycle, d),
	        .released = !trial && overrides_released(inputs->overrides, d),
	};
	pages_input(inputs, d, ret);
}

static struct plan_vcpu_input vcpu_input(const struct planning *planning,
                                         const struct inventory_vcpu *v, unsigned int domain)
{
	return (struct plan_vcpu_input){
	        .domain = domain,
	        .index = v->thread.index,
	        .cpus = v->affinity.words,
	        .proven = v->thread.proof != VCPU_PROOF_NONE,
	        .quota = v->quota,
	        .has_group = planning->inputs.has_cgroup && v->thread.cgroup[0],
	        .clamp_spent = v->slot != SLOT_NONE &&
	                       clamp_budget_spent(planning->inputs.clamps, v->slot),
	};
}

static int draft_new(const struct planning *planning, struct draft *ret, size_t *n_domains,
                     size_t *n_vcpus)
{
	size_t domains, vcpus;

	*n_vcpus = inventory_count(planning->inputs.inventory, n_domains);
	domains = MAX(*n_domains, (size_t)1);
	vcpus = MAX(*n_vcpus, (size_t)1);
	ret->domains = calloc(domains, sizeof(*ret->domains));
	ret->vcpus = calloc(vcpus, sizeof(*ret->vcpus));
	ret->plan.domains = calloc(domains, sizeof(*ret->plan.domains));
	ret->plan.vcpus = calloc(vcpus, sizeof(*ret->plan.vcpus));
	return ret->domains && ret->vcpus && ret->plan.domains && ret->plan.vcpus ? 0 : -ENOMEM;
}

static void draft_fill(const struct planning *planning, const struct planning_wish *wish,
                       struct draft *draft)
{
	unsigned int domain = 0;
	size_t vcpu = 0;

	for (const struct inventory_domain *d = planning->inputs.inventory->domains; d;
	     d = d->next) {
		domain_input(planning, d, &draft->domains[domain]);
		if (d == wish->domain) {
			draft->domains[domain].command = (struct plan_override){
			        .profile = wish->profile,
			        .policy = draft->domains[domain].command.policy};
			draft->domains[domain].released = false;
		}
		for (size_t i = 0; i < d->n_vcpus; i++)
			draft->vcpus[vcpu++] = vcpu_input(planning, &d->vcpus[i], domain);
		domain++;
	}
}

/* ---- results ---- */

static void metadata_explain(const struct domain *domain, enum plan_metadata_use use, char *error,
                             size_t size)
{
	const struct domain_metadata *metadata = &domain->metadata;

	*error = '\0';
	if (use != PLAN_METADATA_USE_INVALID)
		return;
	if (metadata->state == DOMAIN_METADATA_INVALID)
		snprintf(error, size, "%s", metadata->error);
	else
		snprintf(error, size, "there is no profile \"%s\" in the configuration",
		         metadata->profile);
}

static void keep(struct planned *planned, const struct inventory_domain *d,
                 const struct plan_domain *plan)
{
	struct log_context ctx = {.domain = d->seen->name, .vcpu = -1};
	char error[sizeof(planned->metadata_error)];

	if (planned->serial != d->serial)
		*planned = (struct planned){.serial = d->serial};
	planned->plan = *plan;
	metadata_explain(d->seen, plan->metadata_use, error, sizeof(error));
	/* plans are made for many reasons: said once */
	if (error[0] && strcmp(error, planned->metadata_error) != 0)
		log_write(LOG_WARNING, &ctx,
		          "domain \"%s\": the policy in its metadata is ignored: %s", d->seen->name,
		          error);
	snprintf(planned->metadata_error, sizeof(planned->metadata_error), "%s", error);
}

static int draft_make(const struct planning *planning, const struct plan_switches *switches,
                      const struct planning_wish *wish, struct draft *draft)
{
	const struct config_host *host = config_host(planning->config);
	struct plan_input input = {
	        .host =
	                {
	                        .switches = *switches,
	                        .metadata = metadata_rule(host->metadata),
	                        .cpu_share_permille = MIN(host->caps.cpu_share_permille,
	                                                  planning->inputs.sheet_permille),
	                        .domain_share_permille = host->caps.domain_share_permille,
	                        .domain_burst_ns = host->caps.domain_burst_ns,
	                        .cpu_burst_ns = host->caps.cpu_burst_ns,
	                        .slots = PVS_VCPUS_MAX,
	                        .grants_rt_budgets = host->grant_rt_budget,
	                        .cpu_words = CPU_SET_BITS_WORDS,
	                        .housekeeping = host->housekeeping.words,
	                },
	};
	int r = draft_new(planning, draft, &input.n_domains, &input.n_vcpus);

	if (r < 0)
		return r;
	draft_fill(planning, wish, draft);
	input.domains = draft->domains;
	input.vcpus = draft->vcpus;
	return plan_make(&input, &draft->plan);
}

int planning_make(struct planning *planning, const struct plan_switches *switches,
                  const struct plan **ret)
{
	static const struct planning_wish none;
	CLEANUP(draft_free) struct draft draft = {0};
	const struct plan_domain *plan;
	int r = draft_make(planning, switches, &none, &draft);

	if (r < 0)
		return r;
	draft_free(&planning->last);
	planning->last = STEAL(draft, (struct draft){0});
	plan = planning->last.plan.domains;
	for (const struct inventory_domain *d = planning->inputs.inventory->domains; d; d = d->next)
		keep(&planning->of[d->slot], d, plan++);
	*ret = &planning->last.plan;
	return 0;
}

int planning_try(const struct planning *planning, const struct plan_switches *switches,
                 const struct planning_wish *wish, struct plan *ret)
{
	CLEANUP(draft_free) struct draft draft = {0};
	int r = draft_make(planning, switches, wish, &draft);

	if (r == 0)
		*ret = STEAL(draft.plan, (struct plan){0});
	return r;
}

void planning_try_cleanup(struct plan *plan)
{
	free(plan->domains);
	free(plan->vcpus);
}

/* ---- for reports ---- */

static const struct planned *planned_of(const struct planning *planning,
                                        const struct inventory_domain *domain)
{
	static const struct planned none = {.plan.profile = PROFILE_OFF_INIT};
	const struct planned *planned = &planning->of[domain->slot];

	return planned->serial == domain->serial ? planned : &none;
}

const struct plan_domain *planning_domain(const struct planning *planning,
                                          const struct inventory_domain *domain)
{
	return &planned_of(planning, domain)->plan;
}

const struct learned *planning_learned(const struct planning *planning,
                                       const struct inventory_domain *domain)
{
	return learned_of(planning->inputs.learned, domain);
}

const char *planning_metadata_error(const struct planning *planning,
                                    const struct inventory_domain *domain)
{
	return planned_of(planning, domain)->metadata_error;
}

void planning_choice(const struct planning *planning, const struct inventory_domain *domain,
                     struct config_choice *ret)
{
	const struct plan_domain *plan = planning_domain(planning, domain);
	const char *by = NULL;

	choose(planning->config, domain->seen, ret);
	switch (plan->origin) {
	case PLAN_BY_TRIAL:
		by = "pvschedctl trial";
		break;
	case PLAN_BY_COMMAND:
		by = "pvschedctl policy set";
		break;
	case PLAN_BY_PERSISTENT_COMMAND:
		by = "pvschedctl policy set --persist";
		break;
	case PLAN_BY_METADATA:
		by = METADATA_SOURCE;
		break;
	case PLAN_BY_ENTRY:
	case PLAN_BY_DEFAULT:
		break;
	}
	if (by)
		config_choose_profile(planning->config, plan->profile.name, by, ret);
	ret->profile = plan->profile;
	if (by && plan->share_by_command)
		snprintf(ret->share_source, sizeof(ret->share_source), "%s", by);
	if (plan->policy_by_command || plan->policy_persists)
		snprintf(ret->policy_source, sizeof(ret->policy_source),
		         "pvschedctl policy assign%s", plan->policy_persists ? " --persist" : "");
	if (by && plan->burst_by_command)
		snprintf(ret->burst_source, sizeof(ret->burst_source), "%s", by);
	if (plan->share_by_metadata)
		snprintf(ret->share_source, sizeof(ret->share_source), METADATA_SOURCE);
	if (plan->burst_by_metadata)
		snprintf(ret->burst_source, sizeof(ret->burst_source), METADATA_SOURCE);
	if (!plan->learns || plan->profile.mode != PROFILE_BOOST)
		return;
	snprintf(ret->share_source, sizeof(ret->share_source), LEARNED_SOURCE);
	snprintf(ret->burst_source, sizeof(ret->burst_source), LEARNED_SOURCE);
}
