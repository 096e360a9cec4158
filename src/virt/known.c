/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "virt/threads.h"

/**
 * A hotplugged thread gets its name within microseconds, its cgroup and its line in the status file
 * within milliseconds. Looks 20, 40, 80, ... ms apart see it soon. A thread that is never confirmed
 * costs one scan per interval.
 */
#define SETTLE_FIRST_NS (20 * NSEC_PER_MSEC)
#define SETTLE_STEPS    2

/** Every this many intervals the threads are scanned even if their list looks the same. */
#define FULL_INTERVALS 10

/** Maximum age of the list of kernel threads. */
#define VHOST_AGE_NS NSEC_PER_SEC

struct known_domain *known_find(struct known_table *table, const char *uuid)
{
	size_t i;

	for (i = 0; i < table->n; i++)
		if (strcmp(table->domains[i]->uuid, uuid) == 0)
			return table->domains[i];
	return NULL;
}

struct known_domain *known_get(struct known_table *table, const char *uuid)
{
	struct known_domain *domain = known_find(table, uuid);

	if (domain || table->n == VIRT_DOMAINS_MAX)
		return domain;
	domain = calloc(1, sizeof(*domain));
	if (!domain)
		return NULL;
	strncpy(domain->uuid, uuid, sizeof(domain->uuid) - 1);
	domain->look_ns = NSEC_NEVER; /* until its name is known */
	table->domains[table->n++] = domain;
	return domain;
}

static void known_free(struct known_domain *domain)
{
	domain_free(domain->last);
	free(domain);
}

void known_remove(struct known_table *table, struct known_domain *domain)
{
	size_t i;

	for (i = 0; i < table->n; i++) {
		if (table->domains[i] != domain)
			continue;
		table->domains[i] = table->domains[--table->n];
		known_free(domain);
		return;
	}
}

void known_clear(struct known_table *table)
{
	while (table->n > 0)
		known_free(table->domains[--table->n]);
}

void known_hint(struct known_domain *domain, uint64_t now_ns)
{
	uint64_t at_ns = MAX(now_ns, duty_next_ns(&domain->duty));

	/* what is planned for a hint stays: hints that go on must not put it off */
	if (domain->hinted && domain->look_ns <= at_ns)
		return;
	domain->look_ns = domain->full_ns = at_ns;
	domain->step = 0;
	domain->hinted = true;
}

void known_glance(struct known_domain *domain, uint64_t now_ns)
{
	domain->look_ns = domain->full_ns = now_ns;
}

int known_report_gone(struct known_domain *domain, struct event_queue *queue)
{
	struct virt_event event = {.type = VIRT_DOMAIN_GONE};
	int r;

	if (!domain->last)
		return 0;
	memcpy(event.uuid, domain->uuid, sizeof(event.uuid));
	r = event_queue_push(queue, &event);
	if (r < 0)
		return r;
	domain->last = domain_free(domain->last);
	domain->mark = 0;
	domain->notes = 0;
	return 0;
}

/** Reports @now, and keeps it as the last report. After -ENOMEM the next look tries again. */
static int report_seen(struct known_domain *domain, struct domain *now, unsigned int causes,
                       unsigned int notes, struct event_queue *queue)
{
	struct virt_event event = {.type = VIRT_DOMAIN_SEEN, .causes = causes};
	int r;

	memcpy(event.uuid, domain->uuid, sizeof(event.uuid));
	event.domain = domain_share(now);
	event.notes = notes & ~domain->notes;
	r = event_queue_push(queue, &event);
	if (r < 0) {
		domain_free(now);
		return r;
	}
	domain_free(domain->last);
	domain->last = now;
	domain->notes = notes;
	domain->had_vcpus |= now->n_vcpus > 0;
	domain->causes = 0;
	return 0;
}

/** Plans the next look after a scan: soon while things settle, else at the interval. */
static void plan_next(struct known_domain *domain, const struct known_scan *scan, bool changed,
                      bool unsure, unsigned int notes, uint64_t now_ns)
{
	unsigned int doublings;
	uint64_t delay;

	/* At most once per interval: threads may come and go all the time. */
	if (changed && now_ns - domain->settle_ns >= scan->rescan_ns) {
		domain->settle_ns = now_ns;
		domain->step = 0;
	}
	doublings = MIN(domain->step, 16u);
	delay = MIN(SETTLE_FIRST_NS << doublings, scan->rescan_ns);
	/* Thousands of threads, one of them never confirmed, must not cost a CPU. */
	if ((notes & MAPPING_TRUNCATED) && domain->step >= SETTLE_STEPS)
		delay = FULL_INTERVALS * scan->rescan_ns;
	if (unsure || domain->step < SETTLE_STEPS) {
		domain->step++;
		domain->look_ns = domain->full_ns = now_ns + delay;
		return;
	}
	domain->look_ns = now_ns + scan->rescan_ns;
	domain->full_ns = now_ns + FULL_INTERVALS * scan->rescan_ns;
}

/** Scans the threads of a process, if the process still counts as QEMU. */
static int scan_process(struct domain *now, const struct known_domain *domain,
                        const struct known_scan *scan, unsigned int *notes)
{
	struct process_evidence process;
	int r = process_examine(domain->qemu.tid, scan->criteria, &process);

	if (r < 0)
		return r;
	if (r > 0 || process.id.start_ticks != domain->qemu.start_ticks)
		return -ESRCH;
	process.max_vcpus = domain->max_vcpus;
	now->topology = domain->topology;
	now->cids = domain->cids;
	return threads_scan_process(now, &process, scan->vhosts, notes);
}

/** Scans the threads of a domain. Returns 0 with *ret, which the caller frees, or -errno. */
static int scan_now(const struct known_domain *domain, const struct known_scan *scan,
                    uint64_t now_ns, struct domain **ret, unsigned int *notes)
{
	struct domain *now = domain_new(domain->uuid, domain->name);
	int r;

	if (!now)
		return -ENOMEM;
	now->uuid_kind = domain->uuid_kind;
	now->names_threads = domain->names_threads;
	now->source = domain->source;
	now->state = domain->state;
	now->metadata = domain->metadata;
	now->labels = domain->labels;
	/* An error is ignored: the scan is useful without the kernel's vhost threads. */
	vhost_table_refresh(scan->vhosts, now_ns, VHOST_AGE_NS);
	if (domain->source == DOMAIN_SOURCE_PROCFS && !domain->of_libvirt)
		r = scan_process(now, domain, scan, notes);
	else
		r = threads_scan(now, scan->run_dir, scan->cmdlines, scan->vhosts, notes);
	if (r < 0) {
		domain_free(now);
		return r;
	}
	*ret = now;
	return 0;
}

static bool share_vcpu(const struct domain *a, const struct domain *b)
{
	for (size_t i = 0; i < a->n_vcpus; i++)
		for (size_t j = 0; j < b->n_vcpus; j++)
			if (thread_id_equal(&a->vcpus[i].id, &b->vcpus[j].id))
				return true;
	return false;
}

/**
 * A process keeps its start time when it executes another QEMU, of another uuid and name. Then all
 * its threads are new; vCPU 0 of a VM that lives is never plugged out.
 */
static bool is_renewed(const struct known_domain *domain, const struct domain *now)
{
	return domain->source == DOMAIN_SOURCE_PROCFS && !domain->of_libvirt && domain->last &&
	       domain->had_vcpus && now->n_vcpus > 0 && !share_vcpu(domain->last, now);
}

static void look_closely(struct known_domain *domain, const struct known_scan *scan,
                         uint64_t now_ns)
{
	unsigned int causes = domain->causes, notes;
	struct domain *now;
	bool changed;
	int r = scan_now(domain, scan, now_ns, &now, &notes);

	if (r < 0) {
		/* -ESRCH: it starts, ends or has ended; libvirt tells which. Else it cannot be
		   looked at, and what is known of it stays. */
		if (r == -ESRCH)
			known_report_gone(domain, scan->queue);
		if (r == -ESRCH && domain->unfound_ns == 0)
			domain->unfound_ns = now_ns;
		plan_next(domain, scan, false, true, 0, now_ns);
		return;
	}
	domain->unfound_ns = 0;
	domain->renewed = is_renewed(domain, now);
	if (domain->renewed) {
		domain_free(now);
		return;
	}
	changed = !domain->last || !domain_equal(domain->last, now) || domain->notes != notes;
	plan_next(domain, scan, changed, notes & MAPPING_UNCONFIRMED, notes, now_ns);
	if (changed)
		causes |= VIRT_CAUSE_THREADS;
	if (!causes)
		domain_free(now);
	else if (report_seen(domain, now, causes, notes, scan->queue) < 0)
		domain->full_ns = 0;
}

static void look(struct known_domain *domain, const struct known_scan *scan, uint64_t now_ns)
{
	if (domain->last) {
		int r = threads_changed(&domain->last->qemu, &domain->mark);

		if (r == 0 && now_ns < domain->full_ns && domain->causes == 0) {
			domain->look_ns = now_ns + scan->rescan_ns;
			return;
		}
	}
	look_closely(domain, scan, now_ns);
}

/*
 * A process can cause looks for hints at any rate, and with each of them those by which its threads
 * settle. So these rest: see util/duty.h.
 */
void known_look(struct known_domain *domain, const struct known_scan *scan, uint64_t now_ns)
{
	bool rests = domain->hinted || (domain->step > 0 && domain->step < SETTLE_STEPS);
	uint64_t begin_ns = clock_thread_ns(), next_ns;

	domain->hinted = false;
	look(domain, scan, now_ns);
	if (!rests)
		return;
	duty_use(&domain->duty, clock_thread_ns() - begin_ns, clock_now_ns());
	next_ns = duty_next_ns(&domain->duty);
	domain->look_ns = MAX(domain->look_ns, next_ns);
	domain->full_ns = MAX(domain->full_ns, next_ns);
}
