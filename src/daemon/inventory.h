/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The inventory: which domains exist, and what was seen of their threads. It knows nothing of what
 * is done with them, and no other file of the daemon. Everything here is for the main thread.
 */

#include "core/account.h"
#include "model/domain.h"
#include "policy/names.h"
#include "util/base.h"
#include "util/cgroup.h"
#include "util/cpulist.h"
#include "util/slots.h"

struct inventory_vcpu {
	struct vcpu_thread thread;    /* its cgroup as cgroup_locate() has it; "": not known */
	struct cpu_set_bits affinity; /* empty: not known */
	bool quota;                   /* a CFS quota holds in its cgroup or above it */
	bool group_unseen;            /* that cannot be told: its cgroup cannot be looked at */
	/* written by apply.c alone */
	unsigned int slot;           /* of its account; SLOT_NONE: not traced */
	enum policy_reason untraced; /* why it is not traced, if so */
	unsigned int said;           /* what was logged of it; bits of refused.c */
	/* written by note_handler.c alone */
	uint64_t children_mended; /* see boost/children.h */
};

struct inventory_domain {
	struct inventory_domain *next; /* inventory::domains */
	struct domain *seen;
	unsigned int slot; /* of its account, and its place in the tables of other files */
	uint64_t serial;   /* from 1; slots are used again, serials are not */
	bool rescan;       /* see inventory_rescan(); cleared by apply.c */
	size_t n_vcpus;
	struct inventory_vcpu *vcpus;
	uint32_t n_without_slot; /* vCPUs that are not traced for that; written by apply.c alone */
};

struct inventory {
	struct inventory_domain *domains; /* the newest first */
	size_t n_refused;                 /* domains that run and for which there is no slot */
	/* private */
	struct domain **refused; /* these, as they were last seen */
	const struct cgroup_cpu *cgroup;
	unsigned int ranks[_DOMAIN_SOURCE_MAX];
	uint64_t slots[PVS_DOMAINS_MAX / 64];
	uint64_t last_serial;
	void (*gone)(void *userdata, struct inventory_domain *domain);
	void *userdata;
	bool (*is_busy)(void *userdata, unsigned int slot);
	void *busy_userdata;
};

/**
 * An empty one.
 * @cgroup  where the cpu controller's groups are; NULL: there is none; must stay
 * @gone    is told of each domain before it is freed
 */
void inventory_init(struct inventory *inventory, const struct cgroup_cpu *cgroup,
                    void (*gone)(void *userdata, struct inventory_domain *domain), void *userdata);

/**
 * @is_busy says of a free slot whether a thread is still charged to its last domain, as one whose
 * boost could not be ended. No domain gets such a slot.
 */
void inventory_ask_busy(struct inventory *inventory,
                        bool (*is_busy)(void *userdata, unsigned int slot), void *userdata);

/** Drops all domains. */
void inventory_clear(struct inventory *inventory);

/** The lower rank has a domain that both sources know. */
void inventory_set_rank(struct inventory *inventory, enum domain_source source, unsigned int rank);

/** Outcomes of inventory_seen(). */
enum {
	INVENTORY_NEW = 1,       /* it was not known, or its QEMU is another process now */
	INVENTORY_OUTRANKED = 2, /* it is another source's: nothing changed */
	INVENTORY_FULL = 3,      /* no slot is left: it is not taken, and counts as refused */
};

/**
 * A source has seen a domain; @seen is taken over. vCPUs whose thread is still there keep their
 * slot and what is known of them; what is gone is dropped. If a thread has moved to another cgroup,
 * what was refused is tried again. What another source of a higher rank has stays there, what one
 * of a lower rank has is dropped.
 * Returns 0 and *ret for a known domain; +INVENTORY_NEW and *ret; another outcome; -ENOMEM: its
 * vCPUs are as they were.
 */
int inventory_seen(struct inventory *inventory, struct domain *seen, struct inventory_domain **ret);

/** Reads where its threads may run, and whether a CFS quota holds for them, if that can be told. */
void inventory_look(struct inventory *inventory, struct inventory_domain *domain);

/** The same, and what was believed foreign or refused of its vCPUs is to be tried again. */
void inventory_rescan(struct inventory *inventory, struct inventory_domain *domain);

void inventory_drop(struct inventory *inventory, struct inventory_domain *domain);

/** True if that is its name, or its name beside the number that Proxmox gives. */
bool inventory_is_called(const struct inventory_domain *domain, const char *name);

/**
 * By uuid, in any case of letters, else by name, else by the name of a VM of Proxmox's. Without
 * libvirt a name is no identity.
 * Returns 0 and *ret; -ENOENT; -ENOTUNIQ when several domains have that name.
 */
int inventory_find(const struct inventory *inventory, const char *name_or_uuid,
                   struct inventory_domain **ret);

/**
 * A domain that was not taken for want of a slot has ended. @uuid NULL: all of that source are not
 * looked for any more.
 */
void inventory_forget_refused(struct inventory *inventory, enum domain_source source,
                              const char *uuid);

/** Hands out such a domain, as it was last seen, if there is a slot by now; else NULL. */
struct domain *inventory_take_refused(struct inventory *inventory);

/** By its uuid alone. NULL: there is none. */
struct inventory_domain *inventory_find_uuid(const struct inventory *inventory, const char *uuid);

/** By the process of its QEMU. NULL: there is none. */
struct inventory_domain *inventory_by_pid(const struct inventory *inventory, pid_t pid);

/** The vCPU that has a slot, with its domain. NULL: there is none. */
struct inventory_vcpu *inventory_by_slot(const struct inventory *inventory, unsigned int slot,
                                         struct inventory_domain **ret_domain);

/** Of how many vCPUs the cgroup cannot be looked at. */
size_t inventory_count_unseen(const struct inventory *inventory);

/** How many vCPUs all domains have, and how many domains there are. */
size_t inventory_count(const struct inventory *inventory, size_t *ret_domains);
