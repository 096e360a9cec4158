// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The threads that work for a boosted domain: the tracer is told of them, so that a boost that
 * keeps one from its CPU ends. Which threads these are is QEMU's claim, but for vhost workers of
 * the kernel: one that lies ends its own boosts and nobody else's, so no more proof is asked for.
 */
#include "daemon/manager.h"

#include <string.h>

#include "util/log.h"

/* QEMU's other threads, as those that save and compress, are nobody's wait. */
static bool is_watched(const struct domain *domain, const struct helper_thread *thread)
{
	return thread->role != HELPER_EMULATOR || thread->id.tid == domain->qemu.tid;
}

static unsigned int helper_slot(const struct managed_domain *d, unsigned int place)
{
	return d->slot * PVS_HELPERS_OF_DOMAIN + place;
}

static void helper_end(struct manager *m, struct managed_domain *d, unsigned int place)
{
	if (!d->helpers[place].tid)
		return;
	tracer_unregister_helper(m->tracer, helper_slot(d, place));
	d->helpers[place] = (struct thread_id){0};
}

static void helper_begin(struct manager *m, struct managed_domain *d, const struct thread_id *id)
{
	unsigned int place = 0;
	int r;

	while (place < PVS_HELPERS_OF_DOMAIN && d->helpers[place].tid)
		place++;
	if (place == PVS_HELPERS_OF_DOMAIN)
		return; /* `show` says which are not watched */
	r = tracer_register_helper(m->tracer, helper_slot(d, place), id->tid);
	if (r < 0) {
		log_debug("domain \"%s\": thread %d can't be watched: %s", d->seen->name, id->tid,
		          strerror(-r));
		return;
	}
	d->helpers[place] = *id;
	if (id->tid == d->seen->qemu.tid)
		tracer_set_leader(m->tracer, helper_slot(d, place));
	/* another thread may have that TID by now; from here on the tracer sees its exit */
	if (!thread_id_is_current(id))
		helper_end(m, d, place);
}

static bool is_wanted(const struct managed_domain *d, const struct thread_id *id)
{
	for (size_t i = 0; i < d->seen->n_helpers; i++)
		if (thread_id_equal(&d->seen->helpers[i].id, id))
			return is_watched(d->seen, &d->seen->helpers[i]);
	return false;
}

static void domain_apply(struct manager *m, struct managed_domain *d)
{
	bool boosts = d->choice.profile.mode == PROFILE_BOOST;

	for (unsigned int i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		if (!boosts || !is_wanted(d, &d->helpers[i]))
			helper_end(m, d, i);
	for (size_t i = 0; boosts && i < d->seen->n_helpers; i++) {
		const struct helper_thread *thread = &d->seen->helpers[i];

		if (is_watched(d->seen, thread) && !helpers_account(m, d, &thread->id))
			helper_begin(m, d, &thread->id);
	}
	/* after QEMU's leader, whose epoch they join */
	for (size_t i = 0; boosts && i < d->n_vcpus; i++)
		if (d->vcpus[i].slot != SLOT_NONE)
			tracer_join_epoch(m->tracer, d->vcpus[i].slot);
}

void helpers_apply(struct manager *m)
{
	for (struct managed_domain *d = m->domains; m->tracer && d; d = d->next)
		domain_apply(m, d);
}

void helpers_drop(struct manager *m, struct managed_domain *d)
{
	for (unsigned int i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		helper_end(m, d, i);
}

void helpers_made_room(struct managed_domain *d, const struct managed_vcpu *v, int place)
{
	struct log_context ctx = {
	        .domain = d->seen->name,
	        .vcpu = (int)v->thread.index,
	        .reason = policy_reason_name(POLICY_REASON_HELPER),
	};

	if (d->room_logged || place < 0 || place >= PVS_HELPERS_OF_DOMAIN)
		return;
	d->room_logged = true;
	log_write(LOG_NOTICE, &ctx,
	          "domain \"%s\", vCPU %u: it gave its boost back for its domain's own thread %d, "
	          "which had waited behind it for a millisecond; pin that elsewhere (virsh "
	          "emulatorpin, iothreadpin), or expect it again",
	          d->seen->name, v->thread.index, d->helpers[place].tid);
}

uint64_t helpers_sheds_total(const struct manager *m, const struct managed_domain *d)
{
	uint64_t sheds = 0;

	for (unsigned int i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		if (d->helpers[i].tid)
			sheds += m->accounts.helpers[helper_slot(d, i)].sheds;
	return sheds;
}

const struct pvs_helper_account *
helpers_account(const struct manager *m, const struct managed_domain *d, const struct thread_id *id)
{
	for (unsigned int i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		if (d->helpers[i].tid && thread_id_equal(&d->helpers[i], id))
			return &m->accounts.helpers[helper_slot(d, i)];
	return NULL;
}
