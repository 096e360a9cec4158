// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/region.h"

#include <errno.h>
#include <stddef.h>
#include <sys/random.h>

/* Only x86 has APIC ids. Elsewhere the vCPU's number alone says which page it has. */
uint32_t guest_apic_id(const struct topology *topology, uint32_t vcpu)
{
#if defined(__x86_64__) || defined(__i386__)
	return topology_apic_id(topology, vcpu);
#else
	(void)topology;
	(void)vcpu;
	return PVSCHED_APIC_ID_NONE;
#endif
}

/* One word: a guest waits for it before it believes the rest. */
static int write_generation(const struct carrier *carrier, uint64_t generation)
{
	return carrier_write(carrier, &generation, sizeof(generation),
	                     offsetof(struct pvsched_region, generation));
}

struct guest_page_file guest_region_file(const struct carrier *carrier, uint32_t index)
{
	return (struct guest_page_file){carrier_fd(carrier),
	                                (uint64_t)(1 + index) * PVSCHED_PAGE_SIZE};
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
		header.apic_id[i] = i < n_vcpus ? guest_apic_id(topology, i) : PVSCHED_APIC_ID_NONE;
	return carrier_write(carrier, &header, sizeof(header), 0);
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
		struct guest_page_file file = guest_region_file(carrier, i);

		r = guest_page_begin(&file, *generation);
	}
	return r < 0 ? r : write_generation(carrier, *generation);
}

bool guest_region_has(const struct carrier *carrier, uint64_t generation)
{
	uint64_t now = 0;

	return carrier_read(carrier, &now, sizeof(now),
	                    offsetof(struct pvsched_region, generation)) == 0 &&
	       now == generation;
}

void guest_region_end(const struct carrier *carrier, uint32_t n_vcpus, uint64_t generation)
{
	if (!guest_region_has(carrier, generation))
		return;
	write_generation(carrier, 0);
	/* as long as the next host has not begun it */
	for (uint32_t i = 0; i < n_vcpus && guest_region_has(carrier, 0); i++) {
		struct guest_page_file file = guest_region_file(carrier, i);

		guest_page_end(&file);
	}
}

struct guest_page guest_region_page(uint64_t address, const struct topology *topology,
                                    uint32_t vcpu, uint64_t generation)
{
	uint64_t offset = (uint64_t)(1 + vcpu) * PVSCHED_PAGE_SIZE;

	return (struct guest_page){
	        .generation = generation,
	        .address = address ? address + offset : 0,
	        .apic_id = guest_apic_id(topology, vcpu),
	        .index = vcpu,
	};
}
