/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The source of domains: libvirt, on a thread of its own with a read-only connection, and the
 * threads of every QEMU it names. A libvirtd that hangs stops news of domains and nothing else;
 * threads of known domains are still looked after while libvirtd is away, unless a call to it
 * hangs.
 *
 * It never connects while neither libvirtd nor virtqemud runs: on most systems connecting would
 * start one that the administrator has stopped.
 *
 * Threads: every function here is for the thread that made the source, and none of them blocks but
 * virt_source_free(), for VIRT_STOP_NS at most. A whole domain is handed over with its event;
 * nothing is shared.
 */

#include "model/domain.h"
#include "util/base.h"
#include "virt/mapping.h"

struct virt_source;

/** More domains than this are refused, and said so in the log. */
#define VIRT_DOMAINS_MAX 8192

/** How long virt_source_free() waits for the thread before it leaves it behind. */
#define VIRT_STOP_NS (2 * NSEC_PER_SEC)

struct virt_options {
	const char *uri;     /* NULL: made from the daemon that runs */
	const char *run_dir; /* NULL: "/run"; where the daemons' pid files and libvirt/qemu/ are */
	uint64_t rescan_ns;  /* how often all domains' threads are looked at; 0: 500 ms */
	int keepalive_s;     /* of the connection; 3 lost answers end it; 0: 5 s */
};

#define VIRT_OPTIONS_NULL ((struct virt_options){0})

enum virt_event_type {
	VIRT_DOMAIN_SEEN, /* `domain` is what holds now, whether new or known */
	VIRT_DOMAIN_GONE, /* no longer running */
	VIRT_SOURCE_UP,   /* connected; all domains follow */
	VIRT_SOURCE_DOWN, /* `reason`; the domains last seen are still held to run */
};

/** Why a domain is reported, as a set of bits. */
enum virt_cause {
	VIRT_CAUSE_ENUMERATED = 1 << 0, /* found when the connection was made */
	VIRT_CAUSE_LIFECYCLE = 1 << 1,  /* started, paused, resumed, ... */
	VIRT_CAUSE_METADATA = 1 << 2,
	VIRT_CAUSE_DEVICE = 1 << 3,
	VIRT_CAUSE_AGENT = 1 << 4,
	VIRT_CAUSE_TUNABLE = 1 << 5,
	VIRT_CAUSE_REBOOT = 1 << 6,    /* the guest was reset; same threads */
	VIRT_CAUSE_MIGRATION = 1 << 7, /* its memory is being migrated out */
	VIRT_CAUSE_THREADS = 1 << 8,   /* its threads changed */
};

struct virt_event {
	enum virt_event_type type;
	char uuid[DOMAIN_UUID_LEN]; /* "" for source events */
	struct domain *domain;      /* VIRT_DOMAIN_SEEN: the receiver's to free; else NULL */
	unsigned int causes;        /* VIRT_DOMAIN_SEEN: bits of enum virt_cause, never 0 */
	unsigned int notes;         /* VIRT_DOMAIN_SEEN: bits of enum mapping_note */
	char reason[256];           /* VIRT_SOURCE_DOWN: what happened and what is waited for */
};

/**
 * Starts the thread.
 * Returns 0 and *ret, or -errno. That libvirt is not there is no error but news.
 */
int virt_source_new(struct virt_source **ret, const struct virt_options *options);

/**
 * Ends the thread. One that hangs in a call to libvirt is left behind after VIRT_STOP_NS, with the
 * memory it uses. Takes NULL; returns NULL.
 */
struct virt_source *virt_source_free(struct virt_source *source);

/** An fd that is readable while events wait: for EPOLLIN, level triggered. Not to be read or
 * closed. */
int virt_source_fd(const struct virt_source *source);

/**
 * Takes the next event. Of each domain only the latest state is kept: a domain that ended and
 * started again in between is seen with another `qemu`; one that came and went is only gone.
 * Outcomes: false when none waits.
 */
bool virt_source_next(struct virt_source *source, struct virt_event *ret);

/** A hint that threads changed, for one domain or, with NULL, for all (hints were lost). */
void virt_source_rescan(struct virt_source *source, const char *uuid);

/**
 * How it stands, for people. Returns true with "ok" or the like when connected and answering, else
 * false with what is wrong.
 */
bool virt_source_describe(struct virt_source *source, char *text, size_t size);
