/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Gives a domain the shared memory of guest pages, or takes it away, through libvirt. In two steps:
 * prepare finds out all that would be done, perform does it.
 *
 * Connects read-write, and only to a libvirt daemon that runs: see virt/presence.h. Calls block for
 * as long as that daemon does. For a program of one thread.
 */

#include "model/domain.h"
#include "util/base.h"

struct attach;

struct attach_order {
	const char *domain; /* name or uuid */
	bool detach;
	bool live;           /* the running domain */
	bool persistent;     /* its definition; at least one of the two */
	const char *run_dir; /* NULL: "/run" */
};

/** One of the two places. */
struct attach_place {
	bool asked;
	bool changes; /* something is to be done, or was */
	bool done;    /* it is as it was asked for; also when nothing had to be done */
	const char *added, *removed; /* XML; NULL: none */
	const char *note;            /* "" or, when nothing changes, why */
};

/** All that there is to tell; lives as long as its struct attach. */
struct attach_report {
	const char *name; /* of any length, may hold anything */
	char uuid[DOMAIN_UUID_LEN];
	bool running;
	bool saved; /* a saved state (virsh managedsave) waits for the next start */
	struct attach_place live, persistent;
	char file[320]; /* "" or what became of the file in /dev/shm */
};

/** Outcomes of both; each comes with a message. */
enum {
	ATTACH_REFUSED = 1,   /* by us or by libvirt */
	ATTACH_NO_LIBVIRT,    /* none runs, or it does not answer */
	ATTACH_NO_DOMAIN,     /* there is none of that name or uuid */
	ATTACH_NOT_PERMITTED, /* this user may not */
};

/**
 * Connects, looks, and decides. Changes nothing.
 * @error  gets the message, of any bytes
 * Returns 0 and *ret, an outcome, or -errno.
 */
int attach_prepare(const struct attach_order *order, struct attach **ret, char *error,
                   size_t error_size);

/**
 * Does it; the running domain goes first. The report says how far it came. Unplugging waits up to
 * 10 s for the guest, and then up to 2 s for whoever has the file.
 */
int attach_perform(struct attach *attach, char *error, size_t error_size);

const struct attach_report *attach_report(const struct attach *attach);

/** Takes NULL; returns NULL. */
struct attach *attach_free(struct attach *attach);

/** For CLEANUP(). */
void attach_cleanup(struct attach **attach);
