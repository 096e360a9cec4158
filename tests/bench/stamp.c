// SPDX-License-Identifier: GPL-2.0-or-later
#include "stamp.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"

static uint64_t cpu_time_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* What the whole machine did not idle, in steps of a clock tick. */
static uint64_t busy_ns(void)
{
	unsigned long long user, nice, system, idle, iowait, irq, softirq;
	CLEANUP(cleanup_file) FILE *file = fopen("/proc/stat", "re");

	if (!file || fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system,
	                    &idle, &iowait, &irq, &softirq) != 7)
		return 0;
	return (user + nice + system + irq + softirq) *
	       (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

void stamp_take(const struct spinners *spinners, struct stamp *ret)
{
	*ret = (struct stamp){.busy_ns = busy_ns()};
	for (size_t i = 0; i < spinners->n; i++)
		ret->load_ns += cpu_time_ns(spinners->pids[i]);
	ret->victim_ns = cpu_time_ns(0);
	ret->bench_ns = cpu_time_ns(getppid());
	ret->at_ns = clock_now_ns();
}

void stamp_print(const struct stamp *begin, const struct stamp *end)
{
	double wall_ns = (double)(end->at_ns - begin->at_ns);
	double load = (double)(end->load_ns - begin->load_ns) / wall_ns * 1000;
	double self = (double)(end->victim_ns - begin->victim_ns) / wall_ns * 1000;
	double bench = (double)(end->bench_ns - begin->bench_ns) / wall_ns * 1000;
	double busy = (double)(end->busy_ns - begin->busy_ns) / wall_ns * 1000;

	printf("\"wall_ms\":%.1f,\"load_permille\":%.2f,\"victim_permille\":%.2f,"
	       "\"daemon_permille\":%.2f,\"foreign_permille\":%.1f",
	       wall_ns / 1e6, load, self, bench, MAX(0.0, busy - load - self - bench));
}
