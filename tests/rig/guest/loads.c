/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Loads of several tasks, which wait for each other:
 *
 *   hackbench GROUPS LOOPS [SECONDS]    # start, # end, {"ok":true,"us":N,"runs":N}: how long it
 *                                       took; with SECONDS again and again, until they are over
 *   dbench CLIENTS SECONDS              # start, # end, {"ok":true,"mb_per_s":X}, on tmpfs, in the
 *                                       image that has it (guest-image --loads)
 *   pipeline, wakers                    see pipeline.c, wakers.c
 *   interrupts                          {"ok":true,"ipis":N}: how many interrupts the CPUs got from
 *                                       each other, since the guest runs
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

#define DBENCH_OUTPUT "/tmp/dbench.out"
#define DBENCH_FILES  "/tmp/dbench"

static void do_hackbench(char **words, int n)
{
	char *argv[] = {"/usr/bin/hackbench", "-g", words[1], "-l", words[2], NULL};
	long groups, loops, seconds = 0, runs = 0;
	int64_t begin;
	int code;

	if (n < 3 || n > 4 || !number(words[1], 1, 100, &groups) ||
	    !number(words[2], 1, 1000000, &loops) ||
	    (n == 4 && !number(words[3], 1, 3600, &seconds))) {
		fail("hackbench GROUPS LOOPS [SECONDS]", EINVAL);
		return;
	}
	answer("# start");
	begin = now_ns();
	do {
		code = run(argv, "/dev/null");
		runs++;
	} while (!code && now_ns() - begin < seconds * 1000000000LL);
	answer("# end");
	if (code)
		answer("{\"ok\":false,\"error\":\"hackbench ended with %d\"}", code);
	else
		answer("{\"ok\":true,\"us\":%ld,\"runs\":%ld}", (long)((now_ns() - begin) / 1000),
		       runs);
}

/* Its last line but for the files that it removes. */
static bool throughput_read(double *ret)
{
	FILE *file = fopen(DBENCH_OUTPUT, "re");
	bool found = false;
	char line[256];

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		found |= sscanf(line, "Throughput %lf MB/sec", ret) == 1;
	fclose(file);
	return found;
}

static void do_dbench(char **words, int n)
{
	char *make[] = {"/bin/busybox", "mkdir", "-p", DBENCH_FILES, NULL};
	char *remove[] = {"/bin/busybox", "rm", "-rf", DBENCH_FILES, NULL};
	long clients, seconds;
	double mb_per_s;
	int code;

	if (n != 3 || !number(words[1], 1, 64, &clients) || !number(words[2], 1, 3600, &seconds)) {
		fail("dbench CLIENTS SECONDS", EINVAL);
		return;
	}
	run(make, "/dev/null");
	answer("# start");
	code = run((char *const[]){"/usr/bin/dbench", "-D", DBENCH_FILES, "-c",
	                           "/usr/share/dbench/client.txt", "-t", words[2], words[1], NULL},
	           DBENCH_OUTPUT);
	answer("# end");
	run(remove, "/dev/null");
	if (code || !throughput_read(&mb_per_s))
		answer("{\"ok\":false,\"error\":\"dbench ended with %d\"}", code);
	else
		answer("{\"ok\":true,\"mb_per_s\":%.4f}", mb_per_s);
}

/* "RES:   12   34   Rescheduling interrupts": the sum of its numbers. */
static unsigned long line_sum(const char *numbers)
{
	unsigned long sum = 0, value;
	char *end;

	for (;; numbers = end) {
		value = strtoul(numbers, &end, 10);
		if (end == numbers)
			return sum;
		sum += value;
	}
}

static void do_interrupts(void)
{
	static const char *const names[] = {"RES:", "CAL:"}; /* those of TLBs are among the calls */
	FILE *file = fopen("/proc/interrupts", "re");
	unsigned long sum = 0;
	char line[8192];

	if (!file) {
		fail("/proc/interrupts", errno);
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		const char *name = line + strspn(line, " ");

		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (!strncmp(name, names[i], strlen(names[i])))
				sum += line_sum(name + strlen(names[i]));
	}
	fclose(file);
	answer("{\"ok\":true,\"ipis\":%lu}", sum);
}

bool do_load(char **words, int n)
{
	if (!strcmp(words[0], "hackbench"))
		do_hackbench(words, n);
	else if (!strcmp(words[0], "dbench"))
		do_dbench(words, n);
	else if (!strcmp(words[0], "pipeline"))
		do_pipeline(words, n);
	else if (!strcmp(words[0], "wakers"))
		do_wakers(words, n);
	else if (!strcmp(words[0], "interrupts"))
		do_interrupts();
	else
		return false;
	return true;
}
