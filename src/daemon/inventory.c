// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/inventory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "boost/sched.h"

void inventory_init(struct inventory *inventory, const struct cgroup_cpu *cgroup,
                    void (*gone)(void *userdata, struct inventory_domain *domain), void *userdata)
{
	*inventory = (struct inventory){.cgroup = cgroup, .gone = gone, .userdata = userdata};
}

void inventory_clear(struct inventory *inventory)
{
	while (inventory->domains)
		inventory_drop(inventory, inventory->domains);
	while (inventory->n_refused > 0)
		domain_free(inventory->refused[--inventory->n_refused]);
	free(inventory->refused);
	inventory->refused = NULL;
}

void inventory_set_rank(struct inventory *inventory, enum domain_source source, unsigned int rank)
{
	inventory->ranks[source] = rank;
}

/* ---- domains ---- */

void inventory_drop(struct inventory *inventory, struct inventory_domain *domain)
{
	struct inventory_domain **p = &inventory->domains;

	inventory->gone(inventory->userdata, domain);
	while (*p != domain)
		p = &(*p)->next;
	*p = domain->next;
	slot_give(inventory->slots, domain->slot);
	domain_free(domain->seen);
	free(domain->vcpus);
	free(domain);
}

void inventory_ask_busy(struct inventory *inventory,
                        bool (*is_busy)(void *userdata, unsigned int slot), void *userdata)
{
	inventory->is_busy = is_busy;
	inventory->busy_userdata = userdata;
}

/* The lowest slot that is free and not busy; SLOT_NONE. */
static unsigned int take_slot(struct inventory *inventory)
{
	uint64_t busy[ARRAY_SIZE(inventory->slots)] = {0};
	unsigned int slot;

	while ((slot = slot_take(inventory->slots, PVS_DOMAINS_MAX)) != SLOT_NONE &&
	       inventory->is_busy && inventory->is_busy(inventory->busy_userdata, slot))
		busy[slot / 64] |= UINT64_C(1) << (slot % 64);
	for (size_t i = 0; i < ARRAY_SIZE(busy); i++)
		inventory->slots[i] &= ~busy[i];
	return slot;
}

void inventory_forget_refused(struct inventory *inventory, enum domain_source source,
                              const char *uuid)
{
	for (size_t i = inventory->n_refused; i-- > 0;) {
		struct domain *refused = inventory->refused[i];

		if (refused->source != source || (uuid && strcasecmp(refused->uuid, uuid) != 0))
			continue;
		domain_free(refused);
		inventory->refused[i] = inventory->refused[--inventory->n_refused];
	}
}

/* Takes @seen over. Without memory the count is one too low. */
static void refuse(struct inventory *inventory, struct domain *seen)
{
	struct domain **more;

	inventory_forget_refused(inventory, seen->source, seen->uuid);
	more = reallocarray(inventory->refused, inventory->n_refused + 1, sizeof(*more));
	if (!more) {
		domain_free(seen);
		return;
	}
	inventory->refused = more;
	more[inventory->n_refused++] = seen;
}

struct domain *inventory_take_refused(struct inventory *inventory)
{
	unsigned int slot = inventory->n_refused ? take_slot(inventory) : SLOT_NONE;

	if (slot == SLOT_NONE)
		return NULL;
	slot_give(inventory->slots, slot);
	return inventory->refused[--inventory->n_refused];
}

/* Takes @seen over if it succeeds, or there is no slot. */
static int domain_take(struct inventory *inventory, struct domain *seen,
                       struct inventory_domain **ret)
{
	unsigned int slot = take_slot(inventory);
	struct inventory_domain *d;

	if (slot == SLOT_NONE) {
		refuse(inventory, seen);
		return INVENTORY_FULL;
	}
	d = calloc(1, sizeof(*d));
	if (!d) {
		slot_give(inventory->slots, slot);
		return -ENOMEM;
	}
	inventory_forget_refused(inventory, seen->source, seen->uuid);
	d->seen = seen;
	d->slot = slot;
	d->serial = ++inventory->last_serial;
	d->next = inventory->domains;
	inventory->domains = d;
	*ret = d;
	return INVENTORY_NEW;
}

/*
 * Whether a domain that another source has stays there. One process belongs to the source that is
 * configured first; a uuid to libvirt, since a process only claims its own.
 */
static bool is_outranked(const struct inventory *inventory, const struct inventory_domain *d,
                         const struct domain *domain)
{
	if (thread_id_equal(&d->seen->qemu, &domain->qemu))
		return inventory->ranks[d->seen->source] < inventory->ranks[domain->source];
	return d->seen->source == DOMAIN_SOURCE_LIBVIRT;
}

/* Drops what other sources have of a domain. Returns false where one of them keeps it. */
static bool win(struct inventory *inventory, const struct domain *domain)
{
	struct inventory_domain *d, *next;

	for (d = inventory->domains; d; d = next) {
		next = d->next;
		if (d->seen->source == domain->source)
			continue;
		if (!thread_id_equal(&d->seen->qemu, &domain->qemu) &&
		    strcasecmp(d->seen->uuid, domain->uuid) != 0)
			continue;
		if (is_outranked(inventory, d, domain))
			return false;
		inventory_drop(inventory, d);
	}
	return true;
}

/* ---- vCPUs ---- */

static const struct inventory_vcpu *find_thread(const struct inventory_domain *d,
                                                const struct vcpu_thread *thread)
{
	for (size_t i = 0; i < d->n_vcpus; i++)
		if (thread_id_equal(&d->vcpus[i].thread.id, &thread->id) &&
		    d->vcpus[i].thread.index == thread->index)
			return &d->vcpus[i];
	return NULL;
}

/* Names the group of a vCPU as the hierarchy is mounted for us. */
static void locate_group(const struct inventory *inventory, struct vcpu_thread *thread)
{
	char group[CGROUP_GROUP_MAX];

	if (!inventory->cgroup || !thread->cgroup[0])
		return;
	if (cgroup_locate(inventory->cgroup, thread->cgroup_kind, thread->cgroup, group) < 0)
		group[0] = '\0';
	memcpy(thread->cgroup, group, sizeof(thread->cgroup));
}

static int vcpus_update(const struct inventory *inventory, struct inventory_domain *d)
{
	size_t n = d->seen->n_vcpus;
	struct inventory_vcpu *now = calloc(MAX(n, (size_t)1), sizeof(*now));

	if (!now)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct inventory_vcpu *known = find_thread(d, &d->seen->vcpus[i]);

		now[i] = known ? *known : (struct inventory_vcpu){.slot = SLOT_NONE};
		now[i].thread = d->seen->vcpus[i];
		locate_group(inventory, &now[i].thread);
		/* what was refused in the old group may be allowed in this one */
		if (known && strcmp(known->thread.cgroup, now[i].thread.cgroup) != 0)
			d->rescan = true;
	}
	free(d->vcpus);
	d->vcpus = now;
	d->n_vcpus = n;
	return 0;
}

int inventory_seen(struct inventory *inventory, struct domain *seen, struct inventory_domain **ret)
{
	struct inventory_domain *d;
	int outcome = 0, r;

	if (!win(inventory, seen)) {
		domain_free(seen);
		return INVENTORY_OUTRANKED;
	}
	d = inventory_find_uuid(inventory, seen->uuid);
	/* restarted or restored: another process, to which nothing carries over */
	if (d && !thread_id_equal(&d->seen->qemu, &seen->qemu)) {
		inventory_drop(inventory, d);
		d = NULL;
	}
	if (d) {
		domain_free(d->seen);
		d->seen = seen;
	} else {
		outcome = domain_take(inventory, seen, &d);
		if (outcome < 0)
			domain_free(seen);
		if (outcome != INVENTORY_NEW)
			return outcome;
	}
	r = vcpus_update(inventory, d);
	if (r < 0) {
		if (outcome == INVENTORY_NEW)
			inventory_drop(inventory, d);
		return r;
	}
	*ret = d;
	return outcome;
}

/* Looks for a quota in the group of a vCPU and above it. */
static void look_at_group(const struct inventory *inventory, struct inventory_vcpu *v)
{
	char found[CGROUP_GROUP_MAX];
	int r = -ENOENT;

	if (inventory->cgroup && v->thread.cgroup[0])
		r = cgroup_find_quota(inventory->cgroup, v->thread.cgroup, found, sizeof(found));
	v->quota = r == 0;
	v->group_unseen = r < 0;
}

void inventory_look(struct inventory *inventory, struct inventory_domain *domain)
{
	for (size_t i = 0; i < domain->n_vcpus; i++) {
		struct inventory_vcpu *v = &domain->vcpus[i];

		/* of a thread that is gone the set is empty: nothing is admitted for it */
		if (sched_get_cpus(v->thread.id.tid, &v->affinity) < 0)
			v->affinity = CPU_SET_BITS_NULL;
		look_at_group(inventory, v);
	}
}

void inventory_rescan(struct inventory *inventory, struct inventory_domain *domain)
{
	inventory_look(inventory, domain);
	domain->rescan = true;
}

/* ---- finding ---- */

struct inventory_domain *inventory_find_uuid(const struct inventory *inventory, const char *uuid)
{
	for (struct inventory_domain *d = inventory->domains; d; d = d->next)
		if (strcasecmp(d->seen->uuid, uuid) == 0)
			return d;
	return NULL;
}

static bool has_name(const struct domain *seen, const char *name)
{
	return strcmp(seen->name, name) == 0;
}

/* Proxmox's VMs have a name beside their number. */
static bool has_title(const struct domain *seen, const char *name)
{
	const char *title = labels_name(&seen->labels);

	return title && strcmp(title, name) == 0;
}

bool inventory_is_called(const struct inventory_domain *domain, const char *name)
{
	return has_name(domain->seen, name) || has_title(domain->seen, name);
}

static int find_only(const struct inventory *inventory, const char *name,
                     bool (*has)(const struct domain *seen, const char *name),
                     struct inventory_domain **ret)
{
	struct inventory_domain *found = NULL;

	for (struct inventory_domain *d = inventory->domains; d; d = d->next) {
		if (!has(d->seen, name))
			continue;
		if (found)
			return -ENOTUNIQ;
		found = d;
	}
	*ret = found;
	return found ? 0 : -ENOENT;
}

int inventory_find(const struct inventory *inventory, const char *name_or_uuid,
                   struct inventory_domain **ret)
{
	int r;

	*ret = inventory_find_uuid(inventory, name_or_uuid);
	if (*ret)
		return 0;
	r = find_only(inventory, name_or_uuid, has_name, ret);
	return r == -ENOENT ? find_only(inventory, name_or_uuid, has_title, ret) : r;
}

struct inventory_domain *inventory_by_pid(const struct inventory *inventory, pid_t pid)
{
	for (struct inventory_domain *d = inventory->domains; d; d = d->next)
		if (d->seen->qemu.tid == pid)
			return d;
	return NULL;
}

struct inventory_vcpu *inventory_by_slot(const struct inventory *inventory, unsigned int slot,
                                         struct inventory_domain **ret_domain)
{
	for (struct inventory_domain *d = inventory->domains; d; d = d->next) {
		for (size_t i = 0; i < d->n_vcpus; i++) {
			if (d->vcpus[i].slot != slot)
				continue;
			*ret_domain = d;
			return &d->vcpus[i];
		}
	}
	return NULL;
}

size_t inventory_count_unseen(const struct inventory *inventory)
{
	size_t n = 0;

	for (const struct inventory_domain *d = inventory->domains; d; d = d->next)
		for (size_t i = 0; i < d->n_vcpus; i++)
			n += d->vcpus[i].group_unseen;
	return n;
}

size_t inventory_count(const struct inventory *inventory, size_t *ret_domains)
{
	size_t n = 0;

	*ret_domains = 0;
	for (const struct inventory_domain *d = inventory->domains; d; d = d->next) {
		n += d->n_vcpus;
		++*ret_domains;
	}
	return n;
}
