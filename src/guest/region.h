/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The header page of a region: which page is of which CPU, and whether a host is here. */

#include "guest/carrier.h"
#include "guest/page.h"
#include "model/topology.h"

/**
 * Begins anew for @n_vcpus vCPUs: a generation of its own, and every page without what an earlier
 * host or guest left on the host's lines. Guests have to say hello again.
 * Returns 0 and the @generation, never 0; -errno when the memory is gone.
 */
int guest_region_begin(const struct carrier *carrier, const struct topology *topology,
                       uint32_t n_vcpus, uint64_t *generation);

/**
 * Says that no host is here any more, if the region is still the one begun as @generation: another
 * one is another host's, or of the same memory taken up again.
 */
void guest_region_end(const struct carrier *carrier, uint32_t n_vcpus, uint64_t generation);

/** The page of the vCPU with the index @vcpu, as it was begun. */
struct guest_page guest_region_page(const struct carrier *carrier, const struct topology *topology,
                                    uint32_t vcpu, uint64_t generation);
