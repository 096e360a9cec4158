/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * APIC ids of a domain's vCPUs, computed from the -smp option as QEMU does. Each level of the
 * topology (die, core, thread) takes as many bits as its count needs. So ids have gaps where a
 * count is not a power of two.
 */

#include "util/base.h"

/** TOPOLOGY_FLAT stands for an unknown topology: each APIC id is the index of its vCPU. */
struct topology {
	uint32_t dies, cores, threads; /* per socket, per die, per core; at least 1 */
};

#define TOPOLOGY_FLAT ((struct topology){1, 1, 1})

/**
 * Parses the -smp option in the NUL-separated command line of a QEMU process. It has a long form,
 * "cpus=8,maxcpus=8,sockets=1,dies=1,cores=4,threads=2", and a short form, "8,sockets=1,cores=4".
 * Missing parts are computed as QEMU does since version 6.2 (cores before sockets). Returns
 * TOPOLOGY_FLAT if there is no such option, or if it is invalid.
 */
struct topology topology_of_cmdline(const char *cmdline, size_t size);

bool topology_equal(const struct topology *a, const struct topology *b);

/** The APIC id of the vCPU with index @vcpu. */
uint32_t topology_apic_id(const struct topology *topology, uint32_t vcpu);
