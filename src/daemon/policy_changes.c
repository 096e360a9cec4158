/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/policy_changes.h"

#include <stdlib.h>
#include <string.h>

struct vcpu_policy {
	struct thread_id id; /* the thread whose counters these are: slots are used again */
	struct profile profile;
	struct pvs_mark begin;       /* its counters when it got that profile */
	struct policy_before before; /* until_ns 0: none */
};

struct policy_changes {
	const struct accounts *accounts;
	struct vcpu_policy *vcpus[PVS_VCPUS_MAX]; /* by slot; NULL: not traced */
};

struct policy_changes *policy_changes_new(const struct accounts *accounts)
{
	struct policy_changes *changes = calloc(1, sizeof(*changes));

	if (changes)
		changes->accounts = accounts;
	return changes;
}

static void forget(struct policy_changes *changes, unsigned int slot)
{
	free(changes->vcpus[slot]);
	changes->vcpus[slot] = NULL;
}

struct policy_changes *policy_changes_free(struct policy_changes *changes)
{
	for (unsigned int slot = 0; changes && slot < PVS_VCPUS_MAX; slot++)
		forget(changes, slot);
	free(changes);
	return NULL;
}

static void begin(struct vcpu_policy *of, const struct pvs_vcpu_account *account,
                  const struct profile *profile, uint64_t now_ns)
{
	of->profile = *profile;
	pvs_mark_make(&of->begin, account, now_ns);
}

static void change(struct vcpu_policy *of, const struct pvs_vcpu_account *account,
                   const struct profile *profile, uint64_t now_ns)
{
	struct policy_before *before = &of->before;
	struct window_view window;

	/* of the same vCPU that was not traced for a while, the account began anew */
	if (!window_since(&of->begin, account, &window)) {
		before->until_ns = 0;
	} else if (now_ns - of->begin.until_ns >= POLICY_CHANGES_LEAST_NS) {
		before->window = window;
		before->window.since_ns = of->begin.until_ns;
		before->until_ns = now_ns;
		memcpy(before->profile, of->profile.name, sizeof(before->profile));
	}
	begin(of, account, profile, now_ns);
}

/* What a profile learns anew is no change of policy, but that it begins or ends to boost is one. */
static bool is_same_policy(const struct profile *a, const struct profile *b)
{
	return profile_equal(a, b) ||
	       (a->learned && b->learned && a->mode == b->mode && strcmp(a->name, b->name) == 0);
}

static void follow(struct policy_changes *changes, const struct inventory_vcpu *vcpu,
                   const struct profile *profile, uint64_t now_ns)
{
	const struct pvs_vcpu_account *account = &changes->accounts->vcpus[vcpu->slot];
	struct vcpu_policy *of = changes->vcpus[vcpu->slot];

	if (of && thread_id_equal(&of->id, &vcpu->thread.id)) {
		if (!is_same_policy(&of->profile, profile))
			change(of, account, profile, now_ns);
		return;
	}
	forget(changes, vcpu->slot);
	of = calloc(1, sizeof(*of));
	if (!of)
		return;
	of->id = vcpu->thread.id;
	begin(of, account, profile, now_ns);
	changes->vcpus[vcpu->slot] = of;
}

void policy_changes_follow(struct policy_changes *changes, const struct inventory *inventory,
                           const struct plan_domain *domains, uint64_t now_ns)
{
	uint64_t used[PVS_VCPUS_MAX / 64] = {0};

	for (const struct inventory_domain *d = inventory->domains; d; d = d->next, domains++) {
		for (size_t i = 0; i < d->n_vcpus; i++) {
			unsigned int slot = d->vcpus[i].slot;

			if (slot == SLOT_NONE)
				continue;
			used[slot / 64] |= UINT64_C(1) << slot % 64;
			if (domains->origin == PLAN_BY_TRIAL)
				continue;
			follow(changes, &d->vcpus[i], &domains->profile, now_ns);
		}
	}
	for (unsigned int slot = 0; slot < PVS_VCPUS_MAX; slot++)
		if (!(used[slot / 64] & UINT64_C(1) << slot % 64))
			forget(changes, slot);
}

const struct policy_before *policy_changes_before(const struct policy_changes *changes,
                                                  const struct inventory_vcpu *vcpu)
{
	const struct vcpu_policy *of = vcpu->slot != SLOT_NONE ? changes->vcpus[vcpu->slot] : NULL;

	return of && of->before.until_ns && thread_id_equal(&of->id, &vcpu->thread.id) ? &of->before
	                                                                               : NULL;
}
