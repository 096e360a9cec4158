// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/followers.h"

#include <stdlib.h>
#include <string.h>

#include "boost/children.h"
#include "util/log.h"
#include "util/log_ids.h"
#include "util/procfs.h"

/* Of all domains, and of one: a QEMU may have any number of iothreads. */
#define FOLLOWERS_MAX           512
#define FOLLOWERS_OF_DOMAIN_MAX 16

/* What was logged of one. */
enum {
	SAID_REFUSED = 1 << 0,
	SAID_STUCK = 1 << 1,
	SAID_FOREIGN = 1 << 2,
};

struct follower {
	unsigned int slot;   /* of its account, among the vCPUs */
	unsigned int helper; /* which helper it is */
	uint64_t serial;     /* of its domain */
	struct thread_id id;
	uint32_t holds;
	struct profile profile;
	unsigned int said;
};

struct followers {
	struct followers_parts parts;
	size_t n;
	struct follower of[FOLLOWERS_MAX];
};

struct followers *followers_new(const struct followers_parts *parts)
{
	struct followers *followers = calloc(1, sizeof(*followers));

	if (followers)
		followers->parts = *parts;
	return followers;
}

struct followers *followers_free(struct followers *followers)
{
	free(followers);
	return NULL;
}

static unsigned int domain_slot(const struct follower *f)
{
	return f->helper / PVS_HELPERS_OF_DOMAIN;
}

/* ---- ends ---- */

/* Returns false if its boost could not be ended: then it stays traced, and each pass tries again.
 */
static bool end(struct followers *followers, size_t i, uint64_t *slots)
{
	struct follower *f = &followers->of[i];

	if (booster_remove(followers->parts.booster, f->slot) < 0) {
		if (!(f->said & SAID_STUCK))
			log_error("thread %d can't be given back; its record stays in the ledger, "
			          "and it is tried again",
			          f->id.tid);
		f->said |= SAID_STUCK;
		return false;
	}
	tracer_unfollow(followers->parts.tracer, f->slot, f->helper, f->id.tid);
	rt_grants_withdraw(followers->parts.grants, f->slot);
	slot_give(slots, f->slot);
	*f = followers->of[--followers->n];
	return true;
}

static bool may_follow(const struct domain *domain, const struct thread_id *id)
{
	for (size_t i = 0; i < domain->n_helpers; i++)
		if (thread_id_equal(&domain->helpers[i].id, id))
			return domain->helpers[i].role == HELPER_IOTHREAD ||
			       domain->helpers[i].role == HELPER_VHOST;
	return false;
}

/* What the plan has for its domain; NULL: it follows no longer. */
static const struct follow_plan *wanted(const struct follower *f, const struct inventory *inventory,
                                        const struct plan *plan)
{
	const struct plan_domain *of = plan->domains;

	for (const struct inventory_domain *d = inventory->domains; d; d = d->next, of++)
		if (d->slot == domain_slot(f) && d->serial == f->serial)
			return of->follow.wanted && may_follow(d->seen, &f->id) ? &of->follow
			                                                        : NULL;
	return NULL;
}

static void hold(struct followers *followers, struct follower *f, uint32_t set, uint32_t clear)
{
	if (set | clear)
		booster_hold(followers->parts.booster, f->slot, set, clear);
	f->holds = (f->holds | set) & ~clear;
}

/* How many slots the vCPUs of the plan leave. */
static size_t slots_left(const struct inventory *inventory, const struct plan *plan)
{
	size_t domains, n = inventory_count(inventory, &domains), taken = 0;

	for (size_t i = 0; i < n; i++)
		taken += plan->vcpus[i].traced;
	return PVS_VCPUS_MAX - MIN(taken, (size_t)PVS_VCPUS_MAX);
}

void followers_end(struct followers *followers, const struct inventory *inventory,
                   const struct plan *plan, uint64_t *slots)
{
	size_t left = followers->n ? slots_left(inventory, plan) : 0;

	/* from the last to the first: the last one takes the place of one that has ended */
	for (size_t i = followers->n; i-- > 0;) {
		struct follower *f = &followers->of[i];
		const struct follow_plan *follow = wanted(f, inventory, plan);

		if (!follow || followers->n > left) {
			end(followers, i, slots);
			continue;
		}
		hold(followers, f, follow->holds & ~f->holds, 0);
		if (!follow->keeps_rt_budget)
			rt_grants_withdraw(followers->parts.grants, f->slot);
	}
}

/* ---- begins ---- */

static struct account_terms terms_of(const struct followers *followers, const struct follower *f)
{
	return (struct account_terms){
	        .tid = f->id.tid,
	        .domain = domain_slot(f),
	        .priority = followers->parts.priority,
	        .helper = f->helper + 1,
	        .profile = f->profile,
	};
}

static void say_refused(const struct inventory_domain *domain, struct follower *f,
                        const char *group)
{
	struct log_context ctx = {
	        .domain = domain->seen->name,
	        .vcpu = -1,
	        .reason = policy_reason_name(POLICY_REASON_RT_REFUSED),
	        .message_id = LOG_ID_BOOST_REFUSED,
	};

	if (f->said & SAID_REFUSED)
		return;
	f->said |= SAID_REFUSED;
	log_write(LOG_WARNING, &ctx,
	          "domain \"%s\": the kernel refuses a real-time class to its thread %d, in group "
	          "%s: see host.grant_rt_budget. Until then vCPUs make room for it",
	          domain->seen->name, f->id.tid, group);
}

/* Its group in the hierarchy of the cpu controller; "": not known. */
static void find_group(const struct cgroup_cpu *cgroup, pid_t tid, char ret[CGROUP_GROUP_MAX])
{
	char name[CGROUP_GROUP_MAX];
	enum procfs_cgroup_kind kind;

	*ret = '\0';
	if (!cgroup || procfs_cgroup(0, tid, &kind, name, sizeof(name)) < 0)
		return;
	if (cgroup_locate(cgroup, kind, name, ret) < 0)
		*ret = '\0';
}

/* Emulator, iothreads and kernel workers have groups of their own: each needs its budget. */
static void grant(struct followers *followers, const struct inventory_domain *domain,
                  const struct follow_plan *follow, struct follower *f)
{
	char group[CGROUP_GROUP_MAX], failed[CGROUP_GROUP_MAX];

	if (!follow->rt_permille)
		return;
	find_group(followers->parts.cgroup, f->id.tid, group);
	if (!*group)
		return;
	rt_grants_moved(followers->parts.grants, f->slot, group);
	if (rt_grants_ensure(followers->parts.grants, f->slot, group, follow->rt_permille, failed) <
	    0)
		say_refused(domain, f, failed);
}

/* Taken on by the booster, then by the tracer: see vcpu_begin() in apply.c. */
static bool take_on(struct followers *followers, struct follower *f)
{
	struct account_terms terms = terms_of(followers, f);

	if (booster_add(followers->parts.booster, f->slot, &f->id, &terms, f->holds) != 0)
		return false;
	if (tracer_follow(followers->parts.tracer, f->slot, f->helper, f->id.tid) < 0) {
		/* never boosted: the tracer would have told of its first wait */
		booster_remove(followers->parts.booster, f->slot);
		return false;
	}
	tracer_join_epoch(followers->parts.tracer, f->slot);
	return true;
}

/* Returns whether it follows from now on. */
static bool begin(struct followers *followers, const struct inventory_domain *domain,
                  const struct follow_plan *follow, const struct thread_id *id, unsigned int helper,
                  uint64_t *slots)
{
	struct follower *f = &followers->of[followers->n];

	*f = (struct follower){
	        .slot = slot_take(slots, PVS_VCPUS_MAX),
	        .helper = helper,
	        .serial = domain->serial,
	        .id = *id,
	        .holds = follow->holds,
	        .profile = follow->profile,
	};
	if (f->slot == SLOT_NONE)
		return false;
	grant(followers, domain, follow, f);
	if (!take_on(followers, f)) {
		log_debug("domain \"%s\": thread %d can't follow", domain->seen->name, id->tid);
		rt_grants_withdraw(followers->parts.grants, f->slot);
		slot_give(slots, f->slot);
		return false;
	}
	followers->n++;
	/* another thread may have that TID by now; from here on the tracer sees its exit */
	return thread_id_is_current(id) || !end(followers, followers->n - 1, slots);
}

static void update(struct followers *followers, const struct inventory_domain *domain,
                   const struct follow_plan *follow, struct follower *f)
{
	struct account_terms terms;

	grant(followers, domain, follow, f);
	if (!profile_equal(&f->profile, &follow->profile)) {
		f->profile = follow->profile;
		terms = terms_of(followers, f);
		booster_set_terms(followers->parts.booster, f->slot, &terms);
	}
	tracer_join_epoch(followers->parts.tracer, f->slot);
	hold(followers, f, 0, f->holds & ~follow->holds);
	if (domain->rescan)
		booster_rescan(followers->parts.booster, f->slot);
}

static struct follower *find(struct followers *followers, unsigned int slot)
{
	for (size_t i = 0; i < followers->n; i++)
		if (followers->of[i].slot == slot)
			return &followers->of[i];
	return NULL;
}

unsigned int followers_slot(const struct followers *followers,
                            const struct inventory_domain *domain, const struct thread_id *id)
{
	for (size_t i = 0; i < followers->n; i++)
		if (followers->of[i].serial == domain->serial &&
		    thread_id_equal(&followers->of[i].id, id))
			return followers->of[i].slot;
	return SLOT_NONE;
}

/* A thread that is stuck in another domain's slot keeps what it has there. */
static bool is_taken(const struct followers *followers, const struct thread_id *id,
                     unsigned int helper)
{
	for (size_t i = 0; i < followers->n; i++)
		if (followers->of[i].helper == helper || thread_id_equal(&followers->of[i].id, id))
			return true;
	return false;
}

static void follow_domain(struct followers *followers, const struct inventory_domain *domain,
                          const struct follow_plan *follow, uint64_t *slots)
{
	const struct domain *seen = domain->seen;
	unsigned int n = 0, helper;

	for (size_t i = 0; i < followers->n; i++) {
		if (followers->of[i].serial != domain->serial)
			continue;
		update(followers, domain, follow, &followers->of[i]);
		n++;
	}
	for (size_t i = 0; i < seen->n_helpers && n < FOLLOWERS_OF_DOMAIN_MAX; i++) {
		const struct thread_id *id = &seen->helpers[i].id;

		helper = helper_threads_number(followers->parts.helpers, domain, id);
		if (helper == HELPER_NONE || !may_follow(seen, id) ||
		    is_taken(followers, id, helper) || followers->n == FOLLOWERS_MAX)
			continue;
		n += begin(followers, domain, follow, id, helper, slots);
	}
}

void followers_apply(struct followers *followers, const struct inventory *inventory,
                     const struct plan *plan, uint64_t *slots)
{
	const struct plan_domain *of = plan->domains;

	for (const struct inventory_domain *d = inventory->domains; d; d = d->next, of++) {
		helper_threads_apply(followers->parts.helpers, d,
		                     of->profile.mode == PROFILE_BOOST);
		if (of->follow.wanted && followers->parts.tracer && followers->parts.sees_helpers)
			follow_domain(followers, d, &of->follow, slots);
	}
}

/* ---- notes ---- */

static struct inventory_domain *domain_of(const struct inventory *inventory,
                                          const struct follower *f)
{
	for (struct inventory_domain *d = inventory->domains; d; d = d->next)
		if (d->serial == f->serial)
			return d;
	return NULL;
}

static void say_foreign(const struct inventory_domain *domain, struct follower *f)
{
	if (!(f->said & SAID_FOREIGN))
		log_domain(LOG_NOTICE, domain->seen->name,
		           "domain \"%s\": another program changed the scheduling of thread %d; it "
		           "is left alone",
		           domain->seen->name, f->id.tid);
	f->said |= SAID_FOREIGN;
}

struct inventory_domain *followers_note(struct followers *followers,
                                        const struct booster_note *note,
                                        const struct inventory *inventory,
                                        const struct ledger *ledger)
{
	struct follower *f = find(followers, note->slot);
	struct inventory_domain *domain = f ? domain_of(inventory, f) : NULL;
	char group[CGROUP_GROUP_MAX];

	if (!domain)
		return NULL;
	if (note->type == BOOSTER_NOTE_GONE || note->type == BOOSTER_NOTE_QUOTA)
		return domain;
	if (note->type == BOOSTER_NOTE_FOREIGN)
		say_foreign(domain, f);
	if (note->type == BOOSTER_NOTE_FAILED)
		log_domain(LOG_ERR, domain->seen->name,
		           "domain \"%s\": thread %d can't be changed: %s", domain->seen->name,
		           f->id.tid, strerror(-note->arg));
	if (note->type == BOOSTER_NOTE_REFUSED) {
		find_group(followers->parts.cgroup, f->id.tid, group);
		say_refused(domain, f, group);
	}
	if (note->type == BOOSTER_NOTE_FORK)
		children_mend(ledger, note->slot, &f->id, note->arg);
	return NULL;
}
