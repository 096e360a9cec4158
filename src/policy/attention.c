// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/attention.h"

#include <stdlib.h>

/* Time that may be used. */
struct pot {
	int64_t left_ns;
	uint64_t at_ns; /* as of then */
};

struct domain {
	unsigned int vcpus;  /* that its profile boosts */
	uint64_t left_ns;    /* when the last of these went */
	unsigned int pauses; /* in a row */
	uint64_t unheard_until_ns;
	struct pot part;
	uint64_t used_ns, unheard_total;
};

struct attention {
	unsigned int n_domains, n_active;
	uint32_t share_permille;
	struct pot all;
	struct domain *domains;
};

struct attention *attention_new(unsigned int n_domains, uint32_t share_permille)
{
	struct attention *attention = calloc(1, sizeof(*attention));

	if (!attention)
		return NULL;
	attention->domains = calloc(n_domains, sizeof(*attention->domains));
	if (!attention->domains) {
		free(attention);
		return NULL;
	}
	attention->n_domains = n_domains;
	attention->share_permille = share_permille;
	attention->all.left_ns = (int64_t)ATTENTION_BURST_NS;
	for (unsigned int i = 0; i < n_domains; i++)
		attention->domains[i].part.left_ns = (int64_t)ATTENTION_BURST_NS;
	return attention;
}

struct attention *attention_free(struct attention *attention)
{
	if (!attention)
		return NULL;
	free(attention->domains);
	free(attention);
	return NULL;
}

/* Up to @burst_ns. @share_ppb: in billionths of a CPU. */
static void refill(struct pot *pot, uint64_t burst_ns, uint64_t share_ppb, uint64_t now_ns)
{
	uint64_t passed_ns, gained_ns, room_ns;

	/* a part is smaller when domains have come */
	pot->left_ns = MIN(pot->left_ns, (int64_t)burst_ns);
	room_ns = (uint64_t)((int64_t)burst_ns - pot->left_ns);
	if (now_ns <= pot->at_ns || !share_ppb)
		return;
	/* what is longer ago counts the next time; the product must fit */
	passed_ns = MIN(now_ns - pot->at_ns, 10 * NSEC_PER_SEC);
	gained_ns = passed_ns * share_ppb / NSEC_PER_SEC;
	if (gained_ns >= room_ns) {
		pot->left_ns = (int64_t)burst_ns;
		pot->at_ns = now_ns;
		return;
	}
	/* and so does what was too short for a whole nanosecond */
	pot->left_ns += (int64_t)gained_ns;
	pot->at_ns += gained_ns * NSEC_PER_SEC / share_ppb;
}

static void refill_of_all(struct attention *attention, uint64_t now_ns)
{
	refill(&attention->all, ATTENTION_BURST_NS, attention->share_permille * UINT64_C(1000000),
	       now_ns);
}

/* The parts together are half of what all may use, of its burst, too. */
static void refill_part(const struct attention *attention, struct domain *d, uint64_t now_ns)
{
	uint64_t n = MAX(attention->n_active, 1U);

	refill(&d->part, MAX(ATTENTION_BURST_NS / 2 / n, ATTENTION_PART_BURST_MIN_NS),
	       attention->share_permille * UINT64_C(500000) / n, now_ns);
}

/* Before what is given changes: all that was given until now. */
static void refill_each(struct attention *attention, uint64_t now_ns)
{
	refill_of_all(attention, now_ns);
	for (unsigned int i = 0; i < attention->n_domains; i++)
		if (attention->domains[i].vcpus)
			refill_part(attention, &attention->domains[i], now_ns);
}

void attention_set_share(struct attention *attention, uint32_t share_permille, uint64_t now_ns)
{
	refill_each(attention, now_ns);
	attention->share_permille = share_permille;
}

void attention_count(struct attention *attention, unsigned int domain, int change, uint64_t now_ns)
{
	struct domain *d = &attention->domains[domain];
	bool was_active = d->vcpus > 0;

	d->vcpus += (unsigned int)change;
	if (was_active == (d->vcpus > 0))
		return;
	refill_each(attention, now_ns);
	attention->n_active += was_active ? -1U : 1U;
	if (was_active)
		d->left_ns = now_ns;
	else if (now_ns - d->left_ns > ATTENTION_PROBATION_NS)
		/* another domain has the slot; to leave for a moment must not pay */
		*d = (struct domain){.vcpus = d->vcpus,
		                     .part = {(int64_t)ATTENTION_BURST_NS, now_ns}};
}

static void pause_hearing(struct domain *d, uint64_t now_ns)
{
	if (now_ns > d->unheard_until_ns + ATTENTION_PROBATION_NS)
		d->pauses = 0;
	d->unheard_until_ns = now_ns + (ATTENTION_UNHEARD_NS << d->pauses);
	d->pauses = MIN(d->pauses + 1, (unsigned int)ATTENTION_UNHEARD_SHIFT_MAX);
	d->unheard_total++;
}

static void take(struct pot *pot, uint64_t used_ns)
{
	pot->left_ns = MAX(pot->left_ns - (int64_t)MIN(used_ns, ATTENTION_BURST_NS),
	                   -(int64_t)ATTENTION_BURST_NS);
}

void attention_charge(struct attention *attention, unsigned int domain, uint64_t used_ns,
                      uint64_t now_ns)
{
	struct domain *d = &attention->domains[domain];

	d->used_ns += used_ns;
	refill_of_all(attention, now_ns);
	refill_part(attention, d, now_ns);
	take(&d->part, used_ns);
	/* what ends boosts of a domain that is unheard is its own debt, not that of all */
	if (now_ns < d->unheard_until_ns)
		return;
	take(&attention->all, used_ns);
	if (d->part.left_ns <= 0 && attention->all.left_ns <= 0)
		pause_hearing(d, now_ns);
}

uint64_t attention_unheard_until_ns(const struct attention *attention, unsigned int domain,
                                    uint64_t now_ns)
{
	uint64_t until_ns = attention->domains[domain].unheard_until_ns;

	return until_ns > now_ns ? until_ns : 0;
}

void attention_read(const struct attention *attention, unsigned int domain, uint64_t now_ns,
                    struct attention_view *ret)
{
	const struct domain *d = &attention->domains[domain];

	*ret = (struct attention_view){
	        .used_ns = d->used_ns,
	        .unheard_total = d->unheard_total,
	        .unheard = attention_unheard_until_ns(attention, domain, now_ns) != 0,
	};
}
