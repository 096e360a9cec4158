/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The domains of the host: everything that finds them, and everything that is kept of each of them.
 * What is reported is handed to the files that it concerns, and ends in pass_changed(); what is
 * done then is the plan's.
 */

#include <systemd/sd-event.h>

#include "config/config.h"
#include "daemon/agent_pages.h"
#include "daemon/agents.h"
#include "daemon/carriers.h"
#include "daemon/discovery.h"
#include "daemon/hints.h"
#include "daemon/inventory.h"
#include "daemon/lifecycle.h"
#include "daemon/overrides.h"
#include "daemon/pass.h"
#include "util/base.h"
#include "util/cgroup.h"

struct domains {
	struct inventory inventory;
	struct overrides *overrides;
	struct lifecycle *lifecycle;
	struct carriers *carriers;
	struct agent_pages *agent_pages;
	struct agents *agents;
	struct discovery *discovery;
	struct hints *hints;
	struct pass *pass;
	bool full_said; /* the log says that there are too many domains */
};

struct domains_options {
	sd_event *event;
	struct pass *pass;
	struct reader_process *reader;
	struct ledger *ledger;
	const struct cgroup_cpu *cgroup; /* NULL: there is none */
	const char *libvirt_uri;         /* NULL: the system's */
	overrides_ended_fn *override_ended;
	void *userdata; /* for that */
};

/** Finds none before domains_discover(). Returns 0 and *ret, or -errno. */
int domains_new(struct domains **ret, const struct domains_options *options);

/** After domains_clear(). Takes NULL; returns NULL. */
struct domains *domains_free(struct domains *domains);

/** Forgets all domains. */
void domains_clear(struct domains *domains);

/** The configuration, which must stay until the next call. */
void domains_configure(struct domains *domains, const struct config_host *host);

/** Starts to look for domains. Returns 0, or -errno. */
int domains_discover(struct domains *domains, const struct config_host *host);

/**
 * Starts to look anew where another configuration, @host, finds others than @before; what they had
 * found is forgotten, and found again. Returns 0, or -errno.
 */
int domains_rediscover(struct domains *domains, const struct config_host *before,
                       const struct config_host *host);

/** Looks again at what was believed foreign or refused, in one domain or in all. */
void domains_rescan(struct domains *domains, struct inventory_domain *domain);
void domains_rescan_all(struct domains *domains);
