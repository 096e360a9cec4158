/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The region of the guest's agent, which a socket gives (pvsched/agent.h), beside those of devices.
 */

#include "lib/map.h"

struct pvsched_agent {
	struct pvsched_map *map; /* its region; NULL: there is no agent */
	int fd;                  /* the connection */
	uint64_t tried_ns;       /* atomic: when a new connection was last tried */
	char path[108];
};

/**
 * Gets a region of the agent that listens at @path, into @map. Waits for it for a second at most.
 * Returns 0; -ENOENT or -ECONNREFUSED: no agent is there; -EACCES: its configuration allows this
 * user nothing; -errno.
 */
int pvsched_agent_open(struct pvsched_agent *agent, struct pvsched_map *map, const char *path);

/** Closes the connection, which ends the requests. */
void pvsched_agent_close(struct pvsched_agent *agent);

/** The request on the page @page of @map has changed. Does nothing unless it is the agent's map. */
void pvsched_agent_look(struct pvsched_agent *agent, const struct pvsched_map *map, uint32_t page);

/**
 * The agent ended, or seems to have: another one may listen. Its region takes the place of the old
 * one. Tries once a second, and waits for 20 ms at most; one thread at a time.
 */
void pvsched_agent_again(struct pvsched_agent *agent);
