/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Stepping aside, in the agent's loop: which CPUs are to be avoided, by the host's word or by steal
 * time, and a process that does it (aside_do.h), at most one, with a time limit, and 500 ms after
 * the last one. Without the host all is given back.
 */

#include "agent/aside_outcome.h"
#include "agent/aside_places.h"
#include "agent/events.h"
#include "agent/settings.h"
#include "agent/steal.h"

struct aside;

struct aside_what {
	struct events *events;
	enum settings_step_aside mode;
	struct aside_places places; /* of this machine */
	const char *stat;           /* "/proc/stat" */
	bool (*is_served)(void *userdata);
	void *userdata;
};

/** Begins: what an agent that was killed left is given back. Returns 0 and *ret; -errno. */
int aside_new(struct aside **ret, const struct aside_what *what);

/** Gives all back, which takes a few seconds at most. Takes NULL; returns NULL. */
struct aside *aside_free(struct aside *aside);

/** The host's lines of @n CPUs; the host says nothing any more; CPUs came or went. */
void aside_told(struct aside *aside, const struct pvsched_channel_vcpu *vcpus, uint32_t n);
void aside_silent(struct aside *aside);
void aside_cpus_changed(struct aside *aside);

struct aside_view {
	enum settings_step_aside mode;
	const char *by;                          /* "host", "steal" or "none": what counts now */
	struct cpu_set_bits wanted;              /* to be avoided, as it says */
	bool changing;                           /* the service is at work, or about to be */
	struct aside_outcome outcome;            /* of the last one */
	uint64_t since_ns;                       /* when it ended; 0: there was none */
	uint64_t changes;                        /* how often it was */
	uint32_t contention_permille, reversals; /* by steal time */
};

void aside_read(const struct aside *aside, struct aside_view *ret);

/** "off", "host", "steal", "auto". */
const char *aside_mode_name(enum settings_step_aside mode);
