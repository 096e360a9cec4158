/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "model/domain.h"

#include <stdlib.h>
#include <string.h>

const char *domain_source_name(enum domain_source source)
{
	switch (source) {
	case DOMAIN_SOURCE_LIBVIRT:
		return "libvirt";
	case DOMAIN_SOURCE_PROCFS:
		return "procfs";
	case _DOMAIN_SOURCE_MAX:
		break;
	}
	return "";
}

const char *domain_uuid_kind_name(enum domain_uuid_kind kind)
{
	switch (kind) {
	case DOMAIN_UUID_OWN:
		return "own";
	case DOMAIN_UUID_SHARED:
		return "shared";
	case DOMAIN_UUID_MADE_UP:
		return "made-up";
	}
	return "";
}

struct domain *domain_share(struct domain *domain)
{
	__atomic_fetch_add(&domain->holders, 1, __ATOMIC_RELAXED);
	return domain;
}

struct domain *domain_free(struct domain *domain)
{
	if (!domain || __atomic_fetch_sub(&domain->holders, 1, __ATOMIC_ACQ_REL) > 0)
		return NULL;
	free(domain->vcpus);
	free(domain->helpers);
	free(domain);
	return NULL;
}

void domain_cleanup(struct domain **domain)
{
	domain_free(*domain);
}

struct domain *domain_new(const char *uuid, const char *name)
{
	struct domain *domain = calloc(1, sizeof(*domain));

	if (!domain)
		return NULL;
	domain->topology = TOPOLOGY_FLAT;
	strncpy(domain->uuid, uuid, sizeof(domain->uuid) - 1);
	strncpy(domain->name, name, sizeof(domain->name) - 1);
	return domain;
}

static bool vcpu_equal(const struct vcpu_thread *a, const struct vcpu_thread *b)
{
	return a->index == b->index && a->proof == b->proof && a->kvm == b->kvm &&
	       thread_id_equal(&a->id, &b->id) && strcmp(a->cgroup, b->cgroup) == 0;
}

bool domain_metadata_equal(const struct domain_metadata *a, const struct domain_metadata *b)
{
	return a->state == b->state && a->share_permille == b->share_permille &&
	       a->burst_us == b->burst_us && strcmp(a->profile, b->profile) == 0 &&
	       strcmp(a->error, b->error) == 0;
}

static bool left_out_equal(const struct domain_left_out *a, const struct domain_left_out *b)
{
	return a->vcpus == b->vcpus && a->unproven == b->unproven && a->threads == b->threads &&
	       a->helpers == b->helpers && a->descriptors == b->descriptors;
}

bool domain_leaves_out(const struct domain *domain)
{
	static const struct domain_left_out nothing;

	return !left_out_equal(&domain->left_out, &nothing);
}

bool domain_equal(const struct domain *a, const struct domain *b)
{
	size_t i;

	if (a->uuid_kind != b->uuid_kind || a->names_threads != b->names_threads ||
	    !left_out_equal(&a->left_out, &b->left_out) || !labels_equal(&a->labels, &b->labels))
		return false;
	if (a->source != b->source || a->state != b->state || a->n_vcpus != b->n_vcpus ||
	    a->n_helpers != b->n_helpers)
		return false;
	if (strcmp(a->uuid, b->uuid) != 0 || strcmp(a->name, b->name) != 0)
		return false;
	if (!thread_id_equal(&a->qemu, &b->qemu) || !topology_equal(&a->topology, &b->topology) ||
	    !cids_equal(&a->cids, &b->cids) || !domain_metadata_equal(&a->metadata, &b->metadata))
		return false;
	for (i = 0; i < a->n_vcpus; i++)
		if (!vcpu_equal(&a->vcpus[i], &b->vcpus[i]))
			return false;
	for (i = 0; i < a->n_helpers; i++)
		if (a->helpers[i].role != b->helpers[i].role ||
		    !thread_id_equal(&a->helpers[i].id, &b->helpers[i].id))
			return false;
	return true;
}
