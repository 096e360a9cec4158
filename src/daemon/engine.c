// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/log.h"

static struct guest_page page_of(void *userdata, const struct inventory_domain *domain,
                                 unsigned int index)
{
	const struct domains *domains = ((const struct engine *)userdata)->domains;

	if (agent_pages_usable(domains->agent_pages, domain))
		return agent_pages_page(domains->agent_pages, domain, index);
	return carriers_page(domains->carriers, domain, index);
}

static int read_levers(void *tracer, pid_t tid, struct pvs_levers *ret)
{
	return tracer_read_levers(tracer, tid, ret);
}

static struct standing *standing_begin(const struct engine_parts *parts)
{
	bool reads = parts->tracer && (tracer_parts(parts->tracer)->loaded & PVS_PART_LEVERS);

	return standing_new(&(struct standing_parts){
	        .ledger = parts->ledger,
	        .read_levers = reads ? read_levers : NULL,
	        .userdata = parts->tracer,
	});
}

static void on_clamps_changed(void *pass)
{
	pass_changed(pass);
}

static int trials_begin(struct engine *engine, const struct engine_parts *parts)
{
	struct trials_parts trials = {
	        .event = parts->event,
	        .pass = parts->pass,
	        .inventory = &parts->domains->inventory,
	        .accounts = parts->accounts,
	        .booster = parts->booster,
	        .traced = parts->tracer,
	};

	return trials_new(&engine->trials, &trials);
}

static int avoid_begin(struct engine *engine, const struct engine_parts *parts)
{
	struct avoid_parts avoids = {
	        .event = parts->event,
	        .inventory = &parts->domains->inventory,
	        .planning = engine->planning,
	        .accounts = parts->accounts,
	        .booster = parts->booster,
	        .cgroup = parts->cgroup,
	};

	return avoid_new(&engine->avoid, &avoids);
}

/* Before anything is boosted, and so before anything is charged. */
static int costs_begin(struct engine *engine, const struct engine_parts *parts)
{
	int r = costs_new(&engine->costs, parts->accounts);

	if (r < 0)
		return r;
	return costs_watch(engine->costs, parts->event, &parts->domains->inventory);
}

static struct followers *followers_begin(const struct engine *engine,
                                         const struct engine_parts *parts)
{
	const struct followers_parts follow = {
	        .booster = parts->booster,
	        .tracer = parts->tracer,
	        .helpers = engine->helpers,
	        .grants = engine->grants,
	        .cgroup = parts->cgroup,
	        .priority = parts->priority,
	        .sees_helpers =
	                parts->tracer && (tracer_parts(parts->tracer)->loaded & PVS_PART_HELPERS),
	};

	return followers_new(&follow);
}

static int construct(struct engine *engine, const struct engine_parts *parts)
{
	struct planning_inputs inputs = {
	        .inventory = &parts->domains->inventory,
	        .overrides = parts->domains->overrides,
	        .lifecycle = parts->domains->lifecycle,
	        .carriers = parts->domains->carriers,
	        .agent_pages = parts->domains->agent_pages,
	        .state = parts->state,
	        .sheet_permille = parts->sheet_permille,
	        .has_cgroup = parts->cgroup,
	};
	struct apply_parts applies = {
	        .booster = parts->booster,
	        .tracer = parts->tracer,
	        .accounts = parts->accounts,
	        .priority = parts->priority,
	        .holds = parts->holds,
	        .page = page_of,
	        .userdata = engine,
	};
	int r = latency_leases_new(&engine->leases, parts->event, parts->tracer, LATENCY_LEASE_NS);

	if (r < 0)
		return r;
	r = clamp_budget_new(&engine->clamps, parts->event, parts->accounts, on_clamps_changed,
	                     parts->pass);

	if (r < 0)
		return r;
	r = costs_begin(engine, parts);
	if (r < 0)
		return r;
	r = comparing_new(&engine->comparing, parts->event, parts->accounts, parts->booster);
	if (r < 0)
		return r;
	inputs.clamps = engine->clamps;
	inputs.learned = engine->learned = learned_domains_new();
	engine->evaluations = evaluations_new();
	if (!engine->learned || !engine->evaluations)
		return -ENOMEM;
	r = trials_begin(engine, parts);
	if (r < 0)
		return r;
	inputs.trials = engine->trials;
	r = planning_new(&engine->planning, &inputs);
	if (r == 0)
		r = avoid_begin(engine, parts);
	if (r < 0)
		return r;
	engine->grants = applies.grants = rt_grants_new(parts->ledger, parts->cgroup);
	engine->helpers = applies.helpers = helper_threads_new(parts->tracer, parts->accounts);
	engine->standing = applies.standing = standing_begin(parts);
	engine->changes = policy_changes_new(parts->accounts);
	engine->followers = applies.followers = followers_begin(engine, parts);
	if (!engine->grants || !engine->helpers || !engine->followers || !engine->standing ||
	    !engine->changes)
		return -ENOMEM;
	r = learning_new(&engine->learning, parts->event, engine->learned, parts->views,
	                 parts->pass);
	return r < 0 ? r : apply_new(&engine->apply, &applies);
}

static bool takes_hints(void *userdata, const struct inventory_domain *domain)
{
	const struct engine *engine = userdata;
	const struct profile *profile = &planning_domain(engine->planning, domain)->profile;

	return profile->mode != PROFILE_OFF && profile->requests != PROFILE_REQUESTS_IGNORE;
}

static bool domain_is_boosted(void *userdata, unsigned int slot)
{
	const struct engine *engine = userdata;

	return account_domain_is_boosted(engine->accounts, slot);
}

int engine_new(struct engine **ret, const struct engine_parts *parts)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return -ENOMEM;
	engine->domains = parts->domains;
	engine->tracer = parts->tracer;
	engine->accounts = parts->accounts;
	engine->state = parts->state;
	inventory_ask_busy(&engine->domains->inventory, domain_is_boosted, engine);
	r = construct(engine, parts);
	if (r < 0) {
		engine_free(engine);
		return r;
	}
	agents_ask_allowed(engine->domains->agents, takes_hints, engine);
	*ret = engine;
	return 0;
}

struct engine *engine_free(struct engine *engine)
{
	if (!engine)
		return NULL;
	learning_free(engine->learning);
	avoid_free(engine->avoid);
	latency_leases_free(engine->leases);
	apply_free(engine->apply);
	policy_changes_free(engine->changes);
	planning_free(engine->planning);
	trials_free(engine->trials);
	followers_free(engine->followers);
	helper_threads_free(engine->helpers);
	standing_free(engine->standing);
	clamp_budget_free(engine->clamps);
	comparing_free(engine->comparing);
	costs_free(engine->costs);
	evaluations_free(engine->evaluations);
	learned_domains_free(engine->learned);
	rt_grants_free(engine->grants);
	free(engine);
	return NULL;
}

void engine_configure(struct engine *engine, const struct config *config)
{
	engine->config = config;
	comparing_configure(engine->comparing, config_host(config)->compare == CONFIG_COMPARE_AUTO);
	trials_configure(engine->trials, config);
	planning_configure(engine->planning, config);
}

/* The time that a vCPU runs clamped is charged from when its thread has the clamp. */
static void clamps_follow(struct engine *engine, const struct plan_vcpu *plan)
{
	uint64_t now_ns = clock_now_ns(), followed[PVS_VCPUS_MAX / 64] = {0};

	for (const struct inventory_domain *d = engine->domains->inventory.domains; d;
	     d = d->next) {
		for (size_t i = 0; i < d->n_vcpus; i++, plan++) {
			unsigned int slot = d->vcpus[i].slot;

			if (slot == SLOT_NONE || plan->profile.mode != PROFILE_BOOST ||
			    !(plan->profile.levers & PROFILE_LEVER_UCLAMP))
				continue;
			followed[slot / 64] |= UINT64_C(1) << slot % 64;
			clamp_budget_follow(engine->clamps, slot, d->vcpus[i].thread.id.tid,
			                    plan->profile.util_permille, now_ns);
			clamp_budget_clamped(
			        engine->clamps, slot,
			        standing_view(engine->standing, slot)->states[STANDING_CLAMP] ==
			                STANDING_GIVEN,
			        now_ns);
		}
	}
	for (unsigned int slot = 0; slot < PVS_VCPUS_MAX; slot++)
		if (!(followed[slot / 64] & UINT64_C(1) << slot % 64))
			clamp_budget_follow(engine->clamps, slot, 0, 0, now_ns);
	clamp_budget_settle(engine->clamps, now_ns);
}

/* While the profile of a vCPU wants to know for which one it waits, the tracer tells. */
static void relations_follow(const struct engine *engine, const struct plan_vcpu *plan)
{
	for (const struct inventory_domain *d = engine->domains->inventory.domains; d; d = d->next)
		for (size_t i = 0; i < d->n_vcpus; i++, plan++)
			if (d->vcpus[i].slot != SLOT_NONE)
				tracer_relate(engine->tracer, d->vcpus[i].slot,
				              d->vcpus[i].thread.kvm &&
				                      account_relates(&plan->profile));
}

static int plan_and_apply(struct engine *engine, const struct plan_switches *switches)
{
	const struct config_host *host = config_host(engine->config);
	struct apply_wanted wanted = {
	        .inventory = &engine->domains->inventory,
	        .polls_pages = host->guest_pages == CONFIG_GUEST_PAGES_POLL,
	};
	int r = planning_make(engine->planning, switches, &wanted.plan);

	if (r < 0)
		return r;
	/* of a policy that ends, before its successor does anything; of a vCPU, once it has a slot
	 */
	policy_changes_follow(engine->changes, wanted.inventory, wanted.plan->domains,
	                      clock_now_ns());
	r = apply_run(engine->apply, &wanted);
	if (r < 0)
		return r;
	policy_changes_follow(engine->changes, wanted.inventory, wanted.plan->domains,
	                      clock_now_ns());
	clamps_follow(engine, wanted.plan->vcpus);
	if (engine->tracer)
		relations_follow(engine, wanted.plan->vcpus);
	comparing_follow(engine->comparing, wanted.inventory, wanted.plan->vcpus,
	                 host->caps.cpu_share_permille);
	return 0;
}

/* Policies of domains that run are not stale. */
static void note_runs(const struct engine *engine)
{
	for (const struct inventory_domain *d = engine->domains->inventory.domains; d; d = d->next)
		if (d->seen->uuid_kind == DOMAIN_UUID_OWN)
			state_domain_runs(engine->state, d->seen->uuid, d->seen->name);
	state_save_runs(engine->state);
}

int engine_run(struct engine *engine, const struct plan_switches *switches)
{
	int r;

	if (!engine->config)
		return 0; /* the start failed before anything began */
	/* without a guardian, or switched off, no boost waits for a plan, which takes memory and
	 * time */
	apply_hold(engine->apply, plan_host_holds(switches));
	trials_follow(engine->trials, plan_host_holds(switches));
	r = plan_and_apply(engine, switches);
	if (r < 0) {
		log_error("out of memory: policies are as they were; tried again in a second");
		return r;
	}
	agents_review(engine->domains->agents);
	learning_follow(engine->learning);
	avoid_follow(engine->avoid);
	note_runs(engine);
	return 0;
}
