// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/region.h"

#include <errno.h>
#include <stddef.h>
#include <sys/random.h>

/* Only x86 has APIC ids. Elsewhere the vCPU's number alone says which page it has. */
static uint32_t apic_id(const struct topology *topology, uint32_t vcpu)
{
#if defined(__x86_64__) || defined(__i386__)
	return topology_apic_id(topology, vcpu);
#else
	(void)topology;
	(void)vcpu;
	return PVSCHED_APIC_ID_NONE;
#endif
}

static int write_at(const struct carrier *carrier, const void *from, size_t offset, size_t size)
{
	uint8_t *memory = carrier_memory(carrier);

	if (memory) {
		const uint32_t *words = from;

		for (size_t i = 0; i < size / sizeof(*words); i++)
			__atomic_store_n((uint32_t *)(void *)(memory + offset) + i, words[i],
			                 __ATOMIC_RELAXED);
		return 0;
	}
	return carrier_write(carrier, from, size, offset);
}

/* One store: a guest waits for it before it believes the rest. */
static int write_generation(const struct carrier *carrier, uint64_t generation)
{
	struct pvsched_region *memory = carrier_memory(carrier);

	if (!memory)
		return write_at(carrier, &generation, offsetof(struct pvsched_region, generation),
		                sizeof(generation));
	__atomic_store_n(&memory->generation, generation, __ATOMIC_RELEASE);
	return 0;
}

static int write_header(const struct carrier *carrier, const struct topology *topology,
                        uint32_t n_vcpus)
{
	struct pvsched_region header = {
	        .magic = PVSCHED_REGION_MAGIC,
	        .version = PVSCHED_REGION_VERSION,
	        .page_count = n_vcpus,
	        .page_size = PVSCHED_PAGE_SIZE,
	};

	for (uint32_t i = 0; i < PVSCHED_REGION_PAGES_MAX; i++)
		header.apic_id[i] = i < n_vcpus ? apic_id(topology, i) : PVSCHED_APIC_ID_NONE;
	return write_at(carrier, &header, 0, sizeof(header));
}

static int random_generation(uint64_t *ret)
{
	do {
		if (getrandom(ret, sizeof(*ret), 0) != sizeof(*ret))
			return -EIO;
	} while (*ret == 0);
	return 0;
}

int guest_region_begin(const struct carrier *carrier, const struct topology *topology,
                       uint32_t n_vcpus, uint64_t *generation)
{
	int r = n_vcpus <= PVSCHED_REGION_PAGES_MAX ? random_generation(generation) : -E2BIG;

	/* a guest must not take the old generation for ours while the rest changes */
	if (r == 0)
		r = write_generation(carrier, 0);
	if (r == 0)
		r = write_header(carrier, topology, n_vcpus);
	for (uint32_t i = 0; r == 0 && i < n_vcpus; i++) {
		struct guest_page page = guest_region_page(carrier, topology, i, *generation);

		r = guest_page_begin(&page);
	}
	return r < 0 ? r : write_generation(carrier, *generation);
}

void guest_region_end(const struct carrier *carrier, uint32_t n_vcpus, uint64_t generation)
{
	struct topology flat = TOPOLOGY_FLAT;
	uint64_t now = 0;

	if (carrier_read(carrier, &now, sizeof(now), offsetof(struct pvsched_region, generation)) <
	            0 ||
	    now != generation)
		return;
	write_generation(carrier, 0);
	for (uint32_t i = 0; i < n_vcpus; i++) {
		struct guest_page page = guest_region_page(carrier, &flat, i, 0);

		guest_page_end(&page);
	}
}

struct guest_page guest_region_page(const struct carrier *carrier, const struct topology *topology,
                                    uint32_t vcpu, uint64_t generation)
{
	uint64_t offset = (uint64_t)(1 + vcpu) * PVSCHED_PAGE_SIZE;
	uint64_t address = carrier_address(carrier);
	uint8_t *memory = carrier_memory(carrier);

	return (struct guest_page){
	        .memory = memory ? (struct pvsched_page *)(void *)(memory + offset) : NULL,
	        .fd = carrier_fd(carrier),
	        .offset = offset,
	        .address = address ? address + offset : 0,
	        .generation = generation,
	        .apic_id = apic_id(topology, vcpu),
	};
}
