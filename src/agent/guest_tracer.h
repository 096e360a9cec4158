/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guest's tracer, bpf/guest.bpf.c: loaded once, attached while a host uses the pages. What this
 * kernel does not have is left out and named.
 */

#include "core/intent.h"
#include "util/base.h"

/** What the hints come from. A kernel may lack each but the first. */
enum guest_source {
	GUEST_SOURCE_SWITCHES,   /* sched_switch: what runs */
	GUEST_SOURCE_WAKEUPS,    /* sched_waking, sched_migrate_task: what will run next */
	GUEST_SOURCE_RENEWAL,    /* local_timer_entry: a sign of life of a task that goes on */
	GUEST_SOURCE_INTERRUPTS, /* irq_handler_entry, _exit: of devices */
	GUEST_SOURCE_SOFTIRQS,   /* softirq_entry, _exit */
	GUEST_SOURCE_VECTORS,    /* irq_vectors of x86: timer, calls of other CPUs, irq_work */
	_GUEST_SOURCE_MAX,
};

#define GUEST_SOURCES_OF_TASKS                                                                     \
	((1U << GUEST_SOURCE_SWITCHES) | (1U << GUEST_SOURCE_WAKEUPS) |                            \
	 (1U << GUEST_SOURCE_RENEWAL))
#define GUEST_SOURCES_OF_INTERRUPTS                                                                \
	((1U << GUEST_SOURCE_INTERRUPTS) | (1U << GUEST_SOURCE_SOFTIRQS) |                         \
	 (1U << GUEST_SOURCE_VECTORS))

struct guest_tracer;

/** Name of a source, for people and for JSON: "switches". */
const char *guest_source_name(enum guest_source source);

/**
 * Loads a tracer for @n_cpus pages with those of @wanted (bits of enum guest_source) that this
 * kernel has. Nothing is attached yet, and all words are 0.
 * Returns 0 and *ret; -errno and a sentence in @why.
 */
int guest_tracer_new(struct guest_tracer **ret, uint32_t n_cpus, uint32_t wanted, char *why,
                     size_t why_size);

/** The same with another object: tests have some of other compilers. */
struct guest_bpf;
int guest_tracer_new_from(struct guest_tracer **ret, struct guest_bpf *(*open)(void),
                          uint32_t n_cpus, uint32_t wanted, char *why, size_t why_size);

/** Detaches and frees; the pages are gone then. Takes NULL; returns NULL. */
struct guest_tracer *guest_tracer_free(struct guest_tracer *tracer);

/**
 * From now on the words are kept up to date; until the first switch of a CPU its word is
 * PVS_INTENT_UNSEEN. Returns 0, also if it was attached; -errno.
 */
int guest_tracer_attach(struct guest_tracer *tracer);

/** Nothing is traced any more, and nothing costs. The words are 0 then. */
void guest_tracer_detach(struct guest_tracer *tracer);

bool guest_tracer_is_attached(const struct guest_tracer *tracer);

/** The pages, one for each CPU; guest RAM that stays where it is. */
struct pvsched_page *guest_tracer_pages(const struct guest_tracer *tracer);

uint32_t guest_tracer_n_pages(const struct guest_tracer *tracer);

/** The sources that work: bits of enum guest_source. */
uint32_t guest_tracer_sources(const struct guest_tracer *tracer);

/** What the words cannot say, for the hello: PVSCHED_CS_*. */
uint64_t guest_tracer_unavailable(const struct guest_tracer *tracer);

/** How often CPUs changed their words, with their timers' interrupts. */
uint64_t guest_tracer_hints(const struct guest_tracer *tracer);
