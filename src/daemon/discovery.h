/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What finds domains: libvirt, /proc, or both. A domain that both know belongs to the source that
 * the configuration names first.
 */

#include <systemd/sd-event.h>

#include "config/config.h"
#include "daemon/inventory.h"
#include "util/base.h"
#include "virt/cmdline.h"
#include "virt/vm_conf.h"

struct discovery;

/** What it tells upwards. */
struct discovery_news {
	/** A domain as it is now; takes it over. @causes: bits of enum virt_cause. */
	void (*seen)(void *userdata, struct domain *domain, unsigned int causes);
	void (*gone)(void *userdata, enum domain_source source, const char *uuid);
	void *userdata;
};

struct discovery_options {
	sd_event *event;
	const char *libvirt_uri; /* NULL: the system's */
	struct cmdline_reader cmdlines;
	struct vm_conf_reader confs;
	struct discovery_news news;
};

/** Starts nothing. Returns 0 and *ret, or -ENOMEM. */
int discovery_new(struct discovery **ret, const struct discovery_options *options);

/** Takes NULL; returns NULL. */
struct discovery *discovery_free(struct discovery *discovery);

/**
 * Starts the sources that @host names and that do not run.
 * @hinted  discovery_hint() will be called, so that threads need not be looked at often
 * Returns 0, or -errno.
 */
int discovery_start(struct discovery *discovery, const struct config_host *host, bool hinted);

/** Stops them; @only_processes: what reads /proc alone. */
void discovery_stop(struct discovery *discovery, bool only_processes);

/** Whether two configurations find other domains; @only_processes: other QEMUs alone. */
bool discovery_differs(const struct config_host *a, const struct config_host *b,
                       bool *only_processes);

/** The place of a source in the configuration; as many as there are: it is not there. */
unsigned int discovery_rank(const struct config_host *host, enum domain_source source);

/** A thread of process @pid, the QEMU of @domain or of none that is known (NULL), got a name. */
void discovery_hint(struct discovery *discovery, pid_t pid, const struct inventory_domain *domain);

/** Such news were lost. */
void discovery_hint_all(struct discovery *discovery);

/** What /proc alone finds is looked at anew, with the configurations of Proxmox's VMs. */
void discovery_look_again(struct discovery *discovery);

/** The threads of a domain changed, or it may be gone. */
void discovery_rescan(struct discovery *discovery, const struct inventory_domain *domain);

/** How a source fares, for people. Returns false where it does not run. */
bool discovery_describe(struct discovery *discovery, enum domain_source source, bool *ok,
                        char *text, size_t size);
