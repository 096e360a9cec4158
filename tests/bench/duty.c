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

/* As libpvsched does it: the expectation first, then the request of the same number. */
static void say(struct pvsched_page *page, bool urgent, uint64_t again_ns)
{
	uint32_t sequence;
	uint64_t tuple;

	if (!page)
		return;
	sequence = pvsched_request_sequence(page->request) + 1;
	tuple = urgent ? pvsched_tuple(PVSCHED_POLICY_FIFO, 0, 80)
	               : pvsched_tuple(PVSCHED_POLICY_NORMAL, 0, 0);
	if (again_ns)
		__atomic_store_n(&page->written_ns, clock_now_ns(), __ATOMIC_RELAXED);
	__atomic_store_n(&page->expect,
	                 pvsched_expect((uint32_t)(again_ns / NSEC_PER_USEC), sequence),
	                 __ATOMIC_RELAXED);
	__atomic_store_n(&page->request, pvsched_request(tuple, sequence), __ATOMIC_RELEASE);
}

/* Ordinary work until it is done or a burst is due; returns what is left of it. */
static uint64_t burn_ordinary(uint64_t left_ns, uint64_t due_ns)
{
	uint64_t last_ns = clock_now_ns(), now_ns = last_ns;

	while (left_ns > 0 && now_ns < due_ns) {
		now_ns = clock_now_ns();
		if (now_ns - last_ns < OWN_STEP_NS)
			left_ns -= MIN(left_ns, now_ns - last_ns);
		last_ns = now_ns;
	}
	return left_ns;
}

static uint64_t first_due(const struct duty *duty)
{
	uint64_t now_ns = clock_now_ns(), origin_ns = duty->origin_ns ?: now_ns;

	return origin_ns +
	       ((now_ns - MIN(origin_ns, now_ns)) / duty->period_ns + 1) * duty->period_ns;
}

static void live_periodic(const struct duty *duty, uint64_t end_ns, struct duty_record *record)
{
	uint64_t due_ns = first_due(duty), now_ns, left_ns = 0;
	/* in the middle between two bursts */
	uint64_t ordinary_ns = duty->ordinary_ns ? due_ns + duty->period_ns / 2 : NSEC_NEVER;

	while (due_ns < end_ns) {
		now_ns = clock_now_ns();
		if (now_ns < due_ns && now_ns < ordinary_ns && left_ns == 0) {
			sleep_until(MIN(due_ns, ordinary_ns));
			now_ns = clock_now_ns();
		}
		if (now_ns >= due_ns) {
			say(duty->page, true, 0);
			for (; due_ns <= now_ns; due_ns += duty->period_ns)
				note(record, now_ns - due_ns);
			burn(duty->run_ns);
			now_ns = clock_now_ns();
			say(duty->page, false, due_ns > now_ns ? due_ns - now_ns : NSEC_PER_USEC);
			continue;
		}
		for (; ordinary_ns <= now_ns; ordinary_ns += duty->ordinary_period_ns)
			left_ns += duty->ordinary_ns;
		left_ns = burn_ordinary(left_ns, due_ns);
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
