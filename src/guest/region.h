/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The header page of a region says which page belongs to which CPU, and whether a host is there. */

#include "guest/carrier.h"
#include "guest/page.h"
#include "model/topology.h"

/** APIC id of the vCPU with index @vcpu; PVSCHED_APIC_ID_NONE where the machine has none. */
uint32_t guest_apic_id(const struct topology *topology, uint32_t vcpu);

/**
 * Begins the region anew for @n_vcpus vCPUs: with a new generation, and with pages cleared of what
 * an earlier host or guest left on the host's lines. Guests must say hello again.
 * Returns 0 and the @generation, never 0; -errno when the memory is gone.
 */
int guest_region_begin(const struct carrier *carrier, const struct topology *topology,
                       uint32_t n_vcpus, uint64_t *generation);

/** Does the header still have @generation? Another host, a migration or the guest may write it. */
bool guest_region_has(const struct carrier *carrier, uint64_t generation);

/**
 * Tells guests that the host has left, if the region still has @generation. With another one it
 * belongs to another host, or was begun again in the same memory.
 */
void guest_region_end(const struct carrier *carrier, uint32_t n_vcpus, uint64_t generation);

/** The page of the vCPU with index @index, which the carrier has room for. */
struct guest_page_file guest_region_file(const struct carrier *carrier, uint32_t index);

/**
 * The page of the vCPU with index @vcpu, in the region begun as @generation, which QEMU has at
 * @address (0: not known). Its lane is the caller's to fill in.
 */
struct guest_page guest_region_page(uint64_t address, const struct topology *topology,
                                    uint32_t vcpu, uint64_t generation);
