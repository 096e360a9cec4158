/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The domains the virt thread knows of, and when to look at the threads of each: often while they
 * settle after a change, then at the rescan interval, where an unchanged list of threads ends the
 * look. What differs from the last report is reported.
 */

#include "model/domain.h"
#include "util/base.h"
#include "virt/event_queue.h"
#include "virt/process.h"
#include "virt/vhost.h"

struct known_domain {
	char uuid[DOMAIN_UUID_LEN];
	char name[DOMAIN_NAME_MAX];
	enum domain_source source;
	struct thread_id qemu;    /* DOMAIN_SOURCE_PROCFS: the process it was found as, and... */
	size_t max_vcpus;         /* what that was allowed at first, */
	struct topology topology; /* and was started with */
	bool of_libvirt;          /* libvirt made it all the same, and proves its threads */
	enum domain_state state;
	struct domain_metadata metadata;
	bool ask;            /* libvirt has to be asked about it */
	uint64_t ask_ns;     /* not before */
	uint64_t asked_ns;   /* when it was asked last */
	bool listed;         /* seen by the enumeration that runs */
	unsigned int causes; /* to be reported whether it changed or not */
	struct domain *last; /* as reported; NULL: nothing, or gone */
	unsigned int notes;
	uint64_t mark;      /* of threads_changed() */
	uint64_t look_ns;   /* when its threads are looked at next */
	uint64_t full_ns;   /* when they are scanned even if their list looks the same */
	uint64_t settle_ns; /* when it last began to settle */
	unsigned int step;  /* of settling: doubles the time between looks */
};

struct known_table {
	size_t n;
	struct known_domain *domains[VIRT_DOMAINS_MAX];
};

/** What a look needs. */
struct known_scan {
	const char *run_dir;
	uint64_t rescan_ns;
	struct vhost_table *vhosts;
	struct event_queue *queue;
	const struct process_criteria *criteria; /* for DOMAIN_SOURCE_PROCFS */
};

/** Outcomes: NULL when it is not known. */
struct known_domain *known_find(struct known_table *table, const char *uuid);

/** Finds or adds one. Outcomes: NULL when there is no room or memory. */
struct known_domain *known_get(struct known_table *table, const char *uuid);

/** Forgets and frees one. */
void known_remove(struct known_table *table, struct known_domain *domain);

/** Forgets all. */
void known_clear(struct known_table *table);

/** Begins to look at its threads closely, from now on. */
void known_hint(struct known_domain *domain, uint64_t now_ns);

/** Looks at the threads of a domain whose time has come, reports, and sets when to look next. */
void known_look(struct known_domain *domain, const struct known_scan *scan, uint64_t now_ns);

/** Reports that a domain is gone, if it was ever seen. Returns 0, or -ENOMEM: to be tried again. */
int known_report_gone(struct known_domain *domain, struct event_queue *queue);
