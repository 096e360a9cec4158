/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What a source of domains reports, and the bounds that all sources share. */

#include "model/domain.h"
#include "util/base.h"
#include "util/clock.h"

/** Further domains are ignored, with one line in the log. */
#define VIRT_DOMAINS_MAX 8192

/** The time that a source's thread has to end before it is left behind. */
#define VIRT_STOP_NS (2 * NSEC_PER_SEC)

enum virt_event_type {
	VIRT_DOMAIN_SEEN, /* `domain` is its present state, new or known */
	VIRT_DOMAIN_GONE, /* no longer running */
	VIRT_SOURCE_UP,   /* connected; all domains follow */
	VIRT_SOURCE_DOWN, /* see `reason`; the domains last seen count as running */
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
	unsigned int notes;         /* VIRT_DOMAIN_SEEN: bits of enum mapping_note that are new */
	char reason[256];           /* VIRT_SOURCE_DOWN: what happened and what is waited for */
};
