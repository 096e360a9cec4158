/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What QEMU's command line says. To read it takes QEMU's mmap_lock, which a hostile QEMU can hold
 * for ever. So a source asks the reader for it, with a time limit, once per process.
 */

#include "model/domain.h"
#include "model/topology.h"
#include "util/base.h"
#include "util/thread_id.h"
#include "virt/qemu_args.h"

/** All of it is a claim. It has no pointers, so it can be sent to another process. */
struct cmdline_facts {
	char uuid_option[DOMAIN_UUID_LEN]; /* what follows the first "-uuid"; "": none that fits */
	struct qemu_args args;
	struct topology topology;
};

/**
 * Reads it, for as long as QEMU likes.
 * Returns 0 and *ret; -ESRCH when the process is gone; -ENOMEM; -errno.
 */
int cmdline_read(const struct thread_id *qemu, struct cmdline_facts *ret);

/** The same from bytes. */
void cmdline_parse(const char *cmdline, size_t size, struct cmdline_facts *ret);

/** How a source gets it. */
struct cmdline_reader {
	/**
	 * Returns like cmdline_read(), but within a time limit; -ETIMEDOUT: it was reached; -EBUSY:
	 * too many others hang; -EAGAIN: nothing could be asked now.
	 */
	int (*read)(void *userdata, const struct thread_id *qemu, struct cmdline_facts *ret);
	void *userdata;
};

/** What one source has read, for its thread alone. Zeroed, but for @reader: nothing yet. */
struct cmdline_cache {
	struct cmdline_reader reader; /* no function: cmdline_read() itself, for tests */
	size_t n, room;
	struct cmdline_entry *entries;
};

/**
 * Gets a process's facts. What cmdline_keep() has kept is not read again; nor is what hung once,
 * while the process lives.
 * Returns like cmdline_reader::read().
 */
int cmdline_get(struct cmdline_cache *cache, const struct thread_id *qemu,
                struct cmdline_facts *ret);

/** Keeps facts that belong to a QEMU. A process that is about to execute one has others. */
void cmdline_keep(struct cmdline_cache *cache, const struct thread_id *qemu,
                  const struct cmdline_facts *facts);

/** Drops what is kept of a process: it may have executed another QEMU. */
void cmdline_forget(struct cmdline_cache *cache, const struct thread_id *qemu);

/** How many living processes hung. */
size_t cmdline_stuck(const struct cmdline_cache *cache);

/** Frees what it has. */
void cmdline_cache_clear(struct cmdline_cache *cache);
