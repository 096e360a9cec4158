/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Apply with fakes of all that it calls, an inventory, and a plan for it. */

#include "apply_fixture.h"

#define WEB "01234567-89ab-cdef-0123-456789abcdef"
#define DB  "11234567-89ab-cdef-0123-456789abcdef"

#define LEVERS PROFILE_LEVERS_INIT, PROFILE_SLICE_NS_INIT, 512, 200

static const struct profile BOOSTS = {"boosts", PROFILE_BOOST, 200, 500000, 0, true, LEVERS};
static const struct profile OBSERVES = {"observes", PROFILE_OBSERVE, 200, 500000, 0, true, LEVERS};
static const struct profile OFF = {"off", PROFILE_OFF, 0, 0, 0, false, 0, 0, 0, 0};

static const struct cgroup_cpu cgroup;
static struct inventory inventory;
static struct rt_grants *grants;
static struct helper_threads *helpers;
static struct followers *followers;
static struct apply *apply;
static struct plan_domain plan_domains[8];
static struct plan_vcpu plan_vcpus[8];
static struct plan plan = {.domains = plan_domains, .vcpus = plan_vcpus};

static inline void on_gone(void *userdata, struct inventory_domain *d)
{
	(void)userdata;
	(void)d;
}

static inline struct guest_page page_of(void *userdata, const struct inventory_domain *domain,
                                        unsigned int index)
{
	(void)userdata;
	(void)domain;
	(void)index;
	return (struct guest_page){.generation = 1};
}

/* Every vCPU gets this, until a test says otherwise. */
static inline void plan_all(const struct profile *profile, uint32_t holds)
{
	for (size_t i = 0; i < ARRAY_SIZE(plan_vcpus); i++)
		plan_vcpus[i] = (struct plan_vcpu){
		        .traced = profile->mode != PROFILE_OFF,
		        .profile = *profile,
		        .holds = holds,
		        .keeps_rt_budget = profile->mode == PROFILE_BOOST,
		        .rt_permille = profile->mode == PROFILE_BOOST ? 250 : 0,
		};
	for (size_t i = 0; i < ARRAY_SIZE(plan_domains); i++)
		plan_domains[i].profile = *profile;
}

static inline void run(void)
{
	struct apply_wanted wanted = {.inventory = &inventory, .plan = &plan};

	CHECK_INT(apply_run(apply, &wanted), 0);
}

static inline struct inventory_domain *see(struct domain *domain)
{
	struct inventory_domain *d = NULL;

	CHECK(inventory_seen(&inventory, domain, &d) >= 0);
	return d;
}

static inline void begin(void)
{
	struct apply_parts parts = {.page = page_of, .tracer = (struct tracer *)&cgroup};

	inventory_clear(&inventory);
	inventory_init(&inventory, &cgroup, on_gone, NULL);
	apply_free(apply);
	helper_threads_free(helpers);
	rt_grants_free(grants);
	grants = rt_grants_new(NULL, &cgroup);
	helpers = helper_threads_new(parts.tracer, NULL);
	followers_free(followers);
	followers = followers_new(&(struct followers_parts){
	        .tracer = parts.tracer,
	        .helpers = helpers,
	        .grants = grants,
	        .cgroup = &cgroup,
	        .sees_helpers = true,
	});
	parts.grants = grants;
	parts.helpers = helpers;
	parts.followers = followers;
	CHECK_INT(apply_new(&apply, &parts), 0);
	answer_add = answer_remove = answer_register = answer_grant = answer_take_back = 0;
	answer_give = STANDING_GIVEN;
	answer_short = false;
	memset(standing_views, 0, sizeof(standing_views));
	n_calls = n_logged = 0;
	plan.holds = 0;
	plan_all(&BOOSTS, 0);
}

/* One domain with one boosted vCPU, in slot 0. */
static inline struct inventory_domain *begin_boosted(void)
{
	struct inventory_domain *d;

	begin();
	d = see(domain_make(WEB, "web", 100, 1));
	run();
	n_calls = 0;
	return d;
}
