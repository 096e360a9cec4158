// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "util/log.h"

static struct guest_page page_of(void *userdata, const struct inventory_domain *domain,
                                 unsigned int index)
{
	const struct engine *engine = userdata;

	return carriers_page(engine->domains->carriers, domain, index);
}

static int construct(struct engine *engine, const struct engine_parts *parts)
{
	struct planning_inputs inputs = {
	        .inventory = &parts->domains->inventory,
	        .overrides = parts->domains->overrides,
	        .lifecycle = parts->domains->lifecycle,
	        .carriers = parts->domains->carriers,
	        .state = parts->state,
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
	int r = planning_new(&engine->planning, &inputs);

	if (r < 0)
		return r;
	engine->grants = applies.grants = rt_grants_new(parts->ledger, parts->cgroup);
	engine->helpers = applies.helpers = helper_threads_new(parts->tracer, parts->accounts);
	if (!engine->grants || !engine->helpers)
		return -ENOMEM;
	return apply_new(&engine->apply, &applies);
}

int engine_new(struct engine **ret, const struct engine_parts *parts)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return -ENOMEM;
	engine->domains = parts->domains;
	r = construct(engine, parts);
	if (r < 0) {
		engine_free(engine);
		return r;
	}
	*ret = engine;
	return 0;
}

struct engine *engine_free(struct engine *engine)
{
	if (!engine)
		return NULL;
	apply_free(engine->apply);
	planning_free(engine->planning);
	helper_threads_free(engine->helpers);
	rt_grants_free(engine->grants);
	free(engine);
	return NULL;
}

void engine_configure(struct engine *engine, const struct config *config)
{
	engine->config = config;
	planning_configure(engine->planning, config);
}

static int plan_and_apply(struct engine *engine, const struct plan_switches *switches)
{
	const struct config_host *host = config_host(engine->config);
	struct apply_wanted wanted = {
	        .inventory = &engine->domains->inventory,
	        .domain_rule = {.burst_ns = host->caps.domain_burst_ns,
	                        .share_permille = host->caps.domain_share_permille},
	        .polls_pages = host->guest_pages == CONFIG_GUEST_PAGES_POLL,
	};
	int r = planning_make(engine->planning, switches, &wanted.plan);

	return r < 0 ? r : apply_run(engine->apply, &wanted);
}

int engine_run(struct engine *engine, const struct plan_switches *switches)
{
	int r;

	if (!engine->config)
		return 0; /* the start failed before anything began */
	/* without a guardian, or switched off, no boost waits for a plan, which takes memory and
	 * time */
	apply_hold(engine->apply, plan_host_holds(switches));
	r = plan_and_apply(engine, switches);
	if (r < 0) {
		log_error("out of memory: policies are as they were; tried again in a second");
		return r;
	}
	/* the booster has no page any more that is not planned */
	carriers_settle(engine->domains->carriers);
	return 0;
}
