/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Domains as a source would report them, for tests of what the daemon does with them. */

#include "daemon/inventory.h"

#include "test.h"

/** A domain of a QEMU process @pid with @n vCPU threads, pid + 1 and up, in groups of their own. */
static inline struct domain *domain_make(const char *uuid, const char *name, pid_t pid, size_t n)
{
	struct domain *domain = domain_new(uuid, name);

	CHECK(domain);
	domain->qemu = (struct thread_id){pid, (uint64_t)pid * 10};
	domain->n_vcpus = n;
	domain->vcpus = calloc(n ? n : 1, sizeof(*domain->vcpus));
	CHECK(domain->vcpus);
	for (unsigned int i = 0; i < n; i++) {
		struct vcpu_thread *v = &domain->vcpus[i];

		v->index = i;
		v->id = (struct thread_id){pid + 1 + (pid_t)i, (uint64_t)pid * 10 + i};
		v->proof = VCPU_PROOF_CGROUP;
		snprintf(v->cgroup, sizeof(v->cgroup), "/%s/vcpu%u", name, i);
	}
	return domain;
}

/* A domain of QEMU 100 with one vCPU and @n helpers: QEMU's first thread, and 110 and up of that
 * role. */
static inline struct domain *domain_make_helpers(const char *uuid, size_t n, enum helper_role role)
{
	struct domain *domain = domain_make(uuid, "web", 100, 1);

	domain->n_helpers = n;
	domain->helpers = calloc(n, sizeof(*domain->helpers));
	CHECK(domain->helpers);
	domain->helpers[0] = (struct helper_thread){domain->qemu, HELPER_EMULATOR};
	for (size_t i = 1; i < n; i++) {
		pid_t tid = 109 + (pid_t)i;

		domain->helpers[i] = (struct helper_thread){{tid, (uint64_t)tid * 10}, role};
	}
	return domain;
}
