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
 * Parses what the NUL-separated command line of a QEMU process says of its vCPUs: "-smp" in its
 * long form, "cpus=8,maxcpus=8,sockets=1,dies=1,cores=4,threads=2", or its short form,
 * "8,sockets=1,cores=4", and "-machine q35,smp.cpus=8". Of several options the later one overrides
 * what it names, and the rest stays, as in QEMU. Numbers may be hexadecimal. Missing parts are
 * computed as QEMU does: cores before sockets since machine types of version 6.2, sockets before
 * cores up to 6.1.
 * Returns TOPOLOGY_FLAT if there is no such option, if it is invalid, or if it is elsewhere
 * ("-readconfig") or the machine type tells no version and the two ways differ.
 */
struct topology topology_of_cmdline(const char *cmdline, size_t size);

/**
 * The most vCPUs that any figure of these options allows: command lines give different figures.
 * @max  what is returned at most, and where the figures are elsewhere
 * Returns 1 to @max.
 */
uint32_t topology_max_vcpus(const char *cmdline, size_t size, uint32_t max);

/**
 * The machine type in the text of a "-machine" option, which stays *ret_length bytes of it. NULL:
 * it has none.
 */
const char *topology_machine_type(const char *text, size_t *ret_length);

bool topology_equal(const struct topology *a, const struct topology *b);

/** The APIC id of the vCPU with index @vcpu. */
uint32_t topology_apic_id(const struct topology *topology, uint32_t vcpu);
