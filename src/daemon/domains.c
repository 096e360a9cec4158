// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/manager.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"

/* Iterations of a large VM's migration may take this long. */
#define MIGRATION_SILENCE_US (60 * NSEC_PER_SEC / NSEC_PER_USEC)

static void affinity_read(pid_t tid, struct cpu_set_bits *ret)
{
	long n;

	*ret = CPU_SET_BITS_NULL;
	n = syscall(SYS_sched_getaffinity, tid, sizeof(ret->words), ret->words);
	if (n < 0)
		*ret = CPU_SET_BITS_NULL; /* gone: nothing is admitted for it */
}

/* What stands against boosting a vCPU, as far as it is known from outside. */
static uint32_t vcpu_holds(const struct manager *m, const struct managed_domain *d,
                           const struct managed_vcpu *v)
{
	const struct config_host *host = config_host(m->config);
	char group[CGROUP_GROUP_MAX];
	uint32_t holds = 0;

	if (d->seen->state != DOMAIN_RUNNING || d->migrating)
		holds |= POLICY_HOLD(POLICY_REASON_PAUSED);
	if (d->released)
		holds |= POLICY_HOLD(POLICY_REASON_RELEASED);
	if (v->thread.proof == VCPU_PROOF_NONE)
		holds |= POLICY_HOLD(POLICY_REASON_UNPROVEN);
	if (m->has_cgroup && v->thread.cgroup[0] &&
	    cgroup_find_quota(&m->cgroup, v->thread.cgroup, group, sizeof(group)) == 0)
		holds |= POLICY_HOLD(POLICY_REASON_QUOTA);
	if (!cpu_set_bits_empty(&host->housekeeping) && !cpu_set_bits_empty(&v->affinity) &&
	    cpu_set_bits_subset(&v->affinity, &host->housekeeping))
		holds |= POLICY_HOLD(POLICY_REASON_HOUSEKEEPING);
	return holds;
}

/* The holds this file decides on; others of a vCPU are terms.c's. */
#define HOLDS_OF_DOMAINS                                                                           \
	(POLICY_HOLD(POLICY_REASON_PAUSED) | POLICY_HOLD(POLICY_REASON_RELEASED) |                 \
	 POLICY_HOLD(POLICY_REASON_UNPROVEN) | POLICY_HOLD(POLICY_REASON_QUOTA) |                  \
	 POLICY_HOLD(POLICY_REASON_HOUSEKEEPING))

static void affinities_read(struct managed_domain *d)
{
	for (size_t i = 0; i < d->n_vcpus; i++)
		affinity_read(d->vcpus[i].thread.id.tid, &d->vcpus[i].affinity);
}

/* @fresh: only those that the booster does not know yet. */
static void holds_update(struct manager *m, struct managed_domain *d, bool fresh)
{
	for (size_t i = 0; i < d->n_vcpus; i++) {
		struct managed_vcpu *v = &d->vcpus[i];
		uint32_t holds = (v->holds & ~HOLDS_OF_DOMAINS) | vcpu_holds(m, d, v);

		if (holds == v->holds || (fresh && v->slot != SLOT_NONE))
			continue;
		if (v->slot != SLOT_NONE)
			booster_hold(m->booster, v->slot, holds, ~holds & HOLDS_OF_DOMAINS);
		v->holds = holds;
	}
}

static int on_death(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct managed_domain *d = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	log_debug("domain \"%s\": its QEMU (pid %d) is gone", d->seen->name, d->seen->qemu.tid);
	if (d->seen->source == DOMAIN_SOURCE_PROCFS)
		discovery_rescan(d->manager, d);
	domains_gone(d->manager, d->seen->source, d->seen->uuid);
	return 0;
}

static void watch_death(struct manager *m, struct managed_domain *d)
{
	int fd = (int)syscall(SYS_pidfd_open, d->seen->qemu.tid, 0);

	if (fd < 0)
		return; /* gone already: libvirt will say so, and the threads answer ESRCH */
	if (!thread_id_is_current(&d->seen->qemu)) {
		close_fd(fd); /* another process has that TID by now */
		return;
	}
	if (sd_event_add_io(m->event, &d->death, fd, EPOLLIN, on_death, d) < 0) {
		close_fd(fd);
		return;
	}
	sd_event_source_set_io_fd_own(d->death, true);
	sd_event_source_set_description(d->death, "qemu-death");
}

static int on_migration_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct managed_domain *d = userdata;

	(void)source;
	(void)usec;
	d->migrating = false;
	domains_rescan(d->manager, d);
	return 0;
}

/* A migration that is cancelled says nothing more: it is taken for over when no news of it comes.
 */
static void migration_begin(struct manager *m, struct managed_domain *d)
{
	sd_event_source_disable_unref(d->migration_timer);
	d->migration_timer = NULL;
	d->migrating =
	        sd_event_add_time_relative(m->event, &d->migration_timer, CLOCK_MONOTONIC,
	                                   MIGRATION_SILENCE_US, 0, on_migration_over, d) >= 0;
}

/* Frees what a domain owns and takes it out of the list. */
static void domain_drop(struct manager *m, struct managed_domain *d)
{
	for (struct managed_domain **p = &m->domains; *p; p = &(*p)->next) {
		if (*p != d)
			continue;
		*p = d->next;
		break;
	}
	for (size_t i = 0; i < d->n_vcpus; i++)
		terms_end(m, &d->vcpus[i]);
	helpers_drop(m, d);
	carriers_drop(m, d);
	slot_give(m->domain_slots, d->slot);
	sd_event_source_disable_unref(d->death);
	sd_event_source_disable_unref(d->pages.again);
	sd_event_source_disable_unref(d->override_timer);
	sd_event_source_disable_unref(d->migration_timer);
	domain_free(d->seen);
	free(d->vcpus);
	free(d);
}

static struct managed_domain *domain_take(struct manager *m)
{
	struct managed_domain *d;
	unsigned int slot = slot_take(m->domain_slots, PVS_DOMAINS_MAX);

	if (slot == SLOT_NONE) {
		if (m->domains_refused++ == 0)
			log_warning("more than %d domains run: the others are not looked after",
			            PVS_DOMAINS_MAX);
		return NULL;
	}
	d = calloc(1, sizeof(*d));
	if (!d) {
		slot_give(m->domain_slots, slot);
		return NULL;
	}
	m->accounts.domains[slot] = (struct pvs_domain_account){0};
	d->slot = slot;
	d->manager = m;
	d->next = m->domains;
	m->domains = d;
	return d;
}

static struct managed_vcpu *find_thread(struct managed_vcpu *vcpus, size_t n,
                                        const struct vcpu_thread *thread)
{
	for (size_t i = 0; i < n; i++)
		if (thread_id_equal(&vcpus[i].thread.id, &thread->id) &&
		    vcpus[i].thread.index == thread->index)
			return &vcpus[i];
	return NULL;
}

/*
 * The threads changed: keeps what is still there, drops what is gone, and leaves what is new
 * without a slot, for terms_apply() to begin with.
 */
static int vcpus_update(struct manager *m, struct managed_domain *d)
{
	size_t n = d->seen->n_vcpus;
	struct managed_vcpu *now = calloc(MAX(n, (size_t)1), sizeof(*now));

	if (!now)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct managed_vcpu *known = find_thread(d->vcpus, d->n_vcpus, &d->seen->vcpus[i]);

		/* a plugged-in vCPU is born in the emulator's group and moved a moment later */
		if (known && strcmp(known->thread.cgroup, d->seen->vcpus[i].cgroup) != 0)
			terms_moved(m, known);
		now[i] = known ? *known : (struct managed_vcpu){.slot = SLOT_NONE};
		now[i].thread = d->seen->vcpus[i];
		if (known)
			known->thread.id.tid = 0; /* taken over */
	}
	for (size_t i = 0; i < d->n_vcpus; i++)
		if (d->vcpus[i].thread.id.tid)
			terms_end(m, &d->vcpus[i]);
	free(d->vcpus);
	d->vcpus = now;
	d->n_vcpus = n;
	return 0;
}

static struct managed_domain *find_uuid(struct manager *m, const char *uuid)
{
	for (struct managed_domain *d = m->domains; d; d = d->next)
		if (strcasecmp(d->seen->uuid, uuid) == 0)
			return d;
	return NULL;
}

/*
 * Whether a domain that another source has stays that source's. One process is of the source that
 * is configured first; a uuid is libvirt's, since a process only claims its own.
 */
static bool is_outranked(const struct manager *m, const struct managed_domain *d,
                         const struct domain *domain)
{
	if (thread_id_equal(&d->seen->qemu, &domain->qemu))
		return discovery_rank(m, d->seen->source) < discovery_rank(m, domain->source);
	return d->seen->source == DOMAIN_SOURCE_LIBVIRT;
}

/* Settles whose a domain is. Returns false when it is another source's; else it is nobody's else.
 */
static bool claim(struct manager *m, const struct domain *domain)
{
	struct managed_domain *d, *next;

	for (d = m->domains; d; d = next) {
		next = d->next;
		if (d->seen->source == domain->source)
			continue;
		if (!thread_id_equal(&d->seen->qemu, &domain->qemu) &&
		    strcasecmp(d->seen->uuid, domain->uuid) != 0)
			continue;
		if (is_outranked(m, d, domain))
			return false;
		domain_drop(m, d);
	}
	return true;
}

void domains_seen(struct manager *m, struct domain *seen, unsigned int causes)
{
	CLEANUP(domain_cleanup) struct domain *domain = seen;
	struct managed_domain *d;
	bool is_new;

	if (!claim(m, domain))
		return;
	d = find_uuid(m, domain->uuid);
	is_new = !d;
	if (d && !thread_id_equal(&d->seen->qemu, &domain->qemu)) {
		domain_drop(m,
		            d); /* restarted or restored: another process, nothing carries over */
		d = NULL;
		is_new = true;
	}
	if (!d)
		d = domain_take(m);
	if (!d)
		return;
	domain_free(d->seen);
	d->seen = STEAL(domain, NULL);
	if (is_new)
		watch_death(m, d);
	if (causes & VIRT_CAUSE_MIGRATION)
		migration_begin(m, d);
	else if (causes & VIRT_CAUSE_LIFECYCLE)
		d->migrating = false;
	if (vcpus_update(m, d) < 0)
		return;
	if (causes & VIRT_CAUSE_REBOOT)
		carriers_reset(m, d);
	carriers_find(m, d, is_new || (causes & VIRT_CAUSE_LIFECYCLE));
	if (causes & VIRT_CAUSE_DEVICE)
		carriers_device(m, d);
	affinities_read(d);
	holds_update(m, d, true);
	/* shares and RT budgets before a hold ends, or the first raise would be refused */
	terms_apply(m);
	holds_update(m, d, false);
	if (causes & (VIRT_CAUSE_TUNABLE | VIRT_CAUSE_LIFECYCLE | VIRT_CAUSE_REBOOT))
		domains_rescan(m, d);
	log_debug("domain \"%s\": %zu vCPUs, profile %s (%s)", d->seen->name, d->n_vcpus,
	          d->choice.profile.name, d->choice.source);
}

void domains_gone(struct manager *m, enum domain_source source, const char *uuid)
{
	struct managed_domain *d = find_uuid(m, uuid);

	if (!d || d->seen->source != source)
		return;
	domain_drop(m, d);
	terms_apply(m); /* its shares are free for others */
}

struct managed_domain *domains_find(struct manager *m, const char *name_or_uuid)
{
	struct managed_domain *d = find_uuid(m, name_or_uuid);

	if (d)
		return d;
	for (d = m->domains; d; d = d->next)
		if (strcmp(d->seen->name, name_or_uuid) == 0)
			return d;
	return NULL;
}

struct managed_domain *domains_by_qemu(struct manager *m, pid_t pid)
{
	for (struct managed_domain *d = m->domains; d; d = d->next)
		if (d->seen->qemu.tid == pid)
			return d;
	return NULL;
}

struct managed_vcpu *domains_by_slot(struct manager *m, unsigned int slot,
                                     struct managed_domain **ret_domain)
{
	for (struct managed_domain *d = m->domains; d; d = d->next) {
		for (size_t i = 0; i < d->n_vcpus; i++) {
			if (d->vcpus[i].slot != slot)
				continue;
			*ret_domain = d;
			return &d->vcpus[i];
		}
	}
	return NULL;
}

void domains_rescan(struct manager *m, struct managed_domain *d)
{
	affinities_read(d);
	holds_update(m, d, false);
	for (size_t i = 0; i < d->n_vcpus; i++)
		if (d->vcpus[i].slot != SLOT_NONE)
			booster_rescan(m->booster, d->vcpus[i].slot);
}

void domains_drop_of(struct manager *m, enum domain_source source)
{
	struct managed_domain *d, *next;

	for (d = m->domains; d; d = next) {
		next = d->next;
		if (d->seen->source == source)
			domain_drop(m, d);
	}
	terms_apply(m); /* their shares are free for others */
}

void domains_free_all(struct manager *m)
{
	while (m->domains)
		domain_drop(m, m->domains);
}
