// SPDX-License-Identifier: GPL-2.0-or-later
/* What comes in: hints of the proc connector, notes of the booster; domains: discovery.c. */
#include "daemon/manager.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "policy/refusals.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"
#include "util/procfs.h"

/* A bound for one look at /proc; kernel threads have the lowest numbers. */
#define PROCESSES_MAX 100000

/* ---- proc connector ---- */

static void on_thread_named(void *userdata, pid_t tgid)
{
	discovery_hint(userdata, tgid);
}

static int on_procconn(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct manager *m = userdata;
	int r = procconn_read(m->procconn, on_thread_named, m);

	(void)source;
	(void)fd;
	(void)revents;
	if (r == PROCCONN_LOST)
		discovery_hint_all(m);
	if (r >= 0)
		return 0;
	log_warning("the proc connector is lost (%s): new vCPUs are found within a minute",
	            strerror(-r));
	snprintf(m->procconn_why, sizeof(m->procconn_why), "lost: %s", strerror(-r));
	m->procconn_io = sd_event_source_disable_unref(m->procconn_io);
	m->procconn = procconn_free(m->procconn);
	return 0;
}

static int procconn_start(struct manager *m)
{
	int r = procconn_new(&m->procconn);

	if (r < 0) {
		snprintf(m->procconn_why, sizeof(m->procconn_why), "%s%s", strerror(-r),
		         r == -EPERM ? "; it needs CAP_NET_ADMIN" : "");
		log_notice("no proc connector (%s): threads are looked at every second instead",
		           m->procconn_why);
		return 0;
	}
	return sd_event_add_io(m->event, &m->procconn_io, procconn_fd(m->procconn), EPOLLIN,
	                       on_procconn, m);
}

/* ---- ksoftirqd, whose waiting the tracer watches ---- */

static int on_process(pid_t pid, void *userdata)
{
	struct manager *m = userdata;
	struct procfs_stat stat;
	unsigned int cpu;

	if (procfs_stat(0, pid, &stat) == 0 && (stat.flags & PROCFS_FLAG_KTHREAD) &&
	    sscanf(stat.comm, "ksoftirqd/%u", &cpu) == 1)
		tracer_set_softirqd(m->tracer, cpu, pid);
	return 0;
}

static void softirqd_find(struct manager *m)
{
	int r;

	if (!m->tracer)
		return;
	r = procfs_each_process(PROCESSES_MAX, on_process, m);
	if (r < 0)
		log_notice("the kernel's softirq threads were not all found: %s", strerror(-r));
}

/* ---- notes of the booster ---- */

static void say_refused(struct manager *m, struct managed_domain *d, struct managed_vcpu *v)
{
	char group[CGROUP_GROUP_MAX] = "";
	struct log_context ctx = {
	        .domain = d->seen->name,
	        .vcpu = (int)v->thread.index,
	        .reason = policy_reason_name(POLICY_REASON_RT_REFUSED),
	        .message_id = LOG_ID_BOOST_REFUSED,
	};

	if (v->refusal_logged)
		return;
	v->refusal_logged = true;
	if (m->has_cgroup &&
	    cgroup_rt_refusal(&m->cgroup, v->thread.cgroup, group, sizeof(group)) == 0)
		log_write(
		        LOG_WARNING, &ctx,
		        "domain \"%s\", vCPU %u: the kernel refuses real-time classes there: group "
		        "%s has no budget (cpu.rt_runtime_us is 0); set host.grant_rt_budget to "
		        "true, or give it one; observed only",
		        d->seen->name, v->thread.index, group);
	else
		log_write(LOG_WARNING, &ctx,
		          "domain \"%s\", vCPU %u: the kernel refuses a real-time class; does "
		          "pvschedd "
		          "have CAP_SYS_NICE? Observed only",
		          d->seen->name, v->thread.index);
}

static void say_foreign(struct managed_domain *d, struct managed_vcpu *v)
{
	struct log_context ctx = {
	        .domain = d->seen->name,
	        .vcpu = (int)v->thread.index,
	        .reason = policy_reason_name(POLICY_REASON_FOREIGN),
	        .message_id = LOG_ID_FOREIGN_CHANGE,
	};

	log_write(
	        LOG_NOTICE, &ctx,
	        "domain \"%s\", vCPU %u: somebody else changed the scheduling of thread %d; it is "
	        "left alone until `pvschedctl policy set`",
	        d->seen->name, v->thread.index, v->thread.id.tid);
}

/*
 * We were taken for dead and everything was given back: that is an end, too. The guardian left
 * after that; guard.c sees it go and starts another one, which ends the booster's hold.
 */
static void guardian_acted(struct manager *m)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_GUARDIAN_RESTORED};

	log_write(LOG_WARNING, &ctx,
	          "the guardian gave everything back because pvschedd did not answer in time");
	state_count_unclean(m->state, clock_now_ns());
	manager_hold(m, POLICY_REASON_BREAKER, state_breaker_open(m->state));
}

static int on_deadlines_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *m = userdata;

	(void)usec;
	m->deadlines_retry = sd_event_source_disable_unref(source);
	manager_hold(m, POLICY_REASON_NO_TRACER, false);
	log_info("vCPUs are boosted again, to see whether the kernel starts timers now");
	return 0;
}

/* Each of these boosts ended at once. What goes on like that does nothing but cost. */
static void deadlines_refused(struct manager *m)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_DEADLINES_REFUSED};
	struct tracer_totals totals;
	int r;

	if (m->deadlines_retry)
		return;
	tracer_totals(m->tracer, &totals);
	/* what ends the hold comes first, or it might not end */
	r = sd_event_add_time_relative(m->event, &m->deadlines_retry, CLOCK_MONOTONIC,
	                               POLICY_REFUSALS_HOLD_NS / NSEC_PER_USEC, 0,
	                               on_deadlines_retry, m);
	if (r >= 0)
		manager_hold(m, POLICY_REASON_NO_TRACER, true);
	log_write(LOG_ERR, &ctx,
	          "the kernel refused %d timers of the tracer within a second (%s): %s",
	          POLICY_REFUSALS_MANY, strerror(-totals.deadline_error),
	          r >= 0 ? "nothing is boosted for ten seconds, then it is tried again"
	                 : "each of these boosts ended at once");
}

static void handle_note(struct manager *m, const struct booster_note *note)
{
	struct managed_domain *d = NULL;
	struct managed_vcpu *v = domains_by_slot(m, note->slot, &d);

	if (note->type == BOOSTER_NOTE_GUARDIAN) {
		guardian_acted(m);
		return;
	}
	if (note->type == BOOSTER_NOTE_DEADLINE)
		deadlines_refused(m);
	if (!v)
		return;
	switch (note->type) {
	case BOOSTER_NOTE_FOREIGN:
		say_foreign(d, v);
		break;
	case BOOSTER_NOTE_REFUSED:
		say_refused(m, d, v);
		break;
	case BOOSTER_NOTE_GONE:
		discovery_rescan(m, d);
		break;
	case BOOSTER_NOTE_FAILED:
		log_error("domain \"%s\", vCPU %u: thread %d can't be changed: %s", d->seen->name,
		          v->thread.index, v->thread.id.tid, strerror(-note->arg));
		break;
	case BOOSTER_NOTE_QUOTA:
		log_info("domain \"%s\", vCPU %u: a CFS quota %s", d->seen->name, v->thread.index,
		         note->arg ? "holds now: it is not boosted" : "holds no longer");
		domains_rescan(m, d);
		break;
	case BOOSTER_NOTE_HELLO:
		carriers_hello(d, v, note->arg);
		break;
	case BOOSTER_NOTE_PAGE_LOST:
		carriers_lost(m, d);
		break;
	case BOOSTER_NOTE_HELPER:
		helpers_made_room(d, v, note->arg);
		break;
	case BOOSTER_NOTE_DEADLINE:
	case BOOSTER_NOTE_GUARDIAN:
		break;
	}
}

static int on_notes(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct manager *m = userdata;
	struct booster_note note;

	(void)source;
	(void)fd;
	(void)revents;
	while (booster_next_note(m->booster, &note))
		handle_note(m, &note);
	return 0;
}

int sources_start(struct manager *m)
{
	int r = sd_event_add_io(m->event, NULL, booster_notes_fd(m->booster), EPOLLIN, on_notes, m);

	softirqd_find(m);
	if (r >= 0)
		r = procconn_start(m);
	if (r >= 0)
		r = discovery_start(m);
	return r;
}

void sources_stop(struct manager *m)
{
	discovery_stop(m);
	m->deadlines_retry = sd_event_source_disable_unref(m->deadlines_retry);
	m->procconn_io = sd_event_source_disable_unref(m->procconn_io);
	m->procconn = procconn_free(m->procconn);
}
