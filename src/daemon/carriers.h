/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The memory that guests write their requests to: whether a domain has some, whether it may be
 * used, and its pages for the vCPUs. Looking for it is carrier_search.h's.
 */

#include <systemd/sd-event.h>

#include "config/config.h"
#include "boost/ledger.h"
#include "boost/pages.h"
#include "daemon/inventory.h"
#include "daemon/reader_process.h"
#include "guest/page.h"
#include "guest/region.h"
#include "util/base.h"

struct carriers;

/** What is known of a domain's carrier. */
struct carrier_view {
	const struct reader_carrier *carrier; /* NULL: @problem, or @error */
	int problem;                          /* enum carrier_problem; 0: none, or not looked for */
	int error;                            /* -errno of the look */
	uint32_t n_pages;
	uint64_t generation;   /* that its region was begun as */
	uint64_t losses_total; /* how often it was cut off while it was used */
};

struct carriers_options {
	sd_event *event;
	struct reader_process *reader;
	const struct inventory *inventory;
	struct ledger *ledger;           /* names the regions, should the daemon be killed */
	void (*changed)(void *userdata); /* pages came or went */
	void *userdata;
};

/** Returns 0 and *ret, or -errno. */
int carriers_new(struct carriers **ret, const struct carriers_options *options);

/** Waits for searches a little, see carrier_search_free(). Takes NULL; returns NULL. */
struct carriers *carriers_free(struct carriers *carriers);

/** The configuration is another one, which must stay until the next call. */
void carriers_configure(struct carriers *carriers, const struct config_host *host);

/** Looks for the carrier of a domain that has none yet; @again: also after it found none. */
void carriers_find(struct carriers *carriers, const struct inventory_domain *domain, bool again);

/** A device of it came or went: that may have been its carrier. */
void carriers_device(struct carriers *carriers, const struct inventory_domain *domain);

/** Its guest was reset: what its pages say is of the past. */
void carriers_reset(struct carriers *carriers, const struct inventory_domain *domain);

/** The domain is gone. */
void carriers_end(struct carriers *carriers, const struct inventory_domain *domain);

/** A page has another status: enum pvsched_status. */
void carriers_hello(struct carriers *carriers, const struct inventory_domain *domain,
                    const struct inventory_vcpu *vcpu, int status);

/** A page cannot be read any more; @stuck: since the reader hangs in it. */
void carriers_lost(struct carriers *carriers, const struct inventory_domain *domain,
                   enum pages_loss loss);

/** Generation of the pages that a domain's vCPUs may use, and how many; 0: none. */
uint64_t carriers_usable(const struct carriers *carriers, const struct inventory_domain *domain,
                         uint32_t *ret_n_pages);

/** The page of one vCPU of a domain whose pages may be used. */
struct guest_page carriers_page(const struct carriers *carriers,
                                const struct inventory_domain *domain, unsigned int index);

void carriers_read(const struct carriers *carriers, const struct inventory_domain *domain,
                   struct carrier_view *ret);
