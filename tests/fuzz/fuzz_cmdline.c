/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A QEMU's arguments, which it can rewrite: objects and topology. */

#include "fuzz.h"
#include "guest/objects.h"
#include "model/topology.h"

static void check_topology(const struct topology *topology)
{
	FUZZ_CHECK(topology->dies > 0 && topology->cores > 0 && topology->threads > 0);
	/* No two CPUs have one id, and later ones have larger ids. */
	for (uint32_t vcpu = 1; vcpu < 64; vcpu++)
		FUZZ_CHECK(topology_apic_id(topology, vcpu - 1) < topology_apic_id(topology, vcpu));
	FUZZ_CHECK(topology_apic_id(topology, 0) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct topology topology = topology_of_cmdline(text, size);
	uint32_t max_vcpus = topology_max_vcpus(text, size, 512);
	uint64_t bytes = 0;
	int r = objects_find_memfd(text, size, &bytes);

	FUZZ_CHECK(r == 0 || r == OBJECTS_ABSENT || r == OBJECTS_AMBIGUOUS);
	FUZZ_CHECK(r == 0 || r == OBJECTS_AMBIGUOUS || bytes == 0);
	FUZZ_CHECK(max_vcpus >= 1 && max_vcpus <= 512);
	check_topology(&topology);
	return 0;
}
