/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Judges what the simulated machine did. It knows neither the policy nor the buckets. It knows only
 * which thread ran where, from when to when, in which class, and the promised figures.
 *
 * A cap of share s and burst b holds if, in *every* window W, the boosted time is at most s * W +
 * b. This is checked exactly and cheaply by a walk through the sorted run intervals. A level rises
 * by the boosted time and falls by s per time, never below 0. At each moment it is the largest
 * excess of any window that ends there. Its maximum is the largest excess of all.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One stretch of a thread on a CPU in one class. */
struct run_interval {
	uint32_t cpu;
	uint32_t thread;
	int32_t vcpu;   /* -1: not a vCPU */
	int32_t domain; /* -1: none */
	uint64_t from_ns;
	uint64_t to_ns;
	uint64_t ready_ns; /* since when it could have run; 0: it ran already (the class changed) */
	bool boosted;      /* it has a real-time class */
	bool ours;         /* and from pvschedd */
	bool woken;        /* the first one after a sleep */
};

enum checker_key {
	CHECKER_VCPU,
	CHECKER_DOMAIN,
	CHECKER_CPU, /* here all threads count, vCPU or not */
};

/** The largest excess over @share_permille of any window, in ns; by vCPU, domain or host CPU. */
uint64_t checker_excess_ns(const struct run_interval *runs, size_t n, enum checker_key key,
                           uint32_t number, uint32_t share_permille);

/** What a CPU ran with a real-time class, all threads of it, while a boost of ours ran there. */
struct checker_second {
	/*
	 * In ns, the most in any second that ends in a boost of ours that may be judged: it has run
	 * for longer than a reaction takes. What others take while none of ours runs is not ours to
	 * end.
	 */
	uint64_t most_ns;
	/*
	 * In ns, the most in any whole second that boosts of ours ran for no longer than a
	 * reaction, each at the end of a second that was used up. A vCPU that was armed before that
	 * runs so when it wakes.
	 */
	uint64_t late_ns;
};

/** @limit_ns: with more than that a second is used up. */
struct checker_second checker_second(const struct run_interval *runs, size_t n, uint32_t cpu,
                                     uint64_t limit_ns, uint64_t reaction_ns);

/**
 * Of a vCPU's wake-ups between two times, the permille that ran boosted from the first moment; -1:
 * it never woke.
 */
int checker_served_permille(const struct run_interval *runs, size_t n, int32_t vcpu,
                            uint64_t from_ns, uint64_t until_ns);

/** The longest time that any thread was ready and did not run, in ns. */
uint64_t checker_longest_wait_ns(const struct run_interval *runs, size_t n);

/**
 * The longest wait of a thread, until it ran next, while vCPUs of its domain ran boosted on the CPU
 * that it then ran on, in ns.
 */
uint64_t checker_longest_behind_ns(const struct run_interval *runs, size_t n, uint32_t thread);

/** Boosted time of all vCPUs, in permille of the wall time of all CPUs. */
uint32_t checker_boosted_permille(const struct run_interval *runs, size_t n, uint32_t n_cpus,
                                  uint64_t lasted_ns);

/**
 * Returns NULL if the record makes sense: no thread is in two places at once, no CPU is used twice.
 * Else says what is wrong.
 */
const char *checker_nonsense(const struct run_interval *runs, size_t n, uint32_t n_cpus,
                             uint32_t n_threads);
