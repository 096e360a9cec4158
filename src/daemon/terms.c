// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/manager.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boost/rt_budget.h"
#include "policy/admission.h"
#include "util/clock.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/log_ids.h"

/*
 * A group whose threads spend its RT budget is stopped even on an idle CPU. So it gets more than
 * the token bucket will ever let pass in a period of 1 s: the share, a burst, and the reaction to
 * it.
 */
#define BUDGET_MARGIN_PERMILLE 50

/* A smaller share of a CPU is not worth a real-time class. */
#define SHARE_PERMILLE_MIN 10

/* ---- admission ---- */

/* All vCPUs that want a share, with the distinct sets of CPUs they may run on. */
struct applicants {
	size_t n;
	struct managed_vcpu **vcpus;
	struct admission_claim *claims;
	size_t n_sets;
	const struct cpu_set_bits **sets;
	unsigned int *cpus;
};

static void applicants_free(struct applicants *a)
{
	free(a->vcpus);
	free(a->claims);
	free(a->sets);
	free(a->cpus);
}

static bool set_within(unsigned int inner, unsigned int outer, const void *userdata)
{
	const struct applicants *a = userdata;

	return inner == outer || cpu_set_bits_subset(a->sets[inner], a->sets[outer]);
}

static unsigned int set_index(struct applicants *a, const struct cpu_set_bits *set)
{
	for (unsigned int i = 0; i < a->n_sets; i++)
		if (cpu_set_bits_equal(a->sets[i], set))
			return i;
	a->sets[a->n_sets] = set;
	a->cpus[a->n_sets] = cpu_set_bits_count(set);
	return (unsigned int)a->n_sets++;
}

static size_t count_vcpus(const struct manager *m)
{
	size_t n = 0;

	for (const struct managed_domain *d = m->domains; d; d = d->next)
		n += d->n_vcpus;
	return n;
}

static int applicants_collect(struct manager *m, struct applicants *a)
{
	size_t max = MAX(count_vcpus(m), (size_t)1);

	a->vcpus = calloc(max, sizeof(*a->vcpus));
	a->claims = calloc(max, sizeof(*a->claims));
	a->sets = calloc(max, sizeof(*a->sets));
	a->cpus = calloc(max, sizeof(*a->cpus));
	if (!a->vcpus || !a->claims || !a->sets || !a->cpus)
		return -ENOMEM;
	for (struct managed_domain *d = m->domains; d; d = d->next) {
		if (d->choice.profile.mode != PROFILE_BOOST)
			continue;
		for (size_t i = 0; i < d->n_vcpus; i++) {
			a->vcpus[a->n] = &d->vcpus[i];
			a->claims[a->n].set = set_index(a, &d->vcpus[i].affinity);
			a->claims[a->n++].share_permille = d->choice.profile.share_permille;
		}
	}
	return 0;
}

/* Fills terms.profile of every vCPU: its domain's, with the share that its CPUs have for it. */
static void shares_assign(struct manager *m)
{
	CLEANUP(applicants_free) struct applicants a = {0};
	struct admission_sets sets;

	for (struct managed_domain *d = m->domains; d; d = d->next)
		for (size_t i = 0; i < d->n_vcpus; i++)
			d->vcpus[i].terms.profile = d->choice.profile;
	if (applicants_collect(m, &a) < 0)
		return; /* as before; the caps of the CPUs hold all the same */
	sets = (struct admission_sets){
	        .n = a.n_sets,
	        .cpus = a.cpus,
	        .within = set_within,
	        .userdata = &a,
	};
	admission_scale(a.claims, a.n, &sets, config_host(m->config)->caps.cpu_share_permille);
	for (size_t i = 0; i < a.n; i++)
		a.vcpus[i]->terms.profile.share_permille = a.claims[i].share_permille;
}

/* ---- RT budgets ---- */

static void budget_grant(struct manager *m, const struct managed_domain *d, struct managed_vcpu *v)
{
	char failed[CGROUP_GROUP_MAX] = "";
	uint32_t share = v->terms.profile.share_permille + BUDGET_MARGIN_PERMILLE;
	struct log_context ctx = {
	        .domain = d->seen->name,
	        .vcpu = (int)v->thread.index,
	        .reason = policy_reason_name(POLICY_REASON_RT_REFUSED),
	        .message_id = LOG_ID_BOOST_REFUSED,
	};
	int r;

	if (v->granted_permille >= share || !config_host(m->config)->grant_rt_budget ||
	    !m->has_cgroup || !v->thread.cgroup[0] || v->thread.proof == VCPU_PROOF_NONE)
		return;
	r = rt_budget_grant(m->ledger, &m->cgroup, v->thread.cgroup, share, failed);
	if (r == 0)
		v->granted_permille = share;
	else if (r < 0)
		log_write(LOG_WARNING, &ctx,
		          "domain \"%s\", vCPU %u: the RT budget of %u permille does not fit in "
		          "group %s: %s; lower what its siblings have, or boost fewer vCPUs",
		          d->seen->name, v->thread.index, share, failed, strerror(-r));
}

static void budget_withdraw(struct manager *m, struct managed_vcpu *v)
{
	if (v->granted_permille)
		rt_budget_withdraw(m->ledger, &m->cgroup, v->thread.cgroup);
	v->granted_permille = 0;
}

/* ---- telling the booster ---- */

static bool share_too_small(const struct managed_vcpu *v)
{
	return v->terms.profile.mode == PROFILE_BOOST &&
	       v->terms.profile.share_permille < SHARE_PERMILLE_MIN;
}

static uint32_t holds_with_admission(const struct managed_vcpu *v)
{
	uint32_t admission = POLICY_HOLD(POLICY_REASON_ADMISSION);

	return share_too_small(v) ? v->holds | admission : v->holds & ~admission;
}

void terms_moved(struct manager *m, struct managed_vcpu *v)
{
	budget_withdraw(m, v);
}

void terms_end(struct manager *m, struct managed_vcpu *v)
{
	v->page_generation = 0;
	/* lowered first: what is elevated is traced */
	if (v->slot != SLOT_NONE && booster_remove(m->booster, v->slot) < 0) {
		log_error("vCPU %u: thread %d can't be given back; its record stays in the ledger",
		          v->thread.index, v->thread.id.tid);
		v->slot = SLOT_NONE; /* and is not used again */
		return;
	}
	if (v->slot != SLOT_NONE && m->tracer)
		tracer_unregister(m->tracer, v->slot, v->thread.id.tid);
	v->slot = slot_give(m->vcpu_slots, v->slot);
	budget_withdraw(m, v);
}

static void vcpu_begin(struct manager *m, struct managed_domain *d, struct managed_vcpu *v)
{
	unsigned int slot = slot_take(m->vcpu_slots, PVS_VCPUS_MAX);
	int r;

	if (slot == SLOT_NONE)
		return;
	v->terms.tid = v->thread.id.tid;
	v->terms.kvm = v->thread.kvm;
	v->terms.domain = d->slot;
	v->terms.priority = m->boost.priority;
	r = booster_add(m->booster, slot, &v->thread.id, &v->terms, v->holds);
	if (r != 0) {
		slot_give(m->vcpu_slots, slot);
		if (r < 0)
			log_warning("domain \"%s\", vCPU %u: not looked after: %s", d->seen->name,
			            v->thread.index, strerror(-r));
		return;
	}
	v->slot = slot;
	if (!m->tracer)
		return;
	r = tracer_register(m->tracer, slot, v->thread.id.tid);
	if (r == 0) {
		/* without it, only what is sent to it is not seen */
		if (v->thread.kvm)
			tracer_set_address(m->tracer, slot, d->seen->qemu.tid,
			                   topology_apic_id(&d->seen->topology, v->thread.index));
		return;
	}
	log_warning("domain \"%s\", vCPU %u: can't be traced, so it is not boosted: %s",
	            d->seen->name, v->thread.index, strerror(-r));
	booster_remove(m->booster,
	               slot); /* never raised: the tracer has it held at its first halt */
	v->slot = slot_give(m->vcpu_slots, slot);
	budget_withdraw(m, v);
}

/* Brings one vCPU in line with its terms. @before is what the booster was told. */
static void vcpu_apply(struct manager *m, struct managed_domain *d, struct managed_vcpu *v,
                       const struct profile *before)
{
	uint32_t holds = holds_with_admission(v);
	/* what is wanted, not the holds: budgets come before these end, and go after they began */
	bool off = manager_switched_off(m) || d->released;
	bool boosts = v->terms.profile.mode == PROFILE_BOOST && !share_too_small(v) && !off;

	if (v->terms.profile.mode == PROFILE_OFF) {
		terms_end(m, v);
		return;
	}
	if (boosts)
		budget_grant(m, d, v);
	if (v->slot == SLOT_NONE) {
		v->holds = holds;
		vcpu_begin(m, d, v);
		return;
	}
	if (holds != v->holds)
		booster_hold(m->booster, v->slot, holds,
		             ~holds & POLICY_HOLD(POLICY_REASON_ADMISSION));
	v->holds = holds;
	if (memcmp(before, &v->terms.profile, sizeof(*before)) != 0) {
		booster_set_terms(m->booster, v->slot, &v->terms);
		booster_rescan(m->booster, v->slot);
	}
	if (!boosts)
		budget_withdraw(m, v);
}

void terms_apply(struct manager *m)
{
	const struct host_caps *caps = &config_host(m->config)->caps;
	struct pvs_bucket_rule rule = {
	        .burst_ns = caps->domain_burst_ns,
	        .share_permille = caps->domain_share_permille,
	};
	CLEANUP(cleanup_free) struct profile *before = NULL;
	size_t i = 0;

	before = calloc(MAX(count_vcpus(m), (size_t)1), sizeof(*before));
	if (!before) {
		log_error("out of memory: policies are as they were");
		return;
	}
	for (struct managed_domain *d = m->domains; d; d = d->next) {
		domain_choose(m, d);
		account_set_domain_rule(&m->accounts, d->slot, &rule);
		for (size_t v = 0; v < d->n_vcpus; v++)
			before[i++] = d->vcpus[v].terms.profile;
	}
	shares_assign(m);
	i = 0;
	for (struct managed_domain *d = m->domains; d; d = d->next)
		for (size_t v = 0; v < d->n_vcpus; v++)
			vcpu_apply(m, d, &d->vcpus[v], &before[i++]);
	helpers_apply(m);
	carriers_apply(m);
}

void terms_grant_again(struct manager *m)
{
	for (struct managed_domain *d = m->domains; d; d = d->next)
		for (size_t i = 0; i < d->n_vcpus; i++)
			d->vcpus[i].granted_permille = 0;
	terms_apply(m);
	for (struct managed_domain *d = m->domains; d; d = d->next)
		domains_rescan(m, d);
}

/* ---- by command ---- */

static int on_override_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct managed_domain *d = userdata;

	(void)source;
	(void)usec;
	terms_override(d->manager, d, "", 0);
	log_info("domain \"%s\": the policy set for a time has ended; profile %s again",
	         d->seen->name, d->choice.profile.name);
	return 0;
}

int terms_override(struct manager *m, struct managed_domain *d, const char *profile,
                   uint64_t for_ns)
{
	if (profile[0] && !config_profile(m->config, profile))
		return -ENOENT;
	d->override_timer = sd_event_source_disable_unref(d->override_timer);
	snprintf(d->override, sizeof(d->override), "%s", profile);
	d->override_until_ns = 0;
	if (profile[0] && for_ns) {
		uint64_t for_us = for_ns / NSEC_PER_USEC;

		int r = sd_event_add_time_relative(m->event, &d->override_timer, CLOCK_BOOTTIME,
		                                   for_us, 0, on_override_end, d);

		if (r < 0) {
			d->override[0] = '\0'; /* no policy "for a time" without its end */
			return r;
		}
		d->override_until_ns = clock_now_ns() + for_ns;
	}
	terms_apply(m);
	return 0;
}
