/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The pages of agents: memory of guests, of which a guest's agent has said the guest-physical
 * addresses through the channel (agents.h). Here these are proven, in QEMU's memory, and given to
 * booster and tracer, which only read them. What the channel says and when is agents.h's. All is
 * for the main thread, and nothing here waits for a QEMU.
 */

#include <systemd/sd-event.h>

#include "boost/pages.h"
#include "daemon/inventory.h"
#include "daemon/reader_process.h"
#include "guest/page.h"
#include "pvsched/channel.h"
#include "util/base.h"

struct agent_pages;

/** What an agent claims: checked to be well formed (channel/hello.h), and not believed. */
struct agent_pages_claim {
	uint64_t generation;       /* the host's, random, not 0: generation_echo of each page */
	uint64_t nonce;            /* the host's, random, not 0: nonce of each page */
	uint32_t agent_generation; /* as in each page; not 0 */
	char policy_name[32];      /* that the host chose, zero padded */
	uint32_t policy_version;
	uint32_t n_cpus;                        /* 1 to PVSCHED_CHANNEL_CPUS_MAX */
	const struct pvsched_channel_cpu *cpus; /* each index, APIC id and address once; copied */
};

/** What the proof has shown. */
struct agent_pages_result {
	enum pvsched_channel_refusal refusal; /* PVSCHED_CHANNEL_SERVED: the pages found are used */
	uint32_t n_found;
	uint64_t found[PVSCHED_CHANNEL_CPUS_MAX / 64]; /* bits, by the places in the claim */
	char why[128]; /* of a refusal, for people; printable ASCII; "": its code says all */
};

/** Why pages are not used any more, though the agent has not said so. */
enum agent_pages_loss {
	AGENT_PAGES_RESET = 0, /* the guest was reset, restored or migrated */
	AGENT_PAGES_MOVED,  /* the memory is not where it was: unplugged, or a page can't be read */
	AGENT_PAGES_READER, /* the reader is gone, and with it what was proven */
};

/** What is told upwards. None is called from within agent_pages_*(), nor after agent_pages_end().
 */
struct agent_pages_news {
	/** A proof is over. @generation is the claim's: an answer to an older claim is dropped. */
	void (*proven)(void *userdata, const struct inventory_domain *domain, uint64_t generation,
	               const struct agent_pages_result *result);
	/** The agent must prove its pages anew: the channel sends a new challenge. */
	void (*lost)(void *userdata, const struct inventory_domain *domain,
	             enum agent_pages_loss loss);
	/**
	 * The state of a vCPU that has a page changed, as agent_pages_states() has it. @at_once: it
	 * was boosted or unboosted, armed or throttled; else times and counts have grown.
	 */
	void (*changed)(void *userdata, const struct inventory_domain *domain, bool at_once);
	/** Pages came or went: a new plan is due. */
	void (*plan)(void *userdata);
	void *userdata;
};

struct agent_pages_options {
	sd_event *event;
	struct reader_process *reader;
	const struct inventory *inventory;
	struct agent_pages_news news;
};

/** What is known of a domain's pages, for reports. */
struct agent_pages_view {
	bool proving;        /* a proof is under way */
	uint32_t n_pages;    /* that are used; 0: none */
	uint64_t generation; /* of these; 0: none */
	uint64_t proofs_total;
	uint64_t losses_total;
};

/** Returns 0 and *ret, or -errno. */
int agent_pages_new(struct agent_pages **ret, const struct agent_pages_options *options);

/** Takes NULL; returns NULL. */
struct agent_pages *agent_pages_free(struct agent_pages *pages);

/**
 * Looks for the pages of a claim, and uses those found. The pages of an earlier claim are not used
 * from now on. Returns 0: news->proven will be called, once, unless another claim or the end comes
 * first; -errno: nothing is under way.
 */
int agent_pages_prove(struct agent_pages *pages, const struct inventory_domain *domain,
                      const struct agent_pages_claim *claim);

/**
 * The connection or the domain has ended: all pages and requests of it end. Also for a domain that
 * has none.
 */
void agent_pages_end(struct agent_pages *pages, const struct inventory_domain *domain);

/** The guest was reset, restored or migrated: its pages, if it has any, are lost. */
void agent_pages_reset(struct agent_pages *pages, const struct inventory_domain *domain);

/** The booster says that a page cannot be read any more, or is not the agent's. */
void agent_pages_lost(struct agent_pages *pages, const struct inventory_domain *domain,
                      enum pages_loss loss);

/** The booster has something for the channel; @at_once as in agent_pages_news::changed(). */
void agent_pages_told(struct agent_pages *pages, const struct inventory_domain *domain,
                      bool at_once);

/** Generation of the pages that a domain's vCPUs may use; 0: none. As carriers_usable(). */
uint64_t agent_pages_usable(const struct agent_pages *pages, const struct inventory_domain *domain);

/** The page of one vCPU; GUEST_PAGE_NULL: it has none. */
struct guest_page agent_pages_page(const struct agent_pages *pages,
                                   const struct inventory_domain *domain, unsigned int index);

/**
 * The state of each vCPU that has a page, for its guest. cpu_index is that of the claim.
 * Returns how many, at most @max.
 */
uint32_t agent_pages_states(const struct agent_pages *pages, const struct inventory_domain *domain,
                            struct pvsched_channel_vcpu *ret, uint32_t max);

void agent_pages_read(const struct agent_pages *pages, const struct inventory_domain *domain,
                      struct agent_pages_view *ret);
