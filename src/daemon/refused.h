/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kernel refuses a vCPU's thread, in the journal. Each pass tries again; of each thread,
 * each kind is said once (inventory_vcpu::said). @error is -errno.
 */

#include "boost/standing.h"
#include "daemon/inventory.h"
#include "util/base.h"

/** Its cgroup @group has no room for @rt_permille of each CPU. */
void refused_budget(const struct inventory_domain *domain, struct inventory_vcpu *vcpu,
                    uint32_t rt_permille, const char *group, int error);

/** It does not have a lever that is wanted, if so. */
void refused_standing(const struct inventory_domain *domain, struct inventory_vcpu *vcpu,
                      const struct standing_view *view);

/** What it has of the standing levers cannot be taken back now. */
void refused_return(const struct inventory_domain *domain, struct inventory_vcpu *vcpu, int error);

/** All slots are taken: @n of its vCPUs have none. Said when that begins, and when it ends. */
void refused_slots(struct inventory_domain *domain, uint32_t n);

/** The booster did not take it on. */
void refused_thread(const struct inventory_domain *domain, struct inventory_vcpu *vcpu, int error);

/** The tracer did not take it on. */
void refused_tracing(const struct inventory_domain *domain, struct inventory_vcpu *vcpu, int error);
