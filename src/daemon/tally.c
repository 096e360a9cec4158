// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/tally.h"

#include <stddef.h>
#include <stdlib.h>

#include "util/clock.h"

/* All members of struct tally_counts are such words. */
#define WORDS (sizeof(struct tally_counts) / sizeof(uint64_t))

/* The counters of a vCPU, as they were at the last look. */
struct counted {
	struct thread_id id; /* the thread that was counted: slots are used again */
	struct tally_counts counts;
};

struct counted_domain {
	uint64_t serial; /* of the domain that was counted */
	struct tally_counts counts;
};

struct tally {
	struct counted vcpus[PVS_VCPUS_MAX];
	struct counted_domain domains[PVS_DOMAINS_MAX];
};

_Static_assert(sizeof(struct tally_counts) % sizeof(uint64_t) == 0, "an array of words");
_Static_assert(offsetof(struct tally_counts, waits) ==
                       sizeof(struct tally_counts) - PVS_WAIT_BUCKETS * sizeof(uint64_t),
               "waits are the last of them");

struct tally *tally_new(void)
{
	return calloc(1, sizeof(struct tally));
}

struct tally *tally_free(struct tally *tally)
{
	free(tally);
	return NULL;
}

void tally_difference(const struct tally_counts *now, const struct tally_counts *before,
                      struct tally_counts *ret)
{
	const uint64_t *a = (const uint64_t *)now, *b = (const uint64_t *)before;
	uint64_t *difference = (uint64_t *)ret;

	for (size_t i = 0; i < WORDS; i++)
		difference[i] = a[i] - b[i];
}

static void add(struct tally_counts *sum, const struct tally_counts *one)
{
	const uint64_t *from = (const uint64_t *)one;
	uint64_t *to = (uint64_t *)sum;

	for (size_t i = 0; i < WORDS; i++)
		to[i] += from[i];
}

static void counts_of(const struct vcpu_snapshot *snapshot, struct tally_counts *ret)
{
	const struct pvs_vcpu_account *account = &snapshot->account;
	const struct policy_view *view = &snapshot->booster.view;

	*ret = (struct tally_counts){
	        .boosts = view->boosts_total,
	        .interrupt_boosts = view->interrupts_total,
	        .boosted_ns = account->used_ns,
	        .would_boosted_ns = account->imagined_ns,
	        .run_ns = account->run_ns,
	        .wait_ns = account->wait_ns,
	        .wakeups = account->wakeups,
	        .boosted_wakeups = account->wakeups_boosted,
	};
	for (int r = 0; r < _POLICY_REASON_MAX; r++)
		ret->denied[r] = view->denied_total[r];
	for (int i = 0; i < PVS_WAIT_BUCKETS; i++)
		ret->waits[i] = account->wait_counts[i];
}

/* It was not traced in between: its counters began anew. Those of waits may overflow instead. */
static bool began_anew(const struct tally_counts *before, const struct tally_counts *now)
{
	const uint64_t *a = (const uint64_t *)before, *b = (const uint64_t *)now;

	for (size_t i = 0; i < WORDS - PVS_WAIT_BUCKETS; i++)
		if (a[i] > b[i])
			return true;
	return false;
}

static void look_at(struct counted *last, const struct thread_id *id,
                    const struct tally_counts *now, struct tally_counts *sum)
{
	struct tally_counts since;

	if (!thread_id_equal(&last->id, id) || began_anew(&last->counts, now))
		*last = (struct counted){.id = *id};
	tally_difference(now, &last->counts, &since);
	for (int i = 0; i < PVS_WAIT_BUCKETS; i++)
		since.waits[i] = (uint32_t)since.waits[i];
	add(sum, &since);
	last->counts = *now;
}

static struct counted_domain *of_domain(struct tally *tally, const struct inventory_domain *domain)
{
	struct counted_domain *counted = &tally->domains[domain->slot];

	if (counted->serial != domain->serial)
		*counted = (struct counted_domain){.serial = domain->serial};
	return counted;
}

void tally_add(struct tally *tally, const struct inventory_domain *domain,
               const struct inventory_vcpu *vcpu, const struct vcpu_snapshot *snapshot)
{
	struct tally_counts now;

	if (vcpu->slot == SLOT_NONE)
		return;
	counts_of(snapshot, &now);
	look_at(&tally->vcpus[vcpu->slot], &vcpu->thread.id, &now,
	        &of_domain(tally, domain)->counts);
}

const struct tally_counts *tally_of(struct tally *tally, const struct inventory_domain *domain)
{
	return &of_domain(tally, domain)->counts;
}

const struct tally_counts *tally_look(struct tally *tally, const struct views *views,
                                      const struct inventory_domain *domain, uint64_t *ret_at_ns)
{
	struct vcpu_snapshot snapshot;

	*ret_at_ns = clock_now_ns();
	for (size_t i = 0; i < domain->n_vcpus; i++) {
		if (domain->vcpus[i].slot == SLOT_NONE)
			continue;
		vcpu_snapshot_take(views, &domain->vcpus[i], &snapshot);
		tally_add(tally, domain, &domain->vcpus[i], &snapshot);
		*ret_at_ns = snapshot.taken_ns;
	}
	return tally_of(tally, domain);
}
