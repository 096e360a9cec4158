// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/helper_threads.h"

#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "util/log.h"
#include "util/procfs.h"

/* What is watched for one domain. */
struct watched {
	struct thread_id places[PVS_HELPERS_OF_DOMAIN]; /* tid 0: none */
	bool room_logged;                               /* that vCPUs make room for these */
};

struct helper_threads {
	struct tracer *tracer;
	const struct accounts *accounts;
	struct watched of[PVS_DOMAINS_MAX]; /* by the domain's slot */
};

struct helper_threads *helper_threads_new(struct tracer *tracer, const struct accounts *accounts)
{
	struct helper_threads *helpers = calloc(1, sizeof(*helpers));

	if (!helpers)
		return NULL;
	helpers->tracer = tracer;
	helpers->accounts = accounts;
	return helpers;
}

struct helper_threads *helper_threads_free(struct helper_threads *helpers)
{
	free(helpers);
	return NULL;
}

/* No vCPU waits for QEMU's other threads, as those that save and compress. */
static bool is_watched_role(const struct domain *domain, const struct helper_thread *thread)
{
	return thread->role != HELPER_EMULATOR || thread->id.tid == domain->qemu.tid;
}

static unsigned int helper_slot(unsigned int domain_slot, unsigned int place)
{
	return domain_slot * PVS_HELPERS_OF_DOMAIN + place;
}

static void place_end(struct helper_threads *helpers, unsigned int domain_slot, unsigned int place)
{
	struct thread_id *id = &helpers->of[domain_slot].places[place];

	if (!id->tid)
		return;
	tracer_unregister_helper(helpers->tracer, helper_slot(domain_slot, place));
	*id = (struct thread_id){0};
}

static void place_begin(struct helper_threads *helpers, const struct inventory_domain *d,
                        const struct thread_id *id)
{
	struct watched *watched = &helpers->of[d->slot];
	unsigned int place = 0;
	int r;

	while (place < PVS_HELPERS_OF_DOMAIN && watched->places[place].tid)
		place++;
	if (place == PVS_HELPERS_OF_DOMAIN)
		return; /* `show` says which are not watched */
	r = tracer_register_helper(helpers->tracer, helper_slot(d->slot, place), id->tid);
	if (r < 0) {
		log_debug("domain \"%s\": thread %d can't be watched: %s", d->seen->name, id->tid,
		          strerror(-r));
		return;
	}
	watched->places[place] = *id;
	if (id->tid == d->seen->qemu.tid)
		tracer_set_leader(helpers->tracer, helper_slot(d->slot, place));
	/* another thread may have that TID by now; from here on the tracer sees its exit */
	if (!thread_id_is_current(id))
		place_end(helpers, d->slot, place);
}

static bool is_wanted(const struct inventory_domain *d, const struct thread_id *id)
{
	for (size_t i = 0; i < d->seen->n_helpers; i++)
		if (thread_id_equal(&d->seen->helpers[i].id, id))
			return is_watched_role(d->seen, &d->seen->helpers[i]);
	return false;
}

void helper_threads_apply(struct helper_threads *helpers, const struct inventory_domain *domain,
                          bool boosted)
{
	struct watched *watched = &helpers->of[domain->slot];

	if (!helpers->tracer)
		return;
	for (unsigned int i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		if (!boosted || !is_wanted(domain, &watched->places[i]))
			place_end(helpers, domain->slot, i);
	for (size_t i = 0; boosted && i < domain->seen->n_helpers; i++) {
		const struct helper_thread *thread = &domain->seen->helpers[i];

		if (is_watched_role(domain->seen, thread) &&
		    helper_threads_number(helpers, domain, &thread->id) == HELPER_NONE)
			place_begin(helpers, domain, &thread->id);
	}
	for (size_t i = 0; boosted && i < domain->n_vcpus; i++)
		if (domain->vcpus[i].slot != SLOT_NONE)
			tracer_join_epoch(helpers->tracer, domain->vcpus[i].slot);
}

void helper_threads_end(struct helper_threads *helpers, unsigned int domain_slot)
{
	for (unsigned int i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		place_end(helpers, domain_slot, i);
	helpers->of[domain_slot].room_logged = false;
}

void helper_threads_made_room(struct helper_threads *helpers, const struct inventory_domain *domain,
                              const struct inventory_vcpu *vcpu, int place)
{
	struct watched *watched = &helpers->of[domain->slot];
	struct log_context ctx = {
	        .domain = domain->seen->name,
	        .vcpu = (int)vcpu->thread.index,
	        .reason = policy_reason_name(POLICY_REASON_HELPER),
	};

	if (watched->room_logged || place < 0 || place >= PVS_HELPERS_OF_DOMAIN)
		return;
	watched->room_logged = true;
	log_write(LOG_NOTICE, &ctx,
	          "domain \"%s\", vCPU %u: it gave its boost back for its domain's own thread %d, "
	          "which had waited behind it for a millisecond; pin that elsewhere (virsh "
	          "emulatorpin, iothreadpin; without libvirt, taskset), or expect it again",
	          domain->seen->name, vcpu->thread.index, watched->places[place].tid);
}

size_t helper_threads_left_out(const struct helper_threads *helpers,
                               const struct inventory_domain *domain)
{
	size_t n = 0;

	for (size_t i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		if (!helpers->of[domain->slot].places[i].tid)
			return 0;
	for (size_t i = 0; i < domain->seen->n_helpers; i++)
		n += is_watched_role(domain->seen, &domain->seen->helpers[i]) &&
		     !helper_threads_account(helpers, domain, &domain->seen->helpers[i].id);
	return n;
}

uint64_t helper_threads_sheds(const struct helper_threads *helpers,
                              const struct inventory_domain *domain)
{
	uint64_t sheds = 0;

	for (unsigned int i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		if (helpers->of[domain->slot].places[i].tid)
			sheds += helpers->accounts->helpers[helper_slot(domain->slot, i)].sheds;
	return sheds;
}

unsigned int helper_threads_number(const struct helper_threads *helpers,
                                   const struct inventory_domain *domain,
                                   const struct thread_id *id)
{
	const struct thread_id *places = helpers->of[domain->slot].places;

	for (unsigned int i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		if (places[i].tid && thread_id_equal(&places[i], id))
			return helper_slot(domain->slot, i);
	return HELPER_NONE;
}

const struct pvs_helper_account *helper_threads_account(const struct helper_threads *helpers,
                                                        const struct inventory_domain *domain,
                                                        const struct thread_id *id)
{
	unsigned int number = helper_threads_number(helpers, domain, id);

	return number == HELPER_NONE ? NULL : &helpers->accounts->helpers[number];
}
