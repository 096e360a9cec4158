// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/apply.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/levers.h"
#include "daemon/refused.h"
#include "util/log.h"

/* What was done for the vCPU of a slot. */
struct applied {
	bool begun; /* the booster has it */
	bool stuck; /* it ended, but its boost could not: the slot and its tracing stay */
	bool kept;  /* in this run: the plan wants it still */
	bool rescan;
	unsigned int index;
	pid_t tid;
	uint32_t holds;
	struct profile profile;
	uint64_t page_generation;
	bool page_polled;
};

struct apply {
	struct apply_parts parts;
	uint32_t holds;                     /* of every vCPU, as the booster was told */
	uint64_t serials[PVS_DOMAINS_MAX];  /* of the domains that the slots belong to; 0: none */
	uint64_t slots[PVS_VCPUS_MAX / 64]; /* in use */
	unsigned int n_stuck;
	struct levers levers;
	struct applied vcpus[PVS_VCPUS_MAX];
};

/* One vCPU of a run: what it is, and what it shall have. */
struct row {
	struct inventory_domain *domain;
	struct inventory_vcpu *vcpu;
	const struct plan_vcpu *plan;
	struct applied *applied; /* NULL: it has no slot */
};

struct rows {
	size_t n;
	struct row *rows;
};

int apply_new(struct apply **ret, const struct apply_parts *parts)
{
	struct apply *apply = calloc(1, sizeof(*apply));

	if (!apply)
		return -ENOMEM;
	apply->parts = *parts;
	apply->levers = (struct levers){.booster = parts->booster, .standing = parts->standing};
	apply->holds = parts->holds;
	*ret = apply;
	return 0;
}

struct apply *apply_free(struct apply *apply)
{
	free(apply);
	return NULL;
}

uint32_t apply_holds(const struct apply *apply)
{
	return apply->holds;
}

const struct profile *apply_profile(const struct apply *apply, unsigned int slot)
{
	return slot != SLOT_NONE && apply->vcpus[slot].begun ? &apply->vcpus[slot].profile : NULL;
}

/* ---- holds ---- */

static void hold_all(struct apply *apply, uint32_t holds)
{
	if (holds == apply->holds)
		return;
	booster_hold_all(apply->parts.booster, holds);
	apply->holds = holds;
}

void apply_hold(struct apply *apply, uint32_t holds)
{
	hold_all(apply, apply->holds | holds);
}

static void holds_begin(struct apply *apply, const struct rows *rows, uint32_t of_all)
{
	apply_hold(apply, of_all);
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->rows[i];
		uint32_t set;

		if (!row->applied)
			continue;
		set = row->plan->holds & ~row->applied->holds;
		if (!set)
			continue;
		booster_hold(apply->parts.booster, row->vcpu->slot, set, 0);
		row->applied->holds |= set;
	}
}

static void holds_end(struct apply *apply, const struct rows *rows, uint32_t of_all)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->rows[i];
		uint32_t clear;

		if (!row->applied)
			continue;
		clear = row->applied->holds & ~row->plan->holds;
		if (!clear)
			continue;
		booster_hold(apply->parts.booster, row->vcpu->slot, 0, clear);
		row->applied->holds &= ~clear;
	}
	hold_all(apply, of_all);
}

/* ---- ends ---- */

static void vcpu_stick(struct apply *apply, struct applied *applied)
{
	if (!applied->stuck)
		log_error("vCPU %u: thread %d can't be given back; its record stays in the ledger, "
		          "and it is tried again",
		          applied->index, applied->tid);
	apply->n_stuck += !applied->stuck;
	applied->begun = false;
	applied->stuck = true;
}

/*
 * Unboosted first: what is boosted is traced, has its budget, and does not show its slice. Where
 * that fails, slot, tracing and budget stay, so that the thread is charged, and each pass tries
 * again.
 */
static void vcpu_end(struct apply *apply, unsigned int slot)
{
	struct applied *applied = &apply->vcpus[slot];
	pid_t tid = applied->tid;

	if (booster_remove(apply->parts.booster, slot) < 0 ||
	    levers_end(&apply->levers, slot) < 0) {
		vcpu_stick(apply, applied);
		return;
	}
	apply->n_stuck -= applied->stuck;
	*applied = (struct applied){0};
	if (apply->parts.tracer)
		tracer_unregister(apply->parts.tracer, slot, tid);
	rt_grants_withdraw(apply->parts.grants, slot);
	slot_give(apply->slots, slot);
}

/* Ends what the plan does not know of or does not want traced any more. */
static void vcpus_end(struct apply *apply, struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		struct row *row = &rows->rows[i];

		row->vcpu->untraced = row->plan->untraced;
		if (row->applied)
			row->applied->kept = row->plan->traced;
		if (row->plan->traced)
			continue;
		row->vcpu->slot = SLOT_NONE;
		row->applied = NULL;
	}
	for (unsigned int slot = 0; slot < PVS_VCPUS_MAX; slot++) {
		if ((apply->vcpus[slot].begun && !apply->vcpus[slot].kept) ||
		    apply->vcpus[slot].stuck)
			vcpu_end(apply, slot);
		apply->vcpus[slot].kept = false;
	}
}

/* A slot that has no domain any more, or another one, watches nothing for the old one. */
static void domains_end(struct apply *apply, const struct inventory *inventory)
{
	uint64_t serials[PVS_DOMAINS_MAX] = {0};

	for (const struct inventory_domain *d = inventory->domains; d; d = d->next)
		serials[d->slot] = d->serial;
	for (unsigned int slot = 0; slot < PVS_DOMAINS_MAX; slot++) {
		if (!apply->serials[slot] || apply->serials[slot] == serials[slot])
			continue;
		helper_threads_end(apply->parts.helpers, slot);
		apply->serials[slot] = 0;
	}
}

/* ---- begins ---- */

static void domains_begin(struct apply *apply, const struct apply_wanted *wanted)
{
	const struct plan_domain *plan = wanted->plan->domains;

	for (struct inventory_domain *d = wanted->inventory->domains; d; d = d->next, plan++) {
		if (!apply->serials[d->slot])
			account_reset_domain(apply->parts.accounts, d->slot);
		apply->serials[d->slot] = d->serial;
		account_set_domain_rule(apply->parts.accounts, d->slot, &plan->rule);
		refused_slots(d, plan->n_proven - plan->n_slots);
	}
}

/* A TID has one account: a second one would take its charges from the first. */
static bool is_stuck(const struct apply *apply, pid_t tid)
{
	for (unsigned int slot = 0; apply->n_stuck && slot < PVS_VCPUS_MAX; slot++)
		if (apply->vcpus[slot].stuck && apply->vcpus[slot].tid == tid)
			return true;
	return false;
}

static void slots_take(struct apply *apply, struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		struct row *row = &rows->rows[i];

		if (row->applied || !row->plan->traced)
			continue;
		row->vcpu->untraced = POLICY_REASON_NOT_TRACED;
		if (is_stuck(apply, row->vcpu->thread.id.tid))
			continue;
		row->vcpu->slot = slot_take(apply->slots, PVS_VCPUS_MAX);
		if (row->vcpu->slot != SLOT_NONE)
			row->applied = &apply->vcpus[row->vcpu->slot];
	}
}

/* The group that a thread has left needs nothing; what it had there may be what it needs here. */
static void grants_begin(struct apply *apply, const struct rows *rows)
{
	char failed[CGROUP_GROUP_MAX];

	for (size_t i = 0; i < rows->n; i++)
		if (rows->rows[i].applied)
			rt_grants_moved(apply->parts.grants, rows->rows[i].vcpu->slot,
			                rows->rows[i].vcpu->thread.cgroup);
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->rows[i];
		int r;

		if (!row->applied || !row->plan->rt_permille)
			continue;
		r = rt_grants_ensure(apply->parts.grants, row->vcpu->slot, row->vcpu->thread.cgroup,
		                     row->plan->rt_permille, failed);
		if (r < 0)
			refused_budget(row->domain, row->vcpu, row->plan->rt_permille, failed, r);
	}
}

static struct account_terms terms_of(const struct apply *apply, const struct row *row)
{
	return (struct account_terms){
	        .tid = row->vcpu->thread.id.tid,
	        .domain = row->domain->slot,
	        .kvm = row->vcpu->thread.kvm,
	        .resets_forks = standing_resets_forks(apply->parts.standing, row->vcpu->slot),
	        .priority = apply->parts.priority,
	        .profile = row->plan->profile,
	};
}

static struct levers_vcpu levers_of(const struct apply *apply, const struct row *row)
{
	return (struct levers_vcpu){
	        .domain = row->domain,
	        .vcpu = row->vcpu,
	        .wanted = {.slice_ns = row->plan->slice_ns, .util_min = row->plan->util_min},
	        .terms = terms_of(apply, row),
	        .is_held = apply->holds || row->applied->holds,
	};
}

/* Returns 0, or -errno: it can't be traced. */
static int trace_begin(struct apply *apply, const struct row *row)
{
	const struct vcpu_thread *thread = &row->vcpu->thread;
	const struct domain *domain = row->domain->seen;
	struct tracer *tracer = apply->parts.tracer;
	int r;

	if (!tracer)
		return 0;
	r = tracer_register(tracer, row->vcpu->slot, thread->id.tid);
	/* without its address only interrupts sent to it are not seen */
	if (r == 0 && thread->kvm)
		tracer_set_address(tracer, row->vcpu->slot, domain->qemu.tid,
		                   topology_apic_id(&domain->topology, thread->index));
	return r;
}

/* What the booster or the tracer does not take on. */
static void vcpu_drop(struct apply *apply, struct row *row)
{
	unsigned int slot = row->vcpu->slot;

	rt_grants_withdraw(apply->parts.grants, slot);
	row->vcpu->slot = SLOT_NONE;
	if (levers_end(&apply->levers, slot) < 0) {
		row->applied->index = row->vcpu->thread.index;
		row->applied->tid = row->vcpu->thread.id.tid;
		vcpu_stick(apply, row->applied);
	} else {
		slot_give(apply->slots, slot);
	}
	row->applied = NULL;
}

static void vcpu_begin(struct apply *apply, struct row *row)
{
	const struct vcpu_thread *thread = &row->vcpu->thread;
	struct levers_vcpu levers = levers_of(apply, row);
	int r;

	levers_begin(&apply->levers, &levers);
	r = booster_add(apply->parts.booster, row->vcpu->slot, &thread->id, &levers.terms,
	                row->plan->holds);
	if (r != 0) {
		if (r < 0)
			refused_thread(row->domain, row->vcpu, r);
		vcpu_drop(apply, row);
		return;
	}
	r = trace_begin(apply, row);
	if (r < 0) {
		refused_tracing(row->domain, row->vcpu, r);
		/* never boosted: the tracer would have told of its first halt */
		booster_remove(apply->parts.booster, row->vcpu->slot);
		vcpu_drop(apply, row);
		return;
	}
	*row->applied = (struct applied){
	        .begun = true,
	        .index = thread->index,
	        .tid = thread->id.tid,
	        .holds = row->plan->holds,
	        .profile = row->plan->profile,
	};
}

static void profile_set(struct apply *apply, const struct row *row)
{
	struct account_terms terms = terms_of(apply, row);

	if (profile_equal(&row->applied->profile, &row->plan->profile))
		return;
	booster_set_terms(apply->parts.booster, row->vcpu->slot, &terms);
	row->applied->profile = row->plan->profile;
	row->applied->rescan = true;
}

static void vcpus_begin(struct apply *apply, struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		struct row *row = &rows->rows[i];
		struct levers_vcpu levers;

		if (!row->applied)
			continue;
		if (!row->applied->begun) {
			vcpu_begin(apply, row);
			continue;
		}
		profile_set(apply, row);
		levers = levers_of(apply, row);
		levers_settle(&apply->levers, &levers);
	}
}

/* ---- pages ---- */

static void pages_give(struct apply *apply, const struct rows *rows, bool polled)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->rows[i];
		struct guest_page page = GUEST_PAGE_NULL;
		struct applied *applied = row->applied;
		uint64_t wanted = row->plan->page_generation;

		if (!applied || (applied->page_generation == wanted &&
		                 (!wanted || applied->page_polled == polled)))
			continue;
		if (wanted)
			page = apply->parts.page(apply->parts.userdata, row->domain,
			                         row->vcpu->thread.index);
		booster_set_page(apply->parts.booster, row->vcpu->slot, &page, polled);
		applied->page_generation = wanted;
		applied->page_polled = polled;
	}
}

/* ---- after the holds ---- */

static void rescan(struct apply *apply, const struct apply_wanted *wanted, const struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->rows[i];
		struct levers_vcpu levers;

		if (!row->applied || !(row->domain->rescan || row->applied->rescan))
			continue;
		levers = levers_of(apply, row);
		levers_again(&apply->levers, &levers);
		booster_rescan(apply->parts.booster, row->vcpu->slot);
		row->applied->rescan = false;
	}
	for (struct inventory_domain *d = wanted->inventory->domains; d; d = d->next)
		d->rescan = false;
}

static void grants_end(struct apply *apply, const struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->rows[i].applied && !rows->rows[i].plan->keeps_rt_budget)
			rt_grants_withdraw(apply->parts.grants, rows->rows[i].vcpu->slot);
}

static int rows_collect(struct apply *apply, const struct apply_wanted *wanted, struct rows *ret)
{
	const struct plan_vcpu *plan = wanted->plan->vcpus;
	size_t n_domains, n = inventory_count(wanted->inventory, &n_domains);

	ret->rows = calloc(MAX(n, (size_t)1), sizeof(*ret->rows));
	if (!ret->rows)
		return -ENOMEM;
	for (struct inventory_domain *d = wanted->inventory->domains; d; d = d->next) {
		for (size_t i = 0; i < d->n_vcpus; i++) {
			struct inventory_vcpu *v = &d->vcpus[i];

			ret->rows[ret->n++] = (struct row){
			        .domain = d,
			        .vcpu = v,
			        .plan = plan++,
			        .applied = v->slot != SLOT_NONE ? &apply->vcpus[v->slot] : NULL,
			};
		}
	}
	return 0;
}

static void rows_free(struct rows *rows)
{
	free(rows->rows);
}

/*
 * The order in which it is safe, and why:
 *  1. Holds begin. What shall not be boosted is unboosted before anything goes on which its boost
 *     relies.
 *  2. What is gone or not wanted ends: unboosted, then not traced, then its RT budget withdrawn.
 *     Before anything begins, since slots, TIDs and cgroups are used again.
 *  3. Accounts and rules of domains, then RT budgets: without one the kernel refuses the first
 *     boost, and the policy takes that for an answer until a rescan.
 *  4. vCPUs begin, with their slices and holds, or get another profile. A vCPU's thread is traced
 *     only after the booster has it, and boosted only after it is traced. Its slice is set while it
 *     is not boosted.
 *  5. Helper threads, of which some follow, and guest pages: they belong to vCPUs that are there.
 *  6. Holds end: from here on what is wanted can be boosted. Then a rescan, which would be in vain
 *     while a hold is on.
 *  7. RT budgets that are not wanted are withdrawn: by now every thread that had one is unboosted,
 *     by its hold or its new profile. The kernel refuses to take a budget that is in use.
 */
int apply_run(struct apply *apply, const struct apply_wanted *wanted)
{
	CLEANUP(rows_free) struct rows rows = {0};

	if (rows_collect(apply, wanted, &rows) < 0)
		return -ENOMEM;
	holds_begin(apply, &rows, wanted->plan->holds);
	followers_end(apply->parts.followers, wanted->inventory, wanted->plan, apply->slots);
	vcpus_end(apply, &rows);
	domains_end(apply, wanted->inventory);
	domains_begin(apply, wanted);
	slots_take(apply, &rows);
	grants_begin(apply, &rows);
	vcpus_begin(apply, &rows);
	followers_apply(apply->parts.followers, wanted->inventory, wanted->plan, apply->slots);
	pages_give(apply, &rows, wanted->polls_pages);
	holds_end(apply, &rows, wanted->plan->holds);
	rescan(apply, wanted, &rows);
	grants_end(apply, &rows);
	return 0;
}
