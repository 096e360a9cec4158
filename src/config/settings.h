/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The words and settings of a configuration: what its files may say about the host. */

#include "model/domain.h"
#include "policy/profile.h"
#include "util/base.h"
#include "util/cpulist.h"

/** How a domain's entry is selected; most specific first. */
enum config_match {
	CONFIG_MATCH_UUID,
	CONFIG_MATCH_VMID, /* Proxmox's number */
	CONFIG_MATCH_NAME, /* also the name of a VM of Proxmox, beside its number */
	/* of all below: the glob with the most literal characters; then the lesser string */
	CONFIG_MATCH_TAG, /* any of its tags */
	CONFIG_MATCH_TITLE,
	CONFIG_MATCH_GLOB,    /* of names, as CONFIG_MATCH_NAME */
	CONFIG_MATCH_FLAVOR,  /* what many have */
	CONFIG_MATCH_DEFAULT, /* no entry: default_profile */
};

/** How the policy in a domain's own <metadata> is treated; see struct domain_metadata. */
enum config_metadata {
	CONFIG_METADATA_IGNORE,
	CONFIG_METADATA_OBSERVE, /* shown, but has no effect */
	CONFIG_METADATA_HONOUR,
};

/** How guest pages are read. */
enum config_guest_pages {
	CONFIG_GUEST_PAGES_OFF,  /* not at all: carriers are not searched for either */
	CONFIG_GUEST_PAGES_POLL, /* only by the booster, at intervals while a vCPU is awake */
	CONFIG_GUEST_PAGES_AUTO, /* by the tracer when a vCPU leaves its CPU; else as POLL */
};

/** Whether agents in guests may connect. */
enum config_agents {
	CONFIG_AGENTS_OFF,    /* each is refused */
	CONFIG_AGENTS_AUTO,   /* by the socket that systemd has opened, if it has */
	CONFIG_AGENTS_LISTEN, /* else by one that is opened here */
};

/** Whether boosts are left out now and then, to find those that do harm. */
enum config_compare {
	CONFIG_COMPARE_OFF,
	CONFIG_COMPARE_AUTO, /* where vCPUs wait late */
};

/** How the booster waits. */
enum config_booster_wait {
	CONFIG_BOOSTER_WAIT_AUTO, /* by the way that measured better */
	CONFIG_BOOSTER_WAIT_EPOLL,
	CONFIG_BOOSTER_WAIT_IO_URING, /* if available; else by epoll */
};

/** A list of short texts. */
#define CONFIG_TEXTS_MAX 16
#define CONFIG_TEXT_MAX  256

struct config_texts {
	size_t n;
	char items[CONFIG_TEXTS_MAX][CONFIG_TEXT_MAX];
};

#define CONFIG_PATH_MAX 256

/** Settings for all domains. */
struct config_host {
	bool enabled; /* the global switch: false observes only */
	struct host_caps caps;
	bool round_robin;     /* SCHED_RR instead of SCHED_FIFO */
	int rt_priority;      /* of boosted vCPUs: 1..10; the booster is one above */
	bool grant_rt_budget; /* boost cpu.rt_runtime_us where RT_GROUP_SCHED refuses RT */
	enum config_metadata metadata;
	enum config_guest_pages guest_pages;
	enum config_agents agents;
	enum config_compare compare;
	uint64_t summary_interval_ns;       /* per-domain summaries in the journal; 0: none */
	char metrics_file[CONFIG_PATH_MAX]; /* "": none */
	uint64_t metrics_interval_ns;
	char housekeeping_cpus[256];      /* CPU list: a vCPU confined to it is not boosted */
	struct cpu_set_bits housekeeping; /* the same, parsed; empty: none */
	struct cpu_set_bits booster_cpus; /* where the booster runs; empty: anywhere */
	enum config_booster_wait booster_wait;
	size_t n_discovery;
	enum domain_source discovery[_DOMAIN_SOURCE_MAX]; /* the first to find a domain owns it */
	struct config_texts qemu_executables;             /* globs of absolute paths */
	struct config_texts qemu_users;                   /* names or numeric ids */
};

/** The text of one file. */
struct config_text {
	const char *name; /* for messages */
	const char *text;
	size_t size;
};
