/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The threads that work for a boosted domain: the tracer is told of them, so that a boost that
 * keeps one from its CPU ends. Which threads these are is QEMU's claim, except for vhost workers of
 * the kernel: a QEMU that lies ends its own boosts and no other domain's, so no more proof is asked
 * for.
 */

#include "boost/accounts.h"
#include "daemon/inventory.h"
#include "trace/tracer.h"
#include "util/base.h"

struct helper_threads;

/** @tracer NULL: none is ever watched. NULL when memory is out. */
struct helper_threads *helper_threads_new(struct tracer *tracer, const struct accounts *accounts);

/** Ends nothing. Takes NULL; returns NULL. */
struct helper_threads *helper_threads_free(struct helper_threads *helpers);

/**
 * Has those watched that work for @domain, if it is @boosted, and no others. Also has the tracer
 * prove the identity of the domain's vCPUs, which needs QEMU's first thread to be watched before.
 */
void helper_threads_apply(struct helper_threads *helpers, const struct inventory_domain *domain,
                          bool boosted);

/** Watches none any more of the domain that had this slot. */
void helper_threads_end(struct helper_threads *helpers, unsigned int domain_slot);

/** Says, the first time, that a vCPU made room for the one at @place. */
void helper_threads_made_room(struct helper_threads *helpers, const struct inventory_domain *domain,
                              const struct inventory_vcpu *vcpu, int place);

/** How many iothreads and vhost threads of a domain are not watched, since all its places are
 * taken. */
size_t helper_threads_left_out(const struct helper_threads *helpers,
                               const struct inventory_domain *domain);

/** How often vCPUs made room for those that are watched now. */
uint64_t helper_threads_sheds(const struct helper_threads *helpers,
                              const struct inventory_domain *domain);

/** What is known of such a thread; NULL: it is not watched. */
const struct pvs_helper_account *helper_threads_account(const struct helper_threads *helpers,
                                                        const struct inventory_domain *domain,
                                                        const struct thread_id *id);

#define HELPER_NONE UINT32_MAX

/** Which helper of the tracer's such a thread is; HELPER_NONE: it is not watched. */
unsigned int helper_threads_number(const struct helper_threads *helpers,
                                   const struct inventory_domain *domain,
                                   const struct thread_id *id);
