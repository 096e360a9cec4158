/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Regions of guest pages that a killed daemon and its killed reader left: their guests are told
 * that no host is there.
 */

#include "boost/ledger.h"
#include "util/base.h"

/** What came of it. */
struct regions_left {
	unsigned int ended;
	unsigned int gone;  /* the QEMU or its memory is gone, or another host has begun it */
	unsigned int stuck; /* a look at the QEMU did not end in time */
};

/**
 * Ends all regions that the ledger names, and drops their records. A process of its own looks at
 * each QEMU, since that may hang; it is waited for for REGION_LEFT_MS, and all together for
 * REGIONS_LEFT_MS.
 */
void regions_left_end(struct ledger *ledger, struct regions_left *ret);

#define REGION_LEFT_MS  500
#define REGIONS_LEFT_MS 2000
