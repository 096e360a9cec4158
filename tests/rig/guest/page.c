/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The guest page, through libpvsched:
 *
 *   page [CPU]    what the library sees, for CPU 0 or another one; says hello for it: {"ok":true,
 *                 "device":true,"state":"enabled","generation":N,"page_count":N,...}; without a
 * host
 *                 {"ok":true,...,"state":"no-host",...} with zeros
 *   rt INTERVAL_US LOOPS SECONDS ASK WORK_US [CPU]
 *                 a SCHED_FIFO task on CPU 0 or another one, which wakes up each INTERVAL_US and
 *                 works for WORK_US. ASK 1: it is urgent from its wake-up to its sleep, and says
 *                 when it will be again; 2: only says hello and reads; 0: leaves the page alone.
 *                 # start, # end, the figures of cyclictest, "before" and "after": the answers of
 *                 "page", null with ASK 0
 */

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "commands.h"
#include "pvsched/pvsched.h"

#define RT_PRIORITY 80

enum ask {
	ASK_NOTHING = 0,
	ASK_FULLY = 1,
	ASK_HELLO = 2,
};

struct rt {
	long interval_us, loops, seconds, ask, work_us, cpu;
};

static void report_print(const struct pvsched_report *report)
{
	answer_part("\"device\":%s,\"state\":\"%s\",\"generation\":%llu,\"page_count\":%u,"
	            "\"page\":%u,\"cpu\":%u,\"apic_id\":%u,\"host_abi_version\":%u,",
	            report->state == PVSCHED_STATE_NO_DEVICE ? "false" : "true",
	            pvsched_state_name(report->state), (unsigned long long)report->generation,
	            report->page_count, report->page, report->cpu, report->apic_id,
	            report->host_abi_version);
	answer_part("\"boosted\":%s,\"throttled\":%u,\"host_cpu\":%u,\"run_delay_ns\":%llu,"
	            "\"boosted_ns\":%llu,\"boosts\":%llu,\"throttles\":%llu,\"published_ns\":%llu",
	            report->boosted ? "true" : "false", report->throttled, report->host_cpu,
	            (unsigned long long)report->run_delay_ns,
	            (unsigned long long)report->boosted_ns, (unsigned long long)report->boosts,
	            (unsigned long long)report->throttles,
	            (unsigned long long)report->published_ns);
}

void do_page(char **words, int n)
{
	struct pvsched *host = NULL;
	struct pvsched_report report;
	long cpu = 0;
	int r;

	if (n > 2 || (n == 2 && !number(words[1], 0, 1023, &cpu))) {
		fail("page [CPU]", EINVAL);
		return;
	}
	r = pvsched_open(NULL, &host);
	if (r < 0) {
		fail("pvsched_open", -r);
		return;
	}
	pvsched_query(host, (uint32_t)cpu, &report);
	answer_part("{\"ok\":true,");
	report_print(&report);
	answer("}");
	pvsched_close(host);
}

/* Until the host answered the hello, or there is none: it looks ten times a second. */
static void negotiate(struct pvsched *host, long cpu, struct pvsched_report *report)
{
	int64_t end = now_ns() + 1000000000;

	do {
		pvsched_query(host, (uint32_t)cpu, report);
	} while (report->state == PVSCHED_STATE_WAITING && now_ns() < end);
}

static void rt_loop(const struct rt *rt, struct pvsched *host, struct summary *summary)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	int64_t interval = rt->interval_us * 1000, now = now_ns(), next = now;
	int64_t end = now + rt->seconds * 1000000000;

	while (now < end && summary->cycles < (unsigned long)rt->loops) {
		int64_t left;

		next += interval;
		while (next <= now) /* late: periods that are over are not made up for */
			next += interval;
		left = (next - now) / 1000;
		if (rt->ask == ASK_FULLY)
			pvsched_lease_release(host, &lease, left > 0 ? (uint32_t)left : 1);
		sleep_until(next);
		now = now_ns();
		if (rt->ask == ASK_FULLY)
			pvsched_lease_request(host, &lease, SCHED_FIFO, RT_PRIORITY);
		summary_count(summary, now - next);
		for (int64_t until = now + rt->work_us * 1000; now < until;)
			now = now_ns();
	}
	pvsched_lease_release(host, &lease, 0);
	if (summary->cycles)
		summary->avg_us /= summary->cycles;
}

/* The loop, in the class and on the CPU that it needs; 0 or -errno. */
static int rt_run(const struct rt *rt, struct pvsched *host, struct summary *summary)
{
	cpu_set_t all;
	int r = 0;

	memset(summary, 0, sizeof(*summary));
	sched_getaffinity(0, sizeof(all), &all);
	pin(rt->cpu);
	mlockall(MCL_CURRENT);
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){RT_PRIORITY}) < 0) {
		r = -errno;
	} else {
		rt_loop(rt, host, summary);
		sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
	}
	munlockall();
	sched_setaffinity(0, sizeof(all), &all);
	return r;
}

static bool rt_arguments(char **words, int n, struct rt *rt)
{
	rt->cpu = 0;
	return (n == 6 || n == 7) && number(words[1], 50, 1000000, &rt->interval_us) &&
	       number(words[2], 1, 1000000000, &rt->loops) &&
	       number(words[3], 1, 3600, &rt->seconds) &&
	       number(words[4], ASK_NOTHING, ASK_HELLO, &rt->ask) &&
	       number(words[5], 0, 1000000, &rt->work_us) &&
	       (n == 6 || number(words[6], 0, 255, &rt->cpu));
}

static void rt_answer(const struct rt *rt, const struct summary *summary,
                      const struct pvsched_report *before, const struct pvsched_report *after)
{
	summary_print(summary);
	answer_part(",\"ask\":%ld", rt->ask);
	if (rt->ask == ASK_NOTHING) {
		answer(",\"before\":null,\"after\":null}");
		return;
	}
	answer_part(",\"before\":{");
	report_print(before);
	answer_part("},\"after\":{");
	report_print(after);
	answer("}}");
}

void do_rt(char **words, int n)
{
	static struct summary summary;
	struct pvsched_report before, after;
	struct pvsched *host = NULL;
	struct rt rt;
	int r;

	if (!rt_arguments(words, n, &rt)) {
		fail("rt INTERVAL_US LOOPS SECONDS ASK WORK_US [CPU]", EINVAL);
		return;
	}
	r = rt.ask == ASK_NOTHING ? 0 : pvsched_open(NULL, &host);
	if (r < 0) {
		fail("pvsched_open", -r);
		return;
	}
	if (rt.ask != ASK_NOTHING)
		negotiate(host, rt.cpu, &before);
	answer("# start");
	r = rt_run(&rt, host, &summary);
	answer("# end");
	if (rt.ask != ASK_NOTHING)
		pvsched_query(host, (uint32_t)rt.cpu, &after);
	if (r < 0)
		fail("rt", -r);
	else
		rt_answer(&rt, &summary, &before, &after);
	pvsched_close(host);
}
