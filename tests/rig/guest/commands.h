/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the commands of the test guest share: answers on the port, arguments, histograms.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/*
 * Latencies above are counted as overflows; the maximum stays exact. cyclictest prints every
 * bucket, and under emulation a million of them would take longer than the measurement.
 */
#define HISTOGRAM_US 50000

struct summary {
	unsigned long cycles; /* all, those above HISTOGRAM_US included */
	unsigned long avg_us, max_us;
	unsigned long counts[HISTOGRAM_US];
};

/** Prints into the answer that answer() then ends with the line. */
void answer_part(const char *format, ...) __attribute__((format(printf, 1, 2)));
void answer(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Answers that WHAT failed. */
void fail(const char *what, int error);

/** The whole word is a decimal number from min to max. */
bool number(const char *word, long min, long max, long *ret);

static inline int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline void sleep_until(int64_t ns)
{
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
	                &(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
}

/** Runs a program to its end; returns its exit code, or -1. Its standard output goes to the file
 * OUTPUT. */
int run(char *const argv[], const char *output);

/** Pins this thread; -1: leaves it. */
void pin(long cpu);

/**
 * From 128 us on, seven bits of a latency are kept, rounded down: the serial port of an emulated
 * guest needs a trap, and some of them a millisecond, for each character.
 */
unsigned long summary_coarse(unsigned long us);

/** Counts one latency. avg_us is the sum until the caller divides it. */
void summary_count(struct summary *summary, int64_t late_ns);

/** Adds those of OTHER. avg_us is the sum in both. */
void summary_merge(struct summary *summary, const struct summary *other);

/** An object without its closing brace: cycles, avg_us, ..., histogram. */
void summary_print(const struct summary *summary);

/* yield.c: CALLS hypercalls that yield to another vCPU, then PERIOD_US of sleep, for so long */
void yield_often(long calls, long period_us, long seconds);

/* membarrier.c */
void do_membarrier(char **words, int n);

/* page.c */
void do_page(char **words, int n);
void do_rt(char **words, int n);

/* audio.c */
void do_audio(char **words, int n);

/* ram.c */
void do_ram(char **words, int n);

/* switches.c */
void do_switches(char **words, int n);

/* io.c */
void do_address(char **words, int n);
void do_fio(char **words, int n);
void do_iperf3(char **words, int n);

/* agent.c */
void do_agent(char **words, int n);
/** Process PID has ended, and was waited for. */
void agent_reaped(pid_t pid);

/* loads.c: returns false if it is no command of it */
bool do_load(char **words, int n);

/* pipeline.c, wakers.c */
void do_pipeline(char **words, int n);
void do_wakers(char **words, int n);
