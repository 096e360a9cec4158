/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A host, one domain and some vCPUs for the plan. */

#include "policy/plan.h"

#include "test.h"

#define VCPUS 4

#define LEVERS PROFILE_LEVERS_INIT, PROFILE_SLICE_NS_INIT, 512, 200

static const struct profile BOOSTS = {"boosts", PROFILE_BOOST, 200, 500000, 0, true, LEVERS};
static const struct profile OTHER = {"other", PROFILE_BOOST, 100, 200000, 0, false, LEVERS};
static const struct profile OBSERVES = {"observes", PROFILE_OBSERVE, 200, 500000, 0, true, LEVERS};
static const struct profile OFF = {"off", PROFILE_OFF, 0, 0, 0, false, 0, 0, 0, 0};

static const uint64_t two_cpus[1] = {0x3}, cpu_0[1] = {0x1}, cpu_1[1] = {0x2}, no_cpu[1] = {0};

/* A host where all is well, one domain of the profile "boosts", some vCPUs on two CPUs. */
struct scene {
	struct plan_input input;
	struct plan_domain_input domains[2];
	struct plan_vcpu_input vcpus[VCPUS];
	struct plan_domain planned_domains[2];
	struct plan_vcpu planned_vcpus[VCPUS];
	struct plan plan;
};

static inline void begin(struct scene *s)
{
	*s = (struct scene){
	        .input.host =
	                {
	                        .switches = {.enabled = true,
	                                     .guarded = true,
	                                     .traced = true,
	                                     .booster_realtime = true},
	                        .metadata = PLAN_METADATA_HONOUR,
	                        .cpu_share_permille = 1000,
	                        .domain_share_permille = 1000,
	                        .domain_burst_ns = 7,
	                        .slots = 64,
	                        .grants_rt_budgets = true,
	                        .cpu_words = 1,
	                        .housekeeping = no_cpu,
	                },
	};
	s->input.n_domains = 1;
	s->input.domains = s->domains;
	s->input.n_vcpus = 1;
	s->input.vcpus = s->vcpus;
	s->plan.domains = s->planned_domains;
	s->plan.vcpus = s->planned_vcpus;
	for (size_t i = 0; i < ARRAY_SIZE(s->domains); i++)
		s->domains[i] = (struct plan_domain_input){.configured = BOOSTS, .has_entry = true};
	for (unsigned int i = 0; i < VCPUS; i++)
		s->vcpus[i] = (struct plan_vcpu_input){
		        .index = i, .cpus = two_cpus, .proven = true, .has_group = true};
}

static inline void make(struct scene *s)
{
	CHECK_INT(plan_make(&s->input, &s->plan), 0);
}

static inline void with_quota(struct scene *s)
{
	s->vcpus[0].quota = true;
}

static inline void with_pause(struct scene *s)
{
	s->domains[0].paused = true;
}

static inline void with_release(struct scene *s)
{
	s->domains[0].released = true;
}

static inline void without_proof(struct scene *s)
{
	s->vcpus[0].proven = false;
}

static inline void with_housekeeping(struct scene *s)
{
	s->input.host.housekeeping = two_cpus;
}
