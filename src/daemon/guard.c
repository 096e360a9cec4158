// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"

/* Above the booster, which is one above what it boosts. */
#define GUARDIAN_ABOVE_BOOST 2

/* News, questions and notes may come without end: the watchdog does not wait for them. */
#define GUARD_PRIORITY SD_EVENT_PRIORITY_IMPORTANT

/*
 * After a guardian that could not be started, or died soon, the next try is later each time: a host
 * may be too busy for a moment, or out of processes.
 */
#define RETRY_US        1000000
#define RETRY_SHIFT_MAX 6
#define SOON_NS         (10 * NSEC_PER_SEC)

struct guard {
	struct guard_news news;
	struct ledger *ledger;
	uint32_t priority;
	sd_event *event;
	struct tracer *tracer;
	struct booster *booster;
	struct guardian *guardian; /* NULL: none runs */
	sd_event_source *child;
	sd_event_source *retry;
	sd_event_source *watchdog;
	uint64_t started_ns;
	uint32_t acts;         /* that guardians had made when it was started */
	unsigned int failures; /* starts in vain, and deaths soon after one, in a row */
	bool silent;           /* it is stopped, or did not answer the last ping */
};

bool guard_answers(const struct guard *guard)
{
	return guard->guardian && !guard->silent && guardian_realtime(guard->guardian);
}

const struct guardian *guard_guardian(const struct guard *guard)
{
	return guard->guardian;
}

static void say_guarded(struct guard *guard, bool guarded)
{
	guard->news.guarded(guard->news.userdata, guarded);
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata);

static int watch_child(struct guard *guard)
{
	int r = sd_event_add_child(guard->event, &guard->child, guardian_pid(guard->guardian),
	                           WEXITED | WSTOPPED | WCONTINUED, on_child, guard);

	if (r < 0)
		return r;
	sd_event_source_set_description(guard->child, "guardian");
	return sd_event_source_set_priority(guard->child, GUARD_PRIORITY);
}

/* Returns 0, or -errno. */
static int start(struct guard *guard)
{
	int r;

	guard->started_ns = clock_now_ns();
	guard->acts = ledger_guardian_acts(guard->ledger);
	r = guardian_start(&guard->guardian, guard->ledger, guard->priority);
	if (r == 0 && !guardian_realtime(guard->guardian))
		log_warning(
		        "the kernel refuses the guardian a real-time priority: nothing is boosted; "
		        "run pvschedd in a cgroup with an RT budget, with CAP_SYS_NICE");
	return r;
}

int guard_new(struct guard **ret, struct ledger *ledger, uint32_t priority,
              const struct guard_news *news)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	int r;

	if (!guard)
		return -ENOMEM;
	guard->news = *news;
	guard->ledger = ledger;
	guard->priority = priority + GUARDIAN_ABOVE_BOOST;
	r = start(guard);
	if (r < 0)
		log_error("the guardian can't be started: %s; nothing is boosted until one is",
		          strerror(-r));
	*ret = guard;
	return 0;
}

struct guard *guard_free(struct guard *guard)
{
	if (!guard)
		return NULL;
	sd_event_source_disable_unref(guard->child);
	sd_event_source_disable_unref(guard->retry);
	sd_event_source_disable_unref(guard->watchdog);
	guardian_stop(guard->guardian);
	free(guard);
	return NULL;
}

static int attach(struct guard *guard)
{
	int r = watch_child(guard);

	if (r >= 0 && guard->tracer) {
		tracer_forget_overdue(guard->tracer);
		r = guardian_watch_overdue(guard->guardian, tracer_overdue_fd(guard->tracer));
	}
	return r < 0 ? r : 0;
}

static void begin_again(struct guard *guard);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	begin_again(userdata);
	return 0;
}

static int retry_later(struct guard *guard)
{
	unsigned int shift = MIN(guard->failures++, (unsigned int)RETRY_SHIFT_MAX);

	sd_event_source_disable_unref(guard->retry);
	guard->retry = NULL;
	return sd_event_add_time_relative(guard->event, &guard->retry, CLOCK_MONOTONIC,
	                                  (uint64_t)RETRY_US << shift, 0, on_retry, guard);
}

static void begin_again(struct guard *guard)
{
	int r = start(guard);

	if (r == 0) {
		r = attach(guard);
		if (r < 0) {
			guard->child = sd_event_source_disable_unref(guard->child);
			guard->guardian = guardian_stop(guard->guardian);
		}
	}
	if (r == 0) {
		guard->news.renewed(guard->news.userdata);
		say_guarded(guard, guardian_realtime(guard->guardian));
		log_info("a new guardian watches");
		return;
	}
	log_error("no new guardian could be started: %s; nothing is boosted meanwhile, and it is "
	          "tried again",
	          strerror(-r));
	retry_later(guard);
}

static void guardian_lost(struct guard *guard)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_GUARDIAN_LOST};

	say_guarded(guard, false);
	guard->child = sd_event_source_disable_unref(guard->child);
	guard->guardian = guardian_forget(guard->guardian);
	guard->silent = false;
	log_write(LOG_WARNING, &ctx,
	          "the guardian is gone: everything was given back; a new one is started");
	/* one that acted and left did its duty; too many of these open the circuit breaker */
	if (ledger_guardian_acts(guard->ledger) != guard->acts ||
	    clock_now_ns() > guard->started_ns + SOON_NS)
		guard->failures = 0;
	/* the first death is answered at once, deaths soon after that later each time */
	if (guard->failures++ == 0 || retry_later(guard) < 0)
		begin_again(guard);
}

int guard_attach(struct guard *guard, sd_event *event, struct tracer *tracer)
{
	guard->event = event;
	guard->tracer = tracer;
	return guard->guardian ? attach(guard) : MIN(retry_later(guard), 0);
}

void guard_try_now(struct guard *guard)
{
	if (guard->guardian)
		return;
	guard->retry = sd_event_source_disable_unref(guard->retry);
	guard->failures = 0;
	begin_again(guard);
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
	struct guard *guard = userdata;

	if (si->si_code == CLD_STOPPED || si->si_code == CLD_TRAPPED) {
		log_warning("the guardian is stopped: nothing is boosted until it goes on");
		guard->silent = true;
		say_guarded(guard, false);
		sd_event_source_set_enabled(source, SD_EVENT_ON);
	} else if (si->si_code == CLD_CONTINUED) {
		guard->silent = false;
		say_guarded(guard, guardian_realtime(guard->guardian));
		sd_event_source_set_enabled(source, SD_EVENT_ON);
	} else {
		guardian_lost(guard);
	}
	return 0;
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct guard *guard = userdata;
	uint64_t period_us;

	booster_ping(guard->booster); /* a booster that hangs ends us here: see booster.h */
	guard->silent = guard->guardian && guardian_ping(guard->guardian) < 0;
	if (guard->silent) {
		log_warning("the guardian does not answer: nothing is boosted");
		say_guarded(guard, false);
	} else if (guard->guardian) {
		say_guarded(guard, guardian_realtime(guard->guardian));
	}
	sd_notify(0, "WATCHDOG=1");
	sd_watchdog_enabled(0, &period_us);
	sd_event_source_set_time(source, usec + period_us / 2);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int guard_watchdog(struct guard *guard, struct booster *booster)
{
	uint64_t period_us;
	int r = sd_watchdog_enabled(0, &period_us);

	if (r <= 0)
		return r;
	guard->booster = booster;
	r = sd_event_add_time_relative(guard->event, &guard->watchdog, CLOCK_MONOTONIC,
	                               period_us / 2, 0, on_watchdog, guard);
	return r < 0 ? r : sd_event_source_set_priority(guard->watchdog, GUARD_PRIORITY);
}
