/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What bench-timer and its BPF program share. */

/** What is done at each switch to the thread that answers. */
enum timer_mode {
	TIMER_NONE,  /* nothing: what the instrument itself costs */
	TIMER_START, /* a timer is started, as the tracer does */
	_TIMER_MODES,
};

/* Buckets of 10 ns for what a start takes, of 1 us for how late its timer fires; the last holds the
 * rest. */
#define TIMER_BUCKETS 4096

/* The value of a map, behind what is the kernel's: see timer.bpf.c. */
struct timer_figures {
	unsigned long long starts;
	unsigned long long refused;
	unsigned int took[TIMER_BUCKETS];
	unsigned int late[TIMER_BUCKETS];
};

#define TIMER_FIGURES_OFFSET 32
