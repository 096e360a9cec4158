// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guardian is watched, and started again; the watchdog is fed only while booster and guardian
 * answer.
 */
#include "daemon/manager.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"

/* Above the booster, which is one above what it boosts. */
#define GUARDIAN_ABOVE_BOOST 2

/*
 * One that cannot be started, or dies soon, is tried again ever later: a host may be too busy for a
 * moment, or out of processes.
 */
#define RETRY_US        1000000
#define RETRY_SHIFT_MAX 6
#define SOON_NS         (10 * NSEC_PER_SEC)

bool guard_answers(const struct manager *m)
{
	return m->guardian && guardian_realtime(m->guardian);
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata);

static int watch_child(struct manager *m)
{
	int r = sd_event_add_child(m->event, &m->guardian_child, guardian_pid(m->guardian),
	                           WEXITED | WSTOPPED | WCONTINUED, on_child, m);

	if (r >= 0)
		sd_event_source_set_description(m->guardian_child, "guardian");
	return r;
}

int guard_start(struct manager *m)
{
	uint32_t priority = m->boost.priority + GUARDIAN_ABOVE_BOOST;
	int r;

	m->guardian_started_ns = clock_now_ns();
	r = guardian_start(&m->guardian, m->ledger, priority);
	if (r < 0)
		return r;
	if (!guardian_realtime(m->guardian)) {
		log_warning(
		        "the kernel refuses the guardian a real-time priority: nothing is boosted; "
		        "run pvschedd in a cgroup with an RT budget, with CAP_SYS_NICE");
		manager_hold(m, POLICY_REASON_GUARDIAN, true);
	}
	return 0;
}

static int attach(struct manager *m)
{
	int r = watch_child(m);

	if (r >= 0 && m->tracer) {
		tracer_forget_overdue(m->tracer);
		r = guardian_watch_overdue(m->guardian, tracer_overdue_fd(m->tracer));
	}
	return r < 0 ? r : 0;
}

static void begin_again(struct manager *m);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	begin_again(userdata);
	return 0;
}

static int retry_later(struct manager *m)
{
	unsigned int shift = MIN(m->guardian_failures++, (unsigned int)RETRY_SHIFT_MAX);

	sd_event_source_disable_unref(m->guardian_retry);
	m->guardian_retry = NULL;
	return sd_event_add_time_relative(m->event, &m->guardian_retry, CLOCK_MONOTONIC,
	                                  (uint64_t)RETRY_US << shift, 0, on_retry, m);
}

static void begin_again(struct manager *m)
{
	int r = guard_start(m);

	if (r == 0) {
		r = attach(m);
		if (r < 0) {
			m->guardian_child = sd_event_source_disable_unref(m->guardian_child);
			m->guardian = guardian_stop(m->guardian);
		}
	}
	if (r == 0) {
		/* before the hold ends, or the first raise would be refused */
		terms_grant_again(m);
		manager_hold(m, POLICY_REASON_GUARDIAN, !guardian_realtime(m->guardian));
		log_info("a new guardian watches");
		return;
	}
	log_error("no new guardian could be started: %s; nothing is boosted meanwhile, and it is "
	          "tried again",
	          strerror(-r));
	retry_later(m);
}

static void guardian_lost(struct manager *m)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_GUARDIAN_LOST};

	manager_hold(m, POLICY_REASON_GUARDIAN, true);
	m->guardian_child = sd_event_source_disable_unref(m->guardian_child);
	m->guardian = guardian_forget(m->guardian);
	log_write(LOG_WARNING, &ctx,
	          "the guardian is gone: everything was given back; a new one is started");
	if (clock_now_ns() > m->guardian_started_ns + SOON_NS)
		m->guardian_failures = 0;
	/* the first death is answered at once, deaths soon after that ever later */
	if (m->guardian_failures++ == 0 || retry_later(m) < 0)
		begin_again(m);
}

int guard_attach(struct manager *m)
{
	return m->guardian ? attach(m) : retry_later(m);
}

void guard_try_now(struct manager *m)
{
	if (m->guardian)
		return;
	m->guardian_retry = sd_event_source_disable_unref(m->guardian_retry);
	m->guardian_failures = 0;
	begin_again(m);
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
	struct manager *m = userdata;

	if (si->si_code == CLD_STOPPED || si->si_code == CLD_TRAPPED) {
		log_warning("the guardian is stopped: nothing is boosted until it goes on");
		manager_hold(m, POLICY_REASON_GUARDIAN, true);
		sd_event_source_set_enabled(source, SD_EVENT_ON);
	} else if (si->si_code == CLD_CONTINUED) {
		manager_hold(m, POLICY_REASON_GUARDIAN, !guardian_realtime(m->guardian));
		sd_event_source_set_enabled(source, SD_EVENT_ON);
	} else {
		guardian_lost(m);
	}
	return 0;
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *m = userdata;
	uint64_t period_us;

	booster_ping(m->booster); /* one that hangs ends us here: see booster.h */
	if (m->guardian && guardian_ping(m->guardian) < 0) {
		log_warning("the guardian does not answer: nothing is boosted");
		manager_hold(m, POLICY_REASON_GUARDIAN, true);
	} else if (m->guardian) {
		manager_hold(m, POLICY_REASON_GUARDIAN, !guardian_realtime(m->guardian));
	}
	sd_notify(0, "WATCHDOG=1");
	sd_watchdog_enabled(0, &period_us);
	sd_event_source_set_time(source, usec + period_us / 2);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int guard_watchdog(struct manager *m)
{
	uint64_t period_us;
	int r = sd_watchdog_enabled(0, &period_us);

	if (r <= 0)
		return r;
	return sd_event_add_time_relative(m->event, NULL, CLOCK_MONOTONIC, period_us / 2, 0,
	                                  on_watchdog, m);
}
