// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/harm_sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct set *harm_sets_find(const struct harm *harm, unsigned int number)
{
	struct set *set = harm->sets;

	while (set && set->number != number)
		set = set->next;
	return set;
}

static struct set *set_get(struct harm *harm, unsigned int number)
{
	struct set *set = harm_sets_find(harm, number);

	if (set)
		return set;
	set = calloc(1, sizeof(*set));
	if (!set)
		return NULL;
	set->number = number;
	set->tests_at = HARM_PAIRS_FIRST;
	set->at_ns = NSEC_NEVER;
	set->next = harm->sets;
	harm->sets = set;
	return set;
}

static struct member *member_get(struct set *set, unsigned int domain)
{
	struct member *member = set->members;

	while (member && member->domain != domain)
		member = member->next;
	if (member)
		return member;
	member = calloc(1, sizeof(*member));
	if (!member)
		return NULL;
	member->domain = domain;
	member->next = set->members;
	set->members = member;
	return member;
}

static void set_free(struct harm *harm, struct set *set)
{
	struct set **at = &harm->sets;

	while (*at != set)
		at = &(*at)->next;
	*at = set->next;
	free(set);
}

static void member_free(struct harm *harm, struct set *set, struct member *member)
{
	struct member **at = &set->members;

	while (*at != member)
		at = &(*at)->next;
	*at = member->next;
	if (set->returned == member)
		set->returned = NULL;
	free(member);
	if (!set->members)
		set_free(harm, set);
}

/* The counters of a window no longer fit together: this pair does not count. */
static void spoil(struct set *set)
{
	if (set->phase > PHASE_REST)
		set->phase = PHASE_REST;
}

void harm_sets_drop(struct harm *harm, unsigned int slot)
{
	struct slot *s = &harm->slots[slot];

	if (!s->set)
		return;
	spoil(s->set);
	if (--s->member->n_vcpus == 0)
		member_free(harm, s->set, s->member);
	s->set = NULL;
	s->member = NULL;
}

int harm_sets_put(struct harm *harm, unsigned int slot, unsigned int domain, unsigned int number)
{
	struct slot *s = &harm->slots[slot];
	struct member *member;
	struct set *of;

	if (s->set && s->set->number == number && s->member->domain == domain)
		return 0;
	harm_sets_drop(harm, slot);
	of = set_get(harm, number);
	member = of ? member_get(of, domain) : NULL;
	if (!member) {
		if (of && !of->members)
			set_free(harm, of);
		return -ENOMEM;
	}
	member->n_vcpus++;
	s->set = of;
	s->member = member;
	spoil(of);
	return 0;
}

void harm_sets_sample(struct harm *harm, struct set *set)
{
	struct harm_counts one;
	struct member *m;

	for (m = set->members; m; m = m->next)
		memset(&m->now, 0, sizeof(m->now));
	for (unsigned int i = 0; i < harm->n; i++) {
		if (harm->slots[i].set != set)
			continue;
		m = harm->slots[i].member;
		harm->read(harm->userdata, i, &one);
		m->now.boosted_ns += one.boosted_ns;
		for (unsigned int b = 0; b < PVS_WAIT_BUCKETS; b++)
			m->now.waits[b] += one.waits[b];
	}
}
