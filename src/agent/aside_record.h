/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What stepping aside has changed in this machine, and what was there before. The record is a file
 * in /run, complete before anything is changed, so that whatever ends the agent, the next one or
 * `pvsched-agent aside none` gives everything back. It is text: a line for each entry, with lists
 * of CPUs, "-" for an empty one.
 */

#include "util/base.h"
#include "util/cpulist.h"
#include "util/thread_id.h"

#define ASIDE_NAME_MAX    128
#define ASIDE_ENTRIES_MAX 16384
#define ASIDE_RECORD_MAX  (4 * 1024 * 1024) /* bytes of the file */

enum aside_kind {
	ASIDE_SLICE,      /* AllowedCPUs of a unit of systemd */
	ASIDE_TASK,       /* a task's own affinity, where the kernel does not keep it */
	ASIDE_KTHREAD,    /* a thread of the kernel, which is in no unit */
	ASIDE_IRQ,        /* where an interrupt may go; "default": those that come */
	ASIDE_WORKQUEUE,  /* where unbound work of the kernel runs */
	ASIDE_IRQBALANCE, /* the CPUs that irqbalance leaves alone */
	ASIDE_KERNEL,     /* the kernel's own list of CPUs to avoid */
	_ASIDE_KIND_MAX,
};

struct aside_entry {
	enum aside_kind kind;
	bool gone; /* it cannot be moved, or there is nothing to give back: not stored */
	char name[ASIDE_NAME_MAX];
	struct thread_id thread; /* of ASIDE_TASK and ASIDE_KTHREAD */
	struct cpu_set_bits prior, ours;
};

struct aside_record {
	struct cpu_set_bits avoided;
	bool changing; /* it is not known how many of the entries are as @ours says */
	size_t n, room;
	struct aside_entry *entries;
};

void aside_record_free(struct aside_record *record);

/** Takes text that need not be zero terminated. Returns 0; -EBADMSG, -ENOMEM: *ret is empty. */
int aside_record_parse(const char *text, size_t size, struct aside_record *ret);

/** Reads the file; there may be none. Returns 0, or -errno as above. */
int aside_record_load(const char *path, struct aside_record *ret);

/** Writes the file, without what is gone; removes it if nothing is left. Returns 0, or -errno. */
int aside_record_store(const char *path, const struct aside_record *record);

/** The entry of that name, which a new record of a task has none of; NULL. */
struct aside_entry *aside_record_find(const struct aside_record *record, enum aside_kind kind,
                                      const char *name);

/** The entry of that task; NULL. */
struct aside_entry *aside_record_task(const struct aside_record *record,
                                      const struct thread_id *thread);

/**
 * Adds an entry, which holds until the next one is added. Returns NULL without memory, or if there
 * are ASIDE_ENTRIES_MAX.
 */
struct aside_entry *aside_record_add(struct aside_record *record, enum aside_kind kind,
                                     const char *name);

/** *set without those in @without, and those in both. */
void aside_set_remove(struct cpu_set_bits *set, const struct cpu_set_bits *without);
void aside_set_keep(struct cpu_set_bits *set, const struct cpu_set_bits *with);
