/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The domains that a source knows, and the times of the looks at their threads. Looks are frequent
 * while threads settle after a change, then at the rescan interval. An unchanged list of threads
 * ends a look. Differences from the last report are reported.
 */

#include "model/domain.h"
#include "util/base.h"
#include "util/duty.h"
#include "virt/cmdline.h"
#include "virt/event_queue.h"
#include "virt/process.h"
#include "virt/vhost.h"

struct known_domain {
	char uuid[DOMAIN_UUID_LEN];
	enum domain_uuid_kind uuid_kind;
	char name[DOMAIN_NAME_MAX];
	struct domain_labels labels;
	uint64_t labels_ns; /* when they were last read; 0: never */
	enum domain_source source;
	struct thread_id qemu;    /* DOMAIN_SOURCE_PROCFS: the process of the domain */
	size_t max_vcpus;         /* of that source: vCPUs that the command line allowed at first */
	struct topology topology; /* of that source: from the command line */
	struct domain_cids cids;  /* likewise */
	bool names_threads;       /* of that source: it was asked to */
	bool of_libvirt; /* of that source: libvirt started it, and its files prove the threads */
	bool had_vcpus;  /* in a report */
	bool renewed;    /* of that source: all its vCPUs are new threads; it is not reported until
	                    its owner has looked whether another QEMU was executed */
	enum domain_state state;
	struct domain_metadata metadata;
	bool ask;            /* libvirt must be asked about it */
	uint64_t ask_ns;     /* but not before this time */
	uint64_t asked_ns;   /* when libvirt was last asked */
	bool listed;         /* seen by the enumeration in progress */
	unsigned int causes; /* to report even if nothing changed */
	struct domain *last; /* as last reported; NULL: never, or gone */
	uint64_t unfound_ns; /* since when its QEMU is not found; 0: it is, or was not looked for */
	unsigned int notes;
	uint64_t mark;      /* of threads_changed() */
	uint64_t look_ns;   /* the next look at its threads */
	uint64_t full_ns;   /* when they are scanned even if their list looks the same */
	uint64_t settle_ns; /* when it last began to settle */
	unsigned int step;  /* of settling: doubles the time between looks */
	struct duty duty;   /* of looks for hints, which its process can cause at any rate */
	bool hinted;        /* the next look is for a hint */
};

struct known_table {
	size_t n;
	struct known_domain *domains[VIRT_DOMAINS_MAX];
};

/** Parameters of a look. */
struct known_scan {
	const char *run_dir;
	uint64_t rescan_ns;
	struct vhost_table *vhosts;
	struct event_queue *queue;
	struct cmdline_cache *cmdlines;
	const struct process_criteria *criteria; /* for DOMAIN_SOURCE_PROCFS */
};

/** Returns NULL if it is not known. */
struct known_domain *known_find(struct known_table *table, const char *uuid);

/** Finds or adds a domain. Returns NULL when there is no room or memory. */
struct known_domain *known_get(struct known_table *table, const char *uuid);

/** Forgets and frees a domain. */
void known_remove(struct known_table *table, struct known_domain *domain);

/** Forgets all domains. */
void known_clear(struct known_table *table);

/** Starts frequent looks at its threads, the first at @now_ns. */
void known_hint(struct known_domain *domain, uint64_t now_ns);

/** Looks at it once, at @now_ns: hints were lost, maybe one about it. */
void known_glance(struct known_domain *domain, uint64_t now_ns);

/** Looks at a domain's threads, reports changes, and plans the next look. */
void known_look(struct known_domain *domain, const struct known_scan *scan, uint64_t now_ns);

/** Reports that a domain is gone, if it was ever seen. Returns 0, or -ENOMEM: call again later. */
int known_report_gone(struct known_domain *domain, struct event_queue *queue);
