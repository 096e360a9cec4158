// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/comparing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "util/clock.h"
#include "util/log.h"

#define LOOK_NS     NSEC_PER_SEC
#define ACCURACY_US 1000

struct comparing {
	const struct accounts *accounts;
	struct booster *booster;
	sd_event *event;
	sd_event_source *timer; /* NULL: never started */
	struct harm *harm;
	const struct inventory *inventory; /* of the last pass */
	bool on;
	bool said[PVS_VCPUS_MAX];
	uint64_t look_ns;                    /* NSEC_NEVER: the booster's note wakes it */
	uint16_t root[CPU_SET_BITS_MAX];     /* of CPUs: another one of the same set, or itself */
	uint16_t set_cpus[CPU_SET_BITS_MAX]; /* of a root: CPUs of its set that a vCPU may run on */
	pid_t tids[PVS_VCPUS_MAX];           /* 0: not compared */
};

static void read_counts(void *userdata, unsigned int slot, struct harm_counts *ret)
{
	const struct comparing *comparing = userdata;
	const struct pvs_vcpu_account *account = &comparing->accounts->vcpus[slot];

	ret->boosted_ns = PVS_READ(account->used_ns);
	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++)
		ret->waits[i] = PVS_READ(account->wait_counts[i]);
}

/* Nobody can foresee when nothing is boosted; without random numbers it is hard all the same. */
static uint64_t draw_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = clock_now_ns() ^ clock_process_ns() << 32;
	return seed;
}

int comparing_new(struct comparing **ret, sd_event *event, const struct accounts *accounts,
                  struct booster *booster)
{
	struct comparing *comparing = calloc(1, sizeof(*comparing));

	if (!comparing)
		return -ENOMEM;
	comparing->accounts = accounts;
	comparing->booster = booster;
	comparing->event = event;
	comparing->look_ns = NSEC_NEVER;
	comparing->harm = harm_new(PVS_VCPUS_MAX, draw_seed(), read_counts, comparing);
	if (!comparing->harm) {
		free(comparing);
		return -ENOMEM;
	}
	*ret = comparing;
	return 0;
}

struct comparing *comparing_free(struct comparing *comparing)
{
	if (!comparing)
		return NULL;
	sd_event_source_disable_unref(comparing->timer);
	harm_free(comparing->harm);
	free(comparing);
	return NULL;
}

/* ---- what is due ---- */

/* Once for each thread: what is found again and again is in the counters. */
static void say_harmful(struct comparing *comparing, unsigned int slot)
{
	struct inventory_domain *domain = NULL;
	struct inventory_vcpu *vcpu = inventory_by_slot(comparing->inventory, slot, &domain);
	struct log_context ctx;

	if (!vcpu || comparing->said[slot])
		return;
	comparing->said[slot] = true;
	ctx = (struct log_context){.domain = domain->seen->name,
	                           .vcpu = (int)vcpu->thread.index,
	                           .reason = policy_reason_name(POLICY_REASON_HARMFUL),
	                           .outside = true};
	log_write(LOG_NOTICE, &ctx,
	          "domain \"%s\", vCPU %u: on its CPUs, waits are longer with boosts than without; "
	          "it "
	          "is let alone for a second to a minute, and tried again (`pvschedctl explain`)",
	          domain->seen->name, vcpu->thread.index);
}

static void tell_booster(struct comparing *comparing)
{
	uint32_t holds;
	int slot = -1;

	while ((slot = harm_change(comparing->harm, slot, &holds)) >= 0) {
		booster_hold(comparing->booster, (unsigned int)slot, holds, HARM_HOLDS & ~holds);
		if (holds & POLICY_HOLD(POLICY_REASON_HARMFUL))
			say_harmful(comparing, (unsigned int)slot);
	}
}

static void look(struct comparing *comparing, uint64_t now_ns)
{
	harm_look(comparing->harm, now_ns);
	comparing->look_ns = now_ns + LOOK_NS;
	if (!harm_is_quiet(comparing->harm))
		return;
	comparing->look_ns = NSEC_NEVER;
	booster_note_denied(comparing->booster);
}

uint64_t comparing_next_ns(const struct comparing *comparing)
{
	return MIN(harm_next_ns(comparing->harm), comparing->look_ns);
}

void comparing_run(struct comparing *comparing, uint64_t now_ns)
{
	if (now_ns >= comparing->look_ns)
		look(comparing, now_ns);
	harm_step(comparing->harm, now_ns);
	tell_booster(comparing);
}

static void wake(struct comparing *comparing);

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	comparing_run(userdata, clock_now_ns());
	wake(userdata);
	return 0;
}

static void wake(struct comparing *comparing)
{
	uint64_t at_ns = comparing_next_ns(comparing);
	int r = 0;

	if (at_ns == NSEC_NEVER) {
		if (comparing->timer)
			sd_event_source_set_enabled(comparing->timer, SD_EVENT_OFF);
		return;
	}
	if (!comparing->timer)
		r = sd_event_add_time(comparing->event, &comparing->timer, CLOCK_MONOTONIC,
		                      at_ns / NSEC_PER_USEC, ACCURACY_US, on_time, comparing);
	if (r < 0) {
		log_error("no timer to compare waits by: %s; boosts go on", strerror(-r));
		return;
	}
	sd_event_source_set_description(comparing->timer, "comparing");
	sd_event_source_set_time(comparing->timer, at_ns / NSEC_PER_USEC);
	sd_event_source_set_enabled(comparing->timer, SD_EVENT_ONESHOT);
}

void comparing_wake(struct comparing *comparing)
{
	if (!comparing->on || comparing->look_ns != NSEC_NEVER)
		return;
	comparing->look_ns = clock_now_ns() + LOOK_NS;
	wake(comparing);
}

/* ---- on and off ---- */

static void drop(struct comparing *comparing, unsigned int slot, bool gone)
{
	comparing->tids[slot] = 0;
	harm_drop(comparing->harm, slot, gone);
}

void comparing_configure(struct comparing *comparing, bool on)
{
	if (on == comparing->on)
		return;
	comparing->on = on;
	if (on) {
		booster_note_denied(comparing->booster);
		return;
	}
	for (unsigned int slot = 0; slot < PVS_VCPUS_MAX; slot++)
		if (comparing->tids[slot])
			drop(comparing, slot, false);
	tell_booster(comparing);
	comparing->look_ns = NSEC_NEVER;
	wake(comparing);
}

/* ---- which vCPUs, on which CPUs ---- */

static unsigned int root_of(struct comparing *comparing, unsigned int cpu)
{
	while (comparing->root[cpu] != cpu) {
		comparing->root[cpu] = comparing->root[comparing->root[cpu]];
		cpu = comparing->root[cpu];
	}
	return cpu;
}

/* The CPUs of a vCPU belong together; the lowest of a set is its root, and its number. */
static void join(struct comparing *comparing, const struct cpu_set_bits *cpus)
{
	unsigned int first = root_of(comparing, cpu_set_bits_next(cpus, 0)), other;

	CPU_SET_BITS_FOREACH(cpu, cpus)
	{
		other = root_of(comparing, cpu);
		comparing->root[MAX(first, other)] = (uint16_t)MIN(first, other);
		first = MIN(first, other);
	}
}

static bool is_compared(const struct inventory_vcpu *vcpu, const struct plan_vcpu *plan)
{
	return vcpu->slot != SLOT_NONE && plan->traced && plan->profile.mode == PROFILE_BOOST &&
	       (plan->profile.levers & PROFILE_LEVER_RT) && !cpu_set_bits_empty(&vcpu->affinity);
}

static void join_all(struct comparing *comparing, const struct inventory *inventory,
                     const struct plan_vcpu *plan)
{
	struct cpu_set_bits all = CPU_SET_BITS_NULL;

	for (unsigned int cpu = 0; cpu < CPU_SET_BITS_MAX; cpu++)
		comparing->root[cpu] = (uint16_t)cpu;
	memset(comparing->set_cpus, 0, sizeof(comparing->set_cpus));
	for (const struct inventory_domain *d = inventory->domains; d; d = d->next) {
		for (size_t i = 0; i < d->n_vcpus; i++, plan++) {
			if (!is_compared(&d->vcpus[i], plan))
				continue;
			join(comparing, &d->vcpus[i].affinity);
			for (size_t w = 0; w < CPU_SET_BITS_WORDS; w++)
				all.words[w] |= d->vcpus[i].affinity.words[w];
		}
	}
	CPU_SET_BITS_FOREACH(cpu, &all)
	comparing->set_cpus[root_of(comparing, cpu)]++;
}

static void put(struct comparing *comparing, const struct inventory_domain *domain,
                const struct inventory_vcpu *vcpu, uint32_t cpu_share_permille)
{
	unsigned int set = root_of(comparing, cpu_set_bits_next(&vcpu->affinity, 0));

	comparing->tids[vcpu->slot] = vcpu->thread.id.tid;
	if (harm_put(comparing->harm, vcpu->slot, domain->slot, set) < 0)
		return; /* it is boosted, and not compared, until memory is there */
	harm_set_capacity(comparing->harm, set, comparing->set_cpus[set] * cpu_share_permille);
}

/* Before others come: what was found of a domain that has ended is not that of the next one. */
static void drop_all(struct comparing *comparing, const struct inventory *inventory,
                     const struct plan_vcpu *plan)
{
	pid_t tids[PVS_VCPUS_MAX] = {0};
	bool compared[PVS_VCPUS_MAX] = {0}, gone;

	for (const struct inventory_domain *d = inventory->domains; d; d = d->next) {
		for (size_t i = 0; i < d->n_vcpus; i++, plan++) {
			if (d->vcpus[i].slot == SLOT_NONE)
				continue;
			tids[d->vcpus[i].slot] = d->vcpus[i].thread.id.tid;
			compared[d->vcpus[i].slot] = is_compared(&d->vcpus[i], plan);
		}
	}
	for (unsigned int slot = 0; slot < PVS_VCPUS_MAX; slot++) {
		gone = tids[slot] != comparing->tids[slot];
		if (!comparing->tids[slot] || (compared[slot] && !gone))
			continue;
		comparing->said[slot] = !gone && comparing->said[slot];
		drop(comparing, slot, gone);
	}
}

void comparing_follow(struct comparing *comparing, const struct inventory *inventory,
                      const struct plan_vcpu *plan, uint32_t cpu_share_permille)
{
	if (!comparing->on)
		return;
	comparing->inventory = inventory;
	drop_all(comparing, inventory, plan);
	join_all(comparing, inventory, plan);
	for (const struct inventory_domain *d = inventory->domains; d; d = d->next)
		for (size_t i = 0; i < d->n_vcpus; i++, plan++)
			if (is_compared(&d->vcpus[i], plan))
				put(comparing, d, &d->vcpus[i], cpu_share_permille);
	tell_booster(comparing);
}

bool comparing_read(const struct comparing *comparing, unsigned int slot, struct harm_view *ret)
{
	return harm_read(comparing->harm, slot, ret);
}
