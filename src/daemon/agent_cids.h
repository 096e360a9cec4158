/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Which domain a CID names: a table of all, since each of many connections asks. Pure. */

#include "daemon/inventory.h"
#include "util/base.h"

struct agent_cid {
	uint32_t cid;
	const struct inventory_domain *domain;
};

struct agent_cids {
	size_t n;
	struct agent_cid of[PVS_DOMAINS_MAX * DOMAIN_CIDS_MAX]; /* sorted */
};

/** As the inventory has them now; valid until a domain changes or ends. */
void agent_cids_fill(struct agent_cids *cids, const struct inventory *inventory);

/** The domain ends: its CIDs name none, until they are filled in again. */
void agent_cids_forget(struct agent_cids *cids, const struct inventory_domain *domain);

/**
 * Returns 0 and *ret; -ENOENT: no domain has it; -ENOTUNIQ: several claim it, so it names none.
 */
int agent_cids_find(const struct agent_cids *cids, uint32_t cid,
                    const struct inventory_domain **ret);
