/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The socket for programs (pvsched/agent.h). Each gets a region of its own, so that none sees or
 * changes what another one writes; requests.h merges them.
 */

#include "agent/cpus.h"
#include "agent/events.h"
#include "agent/requests.h"
#include "pvsched/agent.h"

struct clients;
struct client;

/** Writes the report into *fd, a memfd; root gets addresses, too. Returns 0, or -errno. */
typedef int clients_report_fn(void *userdata, bool root, int *fd, uint64_t *size);

struct clients_what {
	struct events *events;
	const struct settings *settings;
	struct pvsched_page *pages;
	const struct guest_cpu *cpus;
	uint32_t n_cpus;
	const char *path; /* of the socket */
	clients_report_fn *report;
	void *userdata;
};

/** Begins to listen. Returns 0 and *ret; -errno: -EADDRINUSE: another agent has the socket. */
int clients_new(struct clients **ret, const struct clients_what *what);

/** Tells programs that there is no host, ends connections, removes the socket. Takes NULL. */
struct clients *clients_free(struct clients *clients);

/** The host serves this guest as @generation; 0: it does not. */
void clients_serve(struct clients *clients, uint64_t generation, uint32_t host_abi_version);

/** The host's line of a CPU has changed. */
void clients_told(struct clients *clients, const struct pvsched_channel_vcpu *line);

/** APIC ids have changed, by hotplug. */
void clients_cpus_changed(struct clients *clients);

/** The last line of a CPU; NULL: none since the host serves. */
const struct pvsched_channel_vcpu *clients_line(const struct clients *clients, uint32_t cpu);

struct client_figures {
	struct requester_figures of;
	pid_t pid;
};

/** Figures of connections that have a region, at most @max; returns how many. */
size_t clients_figures(const struct clients *clients, struct client_figures *ret, size_t max);

/** How many connections were refused. */
uint64_t clients_refused(const struct clients *clients);
