// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/boosted_slots.h"

_Static_assert(PVS_VCPUS_MAX + BOOSTED_LISTS_MAX <= UINT16_MAX, "links");
_Static_assert(BOOSTED_LISTS_MAX >= PVS_CPUS_MAX && BOOSTED_LISTS_MAX >= PVS_DOMAINS_MAX, "lists");

void boosted_lists_init(struct boosted_lists *lists)
{
	for (unsigned int i = PVS_VCPUS_MAX; i < ARRAY_SIZE(lists->links); i++)
		lists->links[i] = (struct boosted_link){(uint16_t)i, (uint16_t)i};
}

void boosted_list_append(struct boosted_lists *lists, unsigned int list, unsigned int slot)
{
	struct boosted_link *links = lists->links;
	uint16_t head = (uint16_t)(PVS_VCPUS_MAX + list), last = links[head].prev;

	links[slot] = (struct boosted_link){head, last};
	links[last].next = (uint16_t)slot;
	links[head].prev = (uint16_t)slot;
}

void boosted_list_remove(struct boosted_lists *lists, unsigned int slot)
{
	struct boosted_link link = lists->links[slot];

	lists->links[link.prev].next = link.next;
	lists->links[link.next].prev = link.prev;
}

static int slot_or_none(uint16_t link)
{
	return link < PVS_VCPUS_MAX ? link : -1;
}

int boosted_first(const struct boosted_lists *lists, unsigned int list)
{
	return slot_or_none(lists->links[PVS_VCPUS_MAX + list].next);
}

int boosted_last(const struct boosted_lists *lists, unsigned int list)
{
	return slot_or_none(lists->links[PVS_VCPUS_MAX + list].prev);
}

int boosted_next(const struct boosted_lists *lists, unsigned int slot)
{
	return slot_or_none(lists->links[slot].next);
}

void boosted_slots_init(struct boosted_slots *boosted)
{
	*boosted = (struct boosted_slots){0};
	boosted_lists_init(&boosted->of_cpu);
	boosted_lists_init(&boosted->of_domain);
}

void boosted_slots_put(struct boosted_slots *boosted, const struct accounts *accounts,
                       unsigned int slot)
{
	const struct pvs_vcpu_account *a = &accounts->vcpus[slot];
	uint32_t cpu = __atomic_load_n(&a->cpu, __ATOMIC_RELAXED);

	if (boosted_slots_has(boosted, slot)) {
		boosted_list_remove(&boosted->of_cpu, slot);
		boosted_list_remove(&boosted->of_domain, slot);
	} else {
		boosted->slots[boosted->n++] = (uint16_t)slot;
		boosted->places[slot] = (uint16_t)boosted->n;
	}
	boosted_list_append(&boosted->of_cpu, cpu % PVS_CPUS_MAX, slot);
	boosted_list_append(&boosted->of_domain, a->domain % PVS_DOMAINS_MAX, slot);
}

/* The last one takes its place. */
void boosted_slots_drop(struct boosted_slots *boosted, unsigned int slot)
{
	uint16_t place = boosted->places[slot], last;

	if (!place)
		return;
	boosted_list_remove(&boosted->of_cpu, slot);
	boosted_list_remove(&boosted->of_domain, slot);
	last = boosted->slots[--boosted->n];
	boosted->slots[place - 1] = last;
	boosted->places[last] = place;
	boosted->places[slot] = 0;
}

void boosted_slots_follow(struct boosted_slots *boosted, const struct accounts *accounts)
{
	unsigned int followed = 0;

	if (!accounts->moved)
		return;
	for (unsigned int i = 0; i < PVS_MOVED_WORDS && followed < BOOSTED_MOVES_MAX; i++) {
		unsigned int number = boosted->turn++ % PVS_MOVED_WORDS;
		uint64_t *word = (uint64_t *)&accounts->moved->words[number], bits;

		if (!__atomic_load_n(word, __ATOMIC_RELAXED))
			continue;
		bits = __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
		for (; bits; bits &= bits - 1, followed++) {
			unsigned int slot = 64 * number + (unsigned int)__builtin_ctzll(bits);

			if (boosted_slots_has(boosted, slot))
				boosted_slots_put(boosted, accounts, slot);
		}
	}
}

bool boosted_has_vcpu(const struct boosted_slots *boosted, const struct accounts *accounts,
                      unsigned int domain)
{
	const struct boosted_lists *lists = &boosted->of_domain;

	for (int i = boosted_first(lists, domain); i >= 0; i = boosted_next(lists, (unsigned int)i))
		if (!PVS_READ(accounts->vcpus[i].helper))
			return true;
	return false;
}
