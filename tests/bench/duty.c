// SPDX-License-Identifier: GPL-2.0-or-later
#include "duty.h"

#include <errno.h>

#include "util/clock.h"

/* Two looks at the clock that are further apart than this had somebody else between them. */
#define OWN_STEP_NS 2000

/* CPU time by looking at the clock: no system call, which would take the run queue's lock. */
static void burn(uint64_t run_ns)
{
	uint64_t used_ns = 0, last_ns = clock_now_ns();

	while (used_ns < run_ns) {
		uint64_t now_ns = clock_now_ns();

		if (now_ns - last_ns < OWN_STEP_NS)
			used_ns += now_ns - last_ns;
		last_ns = now_ns;
	}
}

static void note(struct duty_record *record, uint64_t latency_ns)
{
	if (!record)
		return;
	if (record->n < record->max)
		record->latency_ns[record->n++] = latency_ns;
	else
		record->dropped++;
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec ts = {
	        .tv_sec = (time_t)(at_ns / NSEC_PER_SEC),
	        .tv_nsec = (long)(at_ns % NSEC_PER_SEC),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static void live_periodic(const struct duty *duty, uint64_t end_ns, struct duty_record *record)
{
	uint64_t due_ns = clock_now_ns() + duty->period_ns, now_ns;

	while (due_ns < end_ns) {
		if (clock_now_ns() < due_ns)
			sleep_until(due_ns);
		now_ns = clock_now_ns();
		for (; due_ns <= now_ns; due_ns += duty->period_ns)
			note(record, now_ns - due_ns);
		burn(duty->run_ns);
	}
}

static void live_aperiodic(const struct duty *duty, uint64_t end_ns, struct duty_record *record)
{
	uint64_t due_ns;

	do {
		due_ns = clock_now_ns() + duty->sleep_ns;
		sleep_until(due_ns);
		note(record, clock_now_ns() - due_ns);
		burn(duty->run_ns);
	} while (due_ns < end_ns);
}

void duty_live(const struct duty *duty, uint64_t for_ns, struct duty_record *record)
{
	uint64_t end_ns = clock_now_ns() + for_ns;

	if (duty->period_ns)
		live_periodic(duty, end_ns, record);
	else
		live_aperiodic(duty, end_ns, record);
}
