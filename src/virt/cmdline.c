/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/cmdline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "util/procfs.h"

/** Entries, above which those of processes that are gone are looked for. */
#define SWEEP_FROM 64

struct cmdline_entry {
	struct thread_id qemu;
	bool stuck; /* reading it hung: there are no facts */
	struct cmdline_facts facts;
};

static void find_uuid_option(const char *cmdline, size_t size, char ret[static DOMAIN_UUID_LEN])
{
	const char *at = cmdline, *end = cmdline + size, *argument;

	while ((argument = procfs_next_argument(&at, end))) {
		if (strcmp(argument, "-uuid") != 0)
			continue;
		argument = procfs_next_argument(&at, end);
		if (argument && strlen(argument) < DOMAIN_UUID_LEN)
			strcpy(ret, argument);
		return;
	}
}

void cmdline_parse(const char *cmdline, size_t size, struct cmdline_facts *ret)
{
	memset(ret, 0, sizeof(*ret));
	find_uuid_option(cmdline, size, ret->uuid_option);
	qemu_args_parse(cmdline, size, &ret->args);
	ret->topology = topology_of_cmdline(cmdline, size);
	if (size < PROCFS_CMDLINE_MAX)
		return;
	/* what was cut may say something else of the vCPUs */
	ret->topology = TOPOLOGY_FLAT;
	ret->args.max_vcpus = DOMAIN_VCPUS_MAX;
}

int cmdline_read(const struct thread_id *qemu, struct cmdline_facts *ret)
{
	CLEANUP(cleanup_free) char *cmdline = malloc(PROCFS_CMDLINE_MAX);
	ssize_t size;

	if (!cmdline)
		return -ENOMEM;
	if (!thread_id_is_current(qemu))
		return -ESRCH;
	size = procfs_cmdline(qemu->tid, cmdline, PROCFS_CMDLINE_MAX);
	if (size < 0)
		return size == -ENOENT ? -ESRCH : (int)size;
	if (!thread_id_is_current(qemu))
		return -ESRCH; /* it may be another process's */
	cmdline_parse(cmdline, (size_t)size, ret);
	return 0;
}

/* ---- the cache ---- */

static struct cmdline_entry *find(const struct cmdline_cache *cache, const struct thread_id *qemu)
{
	for (size_t i = 0; i < cache->n; i++)
		if (thread_id_equal(&cache->entries[i].qemu, qemu))
			return &cache->entries[i];
	return NULL;
}

static void sweep(struct cmdline_cache *cache)
{
	size_t n = 0;

	for (size_t i = 0; i < cache->n; i++)
		if (thread_id_is_current(&cache->entries[i].qemu))
			cache->entries[n++] = cache->entries[i];
	cache->n = n;
}

/* NULL: no memory. Then it is read again. */
static struct cmdline_entry *add(struct cmdline_cache *cache, const struct thread_id *qemu)
{
	struct cmdline_entry *entries;
	size_t room;

	if (cache->n == cache->room && cache->n >= SWEEP_FROM)
		sweep(cache);
	if (cache->n == cache->room) {
		room = MAX(2 * cache->room, (size_t)SWEEP_FROM);
		entries = reallocarray(cache->entries, room, sizeof(*entries));
		if (!entries)
			return NULL;
		cache->entries = entries;
		cache->room = room;
	}
	cache->entries[cache->n] = (struct cmdline_entry){.qemu = *qemu};
	return &cache->entries[cache->n++];
}

static void note_stuck(struct cmdline_cache *cache, const struct thread_id *qemu)
{
	struct cmdline_entry *entry = add(cache, qemu);

	if (entry)
		entry->stuck = true;
	log_outside(LOG_WARNING,
	            "process %d: its command line could not be read within 2 s, so its domain is "
	            "left out while it lives; others are not affected. If it is not held up by a "
	            "debugger or by storage that hangs, it may be compromised",
	            qemu->tid);
}

int cmdline_get(struct cmdline_cache *cache, const struct thread_id *qemu,
                struct cmdline_facts *ret)
{
	const struct cmdline_entry *entry = find(cache, qemu);
	int r;

	if (entry && entry->stuck)
		return -ETIMEDOUT;
	if (entry) {
		*ret = entry->facts;
		return 0;
	}
	if (!cache->reader.read)
		return cmdline_read(qemu, ret);
	r = cache->reader.read(cache->reader.userdata, qemu, ret);
	if (r == -ETIMEDOUT)
		note_stuck(cache, qemu);
	return r;
}

void cmdline_keep(struct cmdline_cache *cache, const struct thread_id *qemu,
                  const struct cmdline_facts *facts)
{
	struct cmdline_entry *entry = find(cache, qemu);

	if (!entry)
		entry = add(cache, qemu);
	if (entry)
		entry->facts = *facts;
}

void cmdline_forget(struct cmdline_cache *cache, const struct thread_id *qemu)
{
	struct cmdline_entry *entry = find(cache, qemu);

	if (entry && !entry->stuck)
		*entry = cache->entries[--cache->n];
}

size_t cmdline_stuck(const struct cmdline_cache *cache)
{
	size_t n = 0;

	for (size_t i = 0; i < cache->n; i++)
		n += cache->entries[i].stuck && thread_id_is_current(&cache->entries[i].qemu);
	return n;
}

void cmdline_cache_clear(struct cmdline_cache *cache)
{
	free(cache->entries);
	cache->entries = NULL;
	cache->n = cache->room = 0;
}
