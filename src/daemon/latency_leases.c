// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/latency_leases.h"

#include <errno.h>
#include <stdlib.h>

#include "util/clock.h"

#define TIMER_ACCURACY_US (100 * NSEC_PER_MSEC / NSEC_PER_USEC)

struct lease {
	uint64_t serial; /* of the domain; 0: the place is free */
	uint64_t since_ns, until_ns;
	size_t n_tids;
	pid_t tids[PVS_TRACES_MAX]; /* whose waits are traced for it */
};

struct latency_leases {
	struct tracer *tracer;
	uint64_t lease_ns;
	sd_event_source *timer; /* on only while there is a lease */
	struct lease leases[LATENCY_LEASES_MAX];
};

static void lease_drop_tid(struct latency_leases *leases, struct lease *lease, size_t index)
{
	tracer_untrace_waits(leases->tracer, lease->tids[index]);
	lease->tids[index] = lease->tids[--lease->n_tids];
}

static void lease_end(struct latency_leases *leases, struct lease *lease)
{
	while (lease->n_tids > 0)
		lease_drop_tid(leases, lease, lease->n_tids - 1);
	lease->serial = 0;
}

/* The timer fires when the first of them ends. */
static int plan_end(struct latency_leases *leases)
{
	uint64_t first_ns = UINT64_MAX;
	int r;

	for (size_t i = 0; i < LATENCY_LEASES_MAX; i++)
		if (leases->leases[i].serial)
			first_ns = MIN(first_ns, leases->leases[i].until_ns);
	if (first_ns == UINT64_MAX)
		return sd_event_source_set_enabled(leases->timer, SD_EVENT_OFF);
	r = sd_event_source_set_time(leases->timer, first_ns / NSEC_PER_USEC + 1);
	return r < 0 ? r : sd_event_source_set_enabled(leases->timer, SD_EVENT_ONESHOT);
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct latency_leases *leases = userdata;
	uint64_t now_ns = clock_now_ns();

	(void)source, (void)usec;
	for (size_t i = 0; i < LATENCY_LEASES_MAX; i++)
		if (leases->leases[i].serial && leases->leases[i].until_ns <= now_ns)
			lease_end(leases, &leases->leases[i]);
	return MIN(plan_end(leases), 0);
}

int latency_leases_new(struct latency_leases **ret, sd_event *event, struct tracer *tracer,
                       uint64_t lease_ns)
{
	struct latency_leases *leases = calloc(1, sizeof(*leases));
	int r;

	if (!leases)
		return -ENOMEM;
	leases->tracer = tracer;
	leases->lease_ns = lease_ns;
	r = sd_event_add_time(event, &leases->timer, CLOCK_MONOTONIC, UINT64_MAX, TIMER_ACCURACY_US,
	                      on_end, leases);
	if (r >= 0)
		r = plan_end(leases);
	if (r < 0) {
		latency_leases_free(leases);
		return r;
	}
	*ret = leases;
	return 0;
}

struct latency_leases *latency_leases_free(struct latency_leases *leases)
{
	if (!leases)
		return NULL;
	for (size_t i = 0; i < LATENCY_LEASES_MAX; i++)
		lease_end(leases, &leases->leases[i]);
	sd_event_source_disable_unref(leases->timer);
	free(leases);
	return NULL;
}

/* The domain's lease, or a free place; NULL: all are taken. */
static struct lease *find(struct latency_leases *leases, uint64_t serial)
{
	struct lease *unused = NULL;

	for (size_t i = 0; i < LATENCY_LEASES_MAX; i++) {
		struct lease *lease = &leases->leases[i];

		if (lease->serial == serial)
			return lease;
		if (!lease->serial && !unused)
			unused = lease;
	}
	return unused;
}

static bool domain_has(const struct inventory_domain *domain, pid_t tid)
{
	for (size_t i = 0; i < domain->n_vcpus; i++)
		if (domain->vcpus[i].slot != SLOT_NONE && domain->vcpus[i].thread.id.tid == tid)
			return true;
	return false;
}

static bool lease_has(const struct lease *lease, pid_t tid)
{
	for (size_t i = 0; i < lease->n_tids; i++)
		if (lease->tids[i] == tid)
			return true;
	return false;
}

/* vCPUs may have come and gone since the last request. */
static int lease_follow(struct latency_leases *leases, struct lease *lease,
                        const struct inventory_domain *domain)
{
	for (size_t i = lease->n_tids; i > 0; i--)
		if (!domain_has(domain, lease->tids[i - 1]))
			lease_drop_tid(leases, lease, i - 1);
	for (size_t i = 0; i < domain->n_vcpus; i++) {
		pid_t tid = domain->vcpus[i].thread.id.tid;
		int r;

		if (domain->vcpus[i].slot == SLOT_NONE || lease_has(lease, tid))
			continue;
		if (lease->n_tids == ARRAY_SIZE(lease->tids))
			return -E2BIG;
		r = tracer_trace_waits(leases->tracer, tid);
		if (r < 0)
			return r;
		lease->tids[lease->n_tids++] = tid;
	}
	return 0;
}

int latency_leases_renew(struct latency_leases *leases, const struct inventory_domain *domain,
                         uint64_t *since_ns)
{
	struct lease *lease = find(leases, domain->serial);
	uint64_t now_ns = clock_now_ns();
	int planned, r;

	if (!leases->tracer)
		return -EOPNOTSUPP;
	if (!lease)
		return -EUSERS;
	if (!lease->serial) {
		lease->serial = domain->serial;
		lease->since_ns = now_ns;
	}
	lease->until_ns = now_ns + leases->lease_ns;
	r = lease_follow(leases, lease, domain);
	planned = plan_end(leases);
	if (planned < 0)
		lease_end(leases, lease); /* nothing else would end it */
	*since_ns = lease->since_ns;
	return planned < 0 ? planned : r;
}
