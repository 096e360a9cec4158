/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#include "lib/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/ask.h"

#define OPEN_WAIT_US  1000000
#define AGAIN_WAIT_US 20000
#define AGAIN_NS      1000000000ULL

int pvsched_agent_open(struct pvsched_agent *agent, struct pvsched_map *map, const char *path)
{
	int r, connection = -1, region;
	uint64_t size;

	region = pvsched_ask(path, PVSCHED_AGENT_REGION, OPEN_WAIT_US, &connection, &size);
	if (region < 0)
		return region;
	r = pvsched_map_fd(map, region);
	close(region);
	if (r < 0) {
		close(connection);
		return r;
	}
	agent->map = map;
	agent->fd = connection;
	strcpy(agent->path, path); /* shorter than an address, or there was no connection */
	return 0;
}

void pvsched_agent_close(struct pvsched_agent *agent)
{
	if (agent->map)
		close(agent->fd);
	agent->map = NULL;
}

void pvsched_agent_look(struct pvsched_agent *agent, const struct pvsched_map *map, uint32_t page)
{
	struct pvsched_agent_call call;

	if (!agent->map || map != agent->map)
		return;
	call = pvsched_ask_call(PVSCHED_AGENT_LOOK, page - 1);
	/* EAGAIN: the agent does not keep up with us; the request is renewed or lapses */
	if (send(agent->fd, &call, sizeof(call), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN))
		pvsched_agent_again(agent);
}

static uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Puts the new region where the old one is: other threads may be using that. */
static void replace(struct pvsched_agent *agent, int region, int connection)
{
	struct pvsched_map map = {0};

	if (pvsched_map_fd(&map, region) < 0)
		return;
	if (map.size == agent->map->size &&
	    mmap(agent->map->header, (size_t)map.size, PROT_READ | PROT_WRITE,
	         MAP_SHARED | MAP_FIXED, region, 0) != MAP_FAILED)
		dup3(connection, agent->fd, O_CLOEXEC);
	pvsched_map_close(&map);
}

void pvsched_agent_again(struct pvsched_agent *agent)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t tried_ns = __atomic_load_n(&agent->tried_ns, __ATOMIC_RELAXED);
	int region, connection = -1;
	uint64_t size;

	if (!agent->map || now_ns - tried_ns < AGAIN_NS ||
	    !__atomic_compare_exchange_n(&agent->tried_ns, &tried_ns, now_ns, 0, __ATOMIC_ACQ_REL,
	                                 __ATOMIC_RELAXED))
		return;
	region = pvsched_ask(agent->path, PVSCHED_AGENT_REGION, AGAIN_WAIT_US, &connection, &size);
	if (region < 0)
		return;
	replace(agent, region, connection);
	close(region);
	close(connection);
}
