/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The CIDs of a domain: the addresses of its vsock devices, by which its guest connects to the
 * host. They are claims: any program with /dev/vhost-vsock may take a CID that is free.
 */

#include "util/base.h"

/** Lesser ones are the host's own. */
#define CID_MIN 3
#define CID_MAX UINT32_C(0xfffffffe)

/** More are left out: a guest uses one. */
#define DOMAIN_CIDS_MAX 4

/** It has no pointers, so it can be sent. */
struct domain_cids {
	uint32_t n;
	uint32_t of[DOMAIN_CIDS_MAX]; /* CID_MIN to CID_MAX, each once */
};

/** Adds one, if it is one, there is room, and it is not there yet. */
static inline void cids_add(struct domain_cids *cids, uint64_t cid)
{
	if (cid < CID_MIN || cid > CID_MAX || cids->n == DOMAIN_CIDS_MAX)
		return;
	for (uint32_t i = 0; i < cids->n; i++)
		if (cids->of[i] == cid)
			return;
	cids->of[cids->n++] = (uint32_t)cid;
}

static inline bool cids_equal(const struct domain_cids *a, const struct domain_cids *b)
{
	for (uint32_t i = 0; i < a->n && i < b->n; i++)
		if (a->of[i] != b->of[i])
			return false;
	return a->n == b->n;
}

/** True if what another process sent is what this header says. */
static inline bool cids_valid(const struct domain_cids *cids)
{
	struct domain_cids copy = {0};

	for (uint32_t i = 0; i < cids->n && i < DOMAIN_CIDS_MAX; i++)
		cids_add(&copy, cids->of[i]);
	return cids_equal(&copy, cids);
}
