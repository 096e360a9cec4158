/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Gives a domain the shared memory of guest pages, or the vsock device by which its agent connects,
 * or takes it away, through libvirt.
 * attach_prepare() finds out what would change; attach_perform() changes it.
 *
 * It connects read-write, and only to a libvirt daemon that already runs (virt/presence.h). Calls
 * block for as long as that daemon does. For programs with one thread.
 */

#include "model/domain.h"
#include "util/base.h"

struct attach;

struct attach_order {
	const char *domain; /* name or uuid */
	bool detach;
	bool agent;          /* the vsock device of an agent, in place of the memory */
	bool live;           /* the running domain */
	bool persistent;     /* its definition; at least one of the two */
	const char *run_dir; /* NULL: "/run" */
};

/** The running domain or its definition. */
struct attach_place {
	bool asked;
	bool changes;                /* there is, or was, something to change */
	bool done;                   /* it is as requested, also if there was nothing to change */
	const char *added, *removed; /* XML; NULL: none */
	const char *note;            /* "" or, when nothing changes, why */
};

/** The result; valid as long as its struct attach. */
struct attach_report {
	const char *name; /* any length, may hold any bytes */
	char uuid[DOMAIN_UUID_LEN];
	bool running;
	bool saved; /* a saved state (virsh managedsave) waits for the next start */
	struct attach_place live, persistent;
	char file[320]; /* "", or what became of the file in /dev/shm */
};

/** Outcomes of attach_prepare() and attach_perform(); each comes with a message. */
enum {
	ATTACH_REFUSED = 1,   /* by us or by libvirt */
	ATTACH_NO_LIBVIRT,    /* none runs, or the daemon does not answer */
	ATTACH_NO_DOMAIN,     /* no domain has that name or uuid */
	ATTACH_NOT_PERMITTED, /* this user lacks the permission */
};

/**
 * Connects, looks and decides. Changes nothing.
 * @error  gets the message, which may hold any bytes
 * Returns 0 and *ret, an outcome, or -errno.
 */
int attach_prepare(const struct attach_order *order, struct attach **ret, char *error,
                   size_t error_size);

/**
 * Makes the changes, first that of the running domain. The report says how far it came. Unplugging
 * waits up to 10 s for the guest, then up to 5 s for a process that still has the file.
 */
int attach_perform(struct attach *attach, char *error, size_t error_size);

const struct attach_report *attach_report(const struct attach *attach);

/** Takes NULL; returns NULL. */
struct attach *attach_free(struct attach *attach);

/** For CLEANUP(). */
void attach_cleanup(struct attach **attach);
