/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#include "lib/open.h"

/* A packed word has the page's number, 0 to PVSCHED_REGION_PAGES_MAX, below the generation. */
#define PAGE_BITS 10
_Static_assert(PVSCHED_REGION_PAGES_MAX < 1 << PAGE_BITS, "the number of a page");

static uint64_t packed(uint64_t generation, uint32_t page)
{
	/* The shift drops the generation's top bits, so these are folded into its low bits. */
	return (generation ^ generation >> (64 - PAGE_BITS)) << PAGE_BITS | page;
}

/* Looks the page up in the header and says hello. */
static int place_look(struct pvsched *host, uint32_t cpu, struct pvsched_place *ret)
{
	uint32_t n_pages, apic_id = pvsched_cpus_apic_id(&host->cpus, cpu);

	ret->generation = pvsched_current(host, &ret->map, &n_pages);
	if (ret->generation == 0) { /* perhaps since its agent ended */
		pvsched_agent_again(&host->agent);
		ret->generation = pvsched_current(host, &ret->map, &n_pages);
	}
	if (ret->generation == 0)
		return PVSCHED_NO_HOST;
	if (apic_id == CPUS_UNKNOWN && cpu < CPUS_MAX) {
		pvsched_cpus_read(&host->cpus, host->cpuinfo);
		apic_id = pvsched_cpus_apic_id(&host->cpus, cpu);
	}
	/* /proc/cpuinfo may be unreadable on a machine that has no APIC ids either. */
	if (apic_id == CPUS_UNKNOWN)
		apic_id = PVSCHED_APIC_ID_NONE;
	ret->number = pvsched_map_find(ret->map, n_pages, cpu, apic_id);
	if (ret->number == 0)
		return PVSCHED_NO_PAGE;
	/* The lookup is valid only if the header has not changed since its validation. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (pvsched_map_generation(ret->map) != ret->generation)
		return PVSCHED_NO_HOST;
	ret->page = pvsched_map_page(ret->map, ret->number);
	pvsched_page_hello(ret->page, ret->generation, cpu, apic_id);
	__atomic_store_n(&host->pages[cpu], packed(ret->generation, ret->number), __ATOMIC_RELAXED);
	return 0;
}

int pvsched_place_find(struct pvsched *host, uint32_t cpu, struct pvsched_place *ret)
{
	const uint64_t mask = (1U << PAGE_BITS) - 1;
	uint64_t known;

	if (cpu >= CPUS_MAX)
		return pvsched_current(host, &ret->map, &ret->number) ? PVSCHED_NO_PAGE
		                                                      : PVSCHED_NO_HOST;
	ret->map = &host->maps[__atomic_load_n(&host->current, __ATOMIC_RELAXED)];
	ret->generation = pvsched_map_generation(ret->map);
	known = __atomic_load_n(&host->pages[cpu], __ATOMIC_RELAXED);
	ret->number = (uint32_t)(known & mask);
	/* The page may be from another map with an equal generation, so check this map's size. */
	if (ret->generation == 0 || ret->number == 0 ||
	    ret->number >= ret->map->size / PVSCHED_PAGE_SIZE ||
	    known != packed(ret->generation, ret->number))
		return place_look(host, cpu, ret);
	ret->page = pvsched_map_page(ret->map, ret->number);
	return 0;
}

int pvsched_place_again(struct pvsched *host, uint64_t generation, uint32_t number,
                        struct pvsched_place *ret)
{
	uint32_t n_pages;

	ret->map = &host->maps[__atomic_load_n(&host->current, __ATOMIC_RELAXED)];
	ret->generation = pvsched_map_generation(ret->map);
	if (ret->generation == 0 || ret->generation != generation)
		ret->generation = pvsched_current(host, &ret->map, &n_pages);
	if (ret->generation == 0)
		return PVSCHED_NO_HOST;
	if (ret->generation != generation || number == 0 ||
	    number >= ret->map->size / PVSCHED_PAGE_SIZE)
		return PVSCHED_NOT_OURS;
	ret->number = number;
	ret->page = pvsched_map_page(ret->map, number);
	return 0;
}
