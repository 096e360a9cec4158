/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * APIC ids of a domain's vCPUs, as QEMU makes them from its -smp option: each level of the topology
 * (die, core, thread) takes as many bits as its count needs, so that ids have gaps where a count is
 * no power of two.
 */

#include "util/base.h"

/** "Not known" is TOPOLOGY_FLAT: there, ids are the numbers of the vCPUs. */
struct topology {
	uint32_t dies, cores, threads; /* per socket, per die, per core; at least 1 */
};

#define TOPOLOGY_FLAT ((struct topology){1, 1, 1})

/**
 * The -smp option out of the NUL-separated arguments of a QEMU: of "cpus=8,maxcpus=8,sockets=1,
 * dies=1,cores=4,threads=2" or the short form "8,sockets=1,cores=4,...". Parts that are missing are
 * computed as QEMU does it since version 6.2 (cores before sockets). Without the option, or with
 * one that makes no sense: TOPOLOGY_FLAT.
 */
struct topology topology_of_cmdline(const char *cmdline, size_t size);

bool topology_equal(const struct topology *a, const struct topology *b);

/** The APIC id of the vCPU with the index @vcpu. */
uint32_t topology_apic_id(const struct topology *topology, uint32_t vcpu);
