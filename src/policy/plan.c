// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/admission.h"

/*
 * A cgroup whose threads spend its RT budget is stopped even on an idle CPU. So it gets more than
 * the token bucket ever lets pass in a period of 1 s: the share, a burst, and the reaction to it.
 */
#define BUDGET_MARGIN_PERMILLE 50

/* A smaller share of a CPU is not worth a real-time class. */
#define SHARE_PERMILLE_MIN 10

/* What a guest is told to avoid is no matter of a vCPU's: the plan itself is asked for that. */
bool profile_equal(const struct profile *a, const struct profile *b)
{
	return strcmp(a->name, b->name) == 0 && a->mode == b->mode &&
	       a->share_permille == b->share_permille && a->burst_ns == b->burst_ns &&
	       a->requests == b->requests && a->on_interrupt == b->on_interrupt &&
	       a->levers == b->levers && a->slice_ns == b->slice_ns && a->util_min == b->util_min &&
	       a->util_permille == b->util_permille && a->learned == b->learned &&
	       a->policy == b->policy && a->help == b->help && a->helpers == b->helpers &&
	       a->of_helper == b->of_helper;
}

static bool boosts_by_rt(const struct profile *profile)
{
	return profile->mode == PROFILE_BOOST && (profile->levers & PROFILE_LEVER_RT);
}

static bool switched_off(const struct plan_switches *switches)
{
	return switches->disabled || !switches->enabled;
}

uint32_t plan_host_holds(const struct plan_switches *switches)
{
	uint32_t holds = 0;

	if (switched_off(switches))
		holds |= POLICY_HOLD(POLICY_REASON_DISABLED);
	if (switches->breaker_open)
		holds |= POLICY_HOLD(POLICY_REASON_BREAKER);
	if (!switches->guarded)
		holds |= POLICY_HOLD(POLICY_REASON_GUARDIAN);
	if (switches->preempt_rt)
		holds |= POLICY_HOLD(POLICY_REASON_PREEMPT_RT);
	if (!switches->traced || switches->deadlines_refused)
		holds |= POLICY_HOLD(POLICY_REASON_NO_TRACER);
	if (!switches->booster_realtime)
		holds |= POLICY_HOLD(POLICY_REASON_FAILED);
	return holds;
}

/* ---- the profile of a domain ---- */

static void override_apply(const struct plan_override *override, enum plan_origin origin,
                           struct plan_domain *ret)
{
	ret->profile = *override->profile;
	ret->origin = origin;
	ret->share_by_command = override->share_permille != 0;
	ret->burst_by_command = override->burst_ns != 0;
	if (ret->share_by_command)
		ret->profile.share_permille = override->share_permille;
	if (ret->burst_by_command)
		ret->profile.burst_ns = override->burst_ns;
}

/* Trial, command, persistent command, entry, default; metadata is heard after that. */
static void choose_profile(const struct plan_domain_input *in, struct plan_domain *ret)
{
	if (in->trial.profile) {
		override_apply(&in->trial, PLAN_BY_TRIAL, ret);
	} else if (in->command.profile) {
		override_apply(&in->command, PLAN_BY_COMMAND, ret);
	} else if (in->persistent.profile) {
		override_apply(&in->persistent, PLAN_BY_PERSISTENT_COMMAND, ret);
	} else {
		ret->profile = in->configured;
		ret->origin = in->has_entry ? PLAN_BY_ENTRY : PLAN_BY_DEFAULT;
	}
}

static enum plan_metadata_use metadata_judge(const struct plan_metadata *metadata,
                                             enum plan_metadata_rule rule, enum plan_origin origin)
{
	if (metadata->state == PLAN_METADATA_ABSENT)
		return PLAN_METADATA_USE_NONE;
	if (rule == PLAN_METADATA_IGNORE)
		return PLAN_METADATA_USE_IGNORED;
	if (metadata->state == PLAN_METADATA_MALFORMED)
		return PLAN_METADATA_USE_INVALID;
	if (metadata->names_profile && !metadata->profile)
		return PLAN_METADATA_USE_INVALID;
	if (rule == PLAN_METADATA_OBSERVE)
		return PLAN_METADATA_USE_OBSERVED;
	return origin == PLAN_BY_DEFAULT ? PLAN_METADATA_USE_HONOURED : PLAN_METADATA_USE_OVERRULED;
}

/* A domain may choose among the profiles of the host, and ask for less than they give. */
static void metadata_apply(const struct plan_metadata *metadata, struct plan_domain *ret)
{
	if (metadata->profile) {
		ret->profile = *metadata->profile;
		ret->origin = PLAN_BY_METADATA;
	}
	if (metadata->share_permille && metadata->share_permille < ret->profile.share_permille) {
		ret->profile.share_permille = metadata->share_permille;
		ret->share_by_metadata = true;
	}
	if (metadata->burst_ns && metadata->burst_ns < ret->profile.burst_ns) {
		ret->profile.burst_ns = metadata->burst_ns;
		ret->burst_by_metadata = true;
	}
}

/* What was learned, within what binds a profile that is written down; until then it observes. */
static void learned_apply(const struct plan_host *host, const struct learned *learned,
                          struct plan_domain *ret)
{
	struct profile *profile = &ret->profile;
	uint32_t share_permille = MIN(host->cpu_share_permille, host->domain_share_permille);

	if (profile->mode != PROFILE_AUTO)
		return;
	ret->learns = profile->learned = true;
	ret->limits.burst_ns = MIN(host->cpu_burst_ns, host->domain_burst_ns);
	ret->limits.burst_ns = MIN(profile->burst_ns, ret->limits.burst_ns);
	ret->limits.share_permille = MIN(profile->share_permille, share_permille);
	profile->mode = learned->boosts ? PROFILE_BOOST : PROFILE_OBSERVE;
	profile->burst_ns = ret->limits.burst_ns;
	profile->share_permille = ret->limits.share_permille;
	if (!learned->boosts)
		return;
	profile->burst_ns = MIN(profile->burst_ns, learned->burst_ns);
	profile->share_permille = MIN(profile->share_permille, learned->share_permille);
}

/* Assigned by a command, for any profile; a trial compares under the policy that there is. */
static void assign_policy(const struct plan_domain_input *in, struct plan_domain *ret)
{
	ret->policy_by_command = in->command.policy != 0;
	ret->policy_persists = !ret->policy_by_command && in->persistent.policy != 0;
	if (ret->policy_by_command)
		ret->profile.policy = in->command.policy;
	else if (ret->policy_persists)
		ret->profile.policy = in->persistent.policy;
}

static void plan_domain(const struct plan_host *host, const struct plan_domain_input *in,
                        struct plan_domain *ret)
{
	*ret = (struct plan_domain){
	        .rule = {.burst_ns = host->domain_burst_ns,
	                 .share_permille = host->domain_share_permille},
	};
	choose_profile(in, ret);
	ret->metadata_use = metadata_judge(&in->metadata, host->metadata, ret->origin);
	if (ret->metadata_use == PLAN_METADATA_USE_HONOURED)
		metadata_apply(&in->metadata, ret);
	assign_policy(in, ret);
	learned_apply(host, &in->learned, ret);
}

/* ---- shares: admission ---- */

/* The vCPUs that want a share, and the distinct sets of CPUs that they may run on. */
struct applicants {
	size_t n;
	size_t *vcpus; /* places in the plan */
	struct admission_demand *demands;
	struct admission_domains domains;
	size_t n_sets, cpu_words;
	const uint64_t **sets;
	unsigned int *cpus;
};

static void applicants_free(struct applicants *a)
{
	free(a->vcpus);
	free(a->demands);
	free(a->domains.shares_ppm);
	free(a->domains.sums_ppm);
	free(a->sets);
	free(a->cpus);
}

static unsigned int count_cpus(const uint64_t *set, size_t words)
{
	unsigned int n = 0;

	for (size_t i = 0; i < words; i++)
		n += (unsigned int)__builtin_popcountll(set[i]);
	return n;
}

static bool is_subset(const uint64_t *inner, const uint64_t *outer, size_t words)
{
	for (size_t i = 0; i < words; i++)
		if (inner[i] & ~outer[i])
			return false;
	return true;
}

static bool set_within(unsigned int inner, unsigned int outer, const void *userdata)
{
	const struct applicants *a = userdata;

	return inner == outer || is_subset(a->sets[inner], a->sets[outer], a->cpu_words);
}

static unsigned int set_index(struct applicants *a, const uint64_t *set)
{
	for (unsigned int i = 0; i < a->n_sets; i++)
		if (memcmp(a->sets[i], set, a->cpu_words * sizeof(*set)) == 0)
			return i;
	a->sets[a->n_sets] = set;
	a->cpus[a->n_sets] = count_cpus(set, a->cpu_words);
	return (unsigned int)a->n_sets++;
}

/* A vCPU that must not be boosted now, whatever the others do, wants no share. */
static bool wants_share(const struct plan_vcpu *vcpu)
{
	return vcpu->traced && !vcpu->holds && boosts_by_rt(&vcpu->profile);
}

static int applicants_new(const struct plan_input *input, struct applicants *a)
{
	size_t max = MAX(input->n_vcpus, (size_t)1), domains = MAX(input->n_domains, (size_t)1);

	a->cpu_words = input->host.cpu_words;
	a->domains.n = input->n_domains;
	a->vcpus = calloc(max, sizeof(*a->vcpus));
	a->demands = calloc(max, sizeof(*a->demands));
	a->sets = calloc(max, sizeof(*a->sets));
	a->cpus = calloc(max, sizeof(*a->cpus));
	a->domains.shares_ppm = calloc(domains, sizeof(*a->domains.shares_ppm));
	a->domains.sums_ppm = calloc(domains, sizeof(*a->domains.sums_ppm));
	return a->vcpus && a->demands && a->sets && a->cpus && a->domains.shares_ppm &&
	                       a->domains.sums_ppm
	               ? 0
	               : -ENOMEM;
}

static void applicants_collect(const struct plan_input *input, const struct plan *plan,
                               struct applicants *a)
{
	for (size_t i = 0; i < input->n_domains; i++)
		a->domains.shares_ppm[i] = UINT64_C(1000) * plan->domains[i].rule.share_permille;
	for (size_t i = 0; i < input->n_vcpus; i++) {
		if (!wants_share(&plan->vcpus[i]))
			continue;
		a->vcpus[a->n] = i;
		a->demands[a->n++] = (struct admission_demand){
		        .domain = input->vcpus[i].domain,
		        .set = set_index(a, input->vcpus[i].cpus),
		        .share_ppm = 1000 * plan->vcpus[i].profile.share_permille,
		};
	}
}

static void shares_give(const struct plan_input *input, const struct applicants *a,
                        struct plan *plan)
{
	for (size_t i = 0; i < a->n; i++) {
		struct plan_vcpu *vcpu = &plan->vcpus[a->vcpus[i]];

		vcpu->profile.share_permille = a->demands[i].share_ppm / 1000;
		if (vcpu->profile.share_permille < SHARE_PERMILLE_MIN)
			vcpu->holds |= POLICY_HOLD(POLICY_REASON_ADMISSION);
	}
	for (size_t i = 0; i < input->n_domains; i++)
		plan->domains[i].rule.share_permille =
		        MAX((uint32_t)(a->domains.shares_ppm[i] / 1000), 1U);
}

/* Every vCPU has its domain's profile, with the share that its CPUs have for it. */
static int shares_assign(const struct plan_input *input, struct plan *plan)
{
	CLEANUP(applicants_free) struct applicants a = {0};
	struct admission_sets sets;
	int r = applicants_new(input, &a);

	if (r < 0)
		return r;
	applicants_collect(input, plan, &a);
	sets = (struct admission_sets){
	        .n = a.n_sets,
	        .cpus = a.cpus,
	        .within = set_within,
	        .userdata = &a,
	};
	admission_scale(a.demands, a.n, &sets, &a.domains, input->host.cpu_share_permille);
	shares_give(input, &a, plan);
	return 0;
}

/* ---- slots ---- */

/* How many slots a domain has at most: as many as fit if each has so many, or all that it needs. */
static uint32_t slots_level(const struct plan_input *input, const struct plan *plan)
{
	uint32_t low = 0, high = input->host.slots;

	while (low < high) {
		uint32_t level = low + (high - low + 1) / 2;
		uint64_t used = 0;

		for (size_t i = 0; i < input->n_domains; i++)
			used += MIN(plan->domains[i].n_proven, level);
		if (used <= input->host.slots)
			low = level;
		else
			high = level - 1;
	}
	return low;
}

/* A thread that only has a vCPU's name gets no slot: a domain could have any number of these. */
static bool may_be_traced(const struct plan_vcpu_input *in, const struct profile *profile)
{
	return in->proven && profile->mode != PROFILE_OFF;
}

/*
 * Where the vCPUs are more than the slots, those domains that have the most give up what is above
 * one level for all: a domain with many vCPUs takes no slots from one with few.
 */
static void slots_assign(const struct plan_input *input, struct plan *plan)
{
	uint32_t level;

	for (size_t i = 0; i < input->n_vcpus; i++) {
		struct plan_domain *domain = &plan->domains[input->vcpus[i].domain];

		domain->n_proven += may_be_traced(&input->vcpus[i], &domain->profile);
	}
	level = slots_level(input, plan);
	for (size_t i = 0; i < input->n_vcpus; i++) {
		struct plan_domain *domain = &plan->domains[input->vcpus[i].domain];
		struct plan_vcpu *vcpu = &plan->vcpus[i];

		if (!may_be_traced(&input->vcpus[i], &domain->profile))
			vcpu->untraced = domain->profile.mode == PROFILE_OFF
			                         ? POLICY_REASON_PROFILE
			                         : POLICY_REASON_UNPROVEN;
		else if (domain->n_slots == level)
			vcpu->untraced = POLICY_REASON_NO_SLOT;
		else
			vcpu->traced = true;
		domain->n_slots += vcpu->traced;
	}
}

/* ---- one vCPU ---- */

/* What stands against boosting a vCPU, as far as it is known from outside. */
static uint32_t vcpu_holds(const struct plan_host *host, const struct plan_domain_input *domain,
                           const struct plan_vcpu_input *vcpu, const struct profile *profile)
{
	uint32_t holds = 0;

	if (domain->paused)
		holds |= POLICY_HOLD(POLICY_REASON_PAUSED);
	if (domain->released)
		holds |= POLICY_HOLD(POLICY_REASON_RELEASED);
	if (!vcpu->proven)
		holds |= POLICY_HOLD(POLICY_REASON_UNPROVEN);
	if (vcpu->quota)
		holds |= POLICY_HOLD(POLICY_REASON_QUOTA);
	if (count_cpus(host->housekeeping, host->cpu_words) &&
	    count_cpus(vcpu->cpus, host->cpu_words) &&
	    is_subset(vcpu->cpus, host->housekeeping, host->cpu_words))
		holds |= POLICY_HOLD(POLICY_REASON_HOUSEKEEPING);
	if (profile->mode == PROFILE_BOOST && !boosts_by_rt(profile))
		holds |= POLICY_HOLD(POLICY_REASON_LEVERS);
	return holds;
}

/*
 * RT budgets follow what is wanted, not the other holds: those come and go, and a budget that was
 * withdrawn may not be there again. So do the windows of a trial, @tried.
 */
static void plan_rt_budget(const struct plan_host *host, const struct plan_vcpu_input *in,
                           bool tried, struct plan_vcpu *ret)
{
	uint32_t unwanted =
	        POLICY_HOLD(POLICY_REASON_ADMISSION) | POLICY_HOLD(POLICY_REASON_RELEASED);

	ret->keeps_rt_budget = (tried || boosts_by_rt(&ret->profile)) && !(ret->holds & unwanted) &&
	                       !switched_off(&host->switches);
	/* one that is held has no share yet that is known to fit: what its group has stays */
	if (ret->keeps_rt_budget && boosts_by_rt(&ret->profile) && host->grants_rt_budgets &&
	    in->has_group && in->proven && !ret->holds)
		ret->rt_permille = ret->profile.share_permille + BUDGET_MARGIN_PERMILLE;
}

/*
 * Slice and clamp take no CPU time from others: the vCPU stays a fair thread. So they do not need
 * what bounds a boost, and a vCPU has them all the same that may not be boosted, for a quota, for
 * lack of share, or since the kernel refuses. But a guardian must be there to give them back.
 */
static void plan_standing(const struct plan_host *host, const struct plan_vcpu_input *in,
                          struct plan_vcpu *ret)
{
	const struct plan_switches *switches = &host->switches;
	uint32_t levers = ret->profile.levers;
	uint32_t unwanted =
	        POLICY_HOLD(POLICY_REASON_RELEASED) | POLICY_HOLD(POLICY_REASON_PAUSED) |
	        POLICY_HOLD(POLICY_REASON_UNPROVEN) | POLICY_HOLD(POLICY_REASON_HOUSEKEEPING);

	if (ret->profile.mode != PROFILE_BOOST || (ret->holds & unwanted))
		return;
	if (switched_off(switches) || switches->breaker_open || !switches->guarded)
		return;
	ret->slice_ns = levers & PROFILE_LEVER_SLICE ? ret->profile.slice_ns : 0;
	if ((levers & PROFILE_LEVER_UCLAMP) && !in->clamp_spent)
		ret->util_min = ret->profile.util_min;
}

static void plan_followers(const struct plan_input *input, struct plan *plan)
{
	for (size_t i = 0; i < input->n_domains; i++)
		plan->domains[i].follow = follow_begin(&plan->domains[i].profile);
	for (size_t i = 0; i < input->n_vcpus; i++) {
		const struct plan_vcpu *vcpu = &plan->vcpus[i];
		struct follow_plan *follow = &plan->domains[input->vcpus[i].domain].follow;

		if (!vcpu->traced)
			continue;
		follow_add_vcpu(follow, vcpu->holds, vcpu->keeps_rt_budget);
		if (vcpu->rt_permille)
			follow->rt_permille =
			        follow->profile.share_permille + BUDGET_MARGIN_PERMILLE;
	}
}

/* What does not depend on the other vCPUs. */
static void plan_vcpu(const struct plan_input *input, const struct plan_vcpu_input *in,
                      struct plan_vcpu *ret)
{
	const struct plan_domain_input *domain = &input->domains[in->domain];

	ret->holds = vcpu_holds(&input->host, domain, in, &ret->profile);
	if (in->index < domain->n_pages)
		ret->page_generation = domain->page_generation;
}

int plan_make(const struct plan_input *input, struct plan *ret)
{
	int r;

	ret->holds = plan_host_holds(&input->host.switches);
	for (size_t i = 0; i < input->n_domains; i++)
		plan_domain(&input->host, &input->domains[i], &ret->domains[i]);
	for (size_t i = 0; i < input->n_vcpus; i++) {
		ret->vcpus[i] = (struct plan_vcpu){
		        .profile = ret->domains[input->vcpus[i].domain].profile,
		};
		plan_vcpu(input, &input->vcpus[i], &ret->vcpus[i]);
	}
	slots_assign(input, ret);
	r = shares_assign(input, ret);
	if (r < 0)
		return r;
	for (size_t i = 0; i < input->n_vcpus; i++) {
		const struct plan_domain *domain = &ret->domains[input->vcpus[i].domain];

		plan_rt_budget(&input->host, &input->vcpus[i], domain->origin == PLAN_BY_TRIAL,
		               &ret->vcpus[i]);
		plan_standing(&input->host, &input->vcpus[i], &ret->vcpus[i]);
	}
	plan_followers(input, ret);
	return 0;
}
