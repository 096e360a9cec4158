/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The booster's start and its configuration: where it runs, how it waits. */

#include "boost/booster.h"
#include "config/config.h"
#include "trace/tracer.h"
#include "util/base.h"

/** What configuration @host says of the class of boosts. Fixed at the booster's start. */
struct sched_boost booster_setup_boost(const struct config_host *host);

/** What it is started with. */
struct booster_setup {
	const struct config_host *host;
	const struct accounts *accounts;
	struct ledger *ledger;
	struct board *board;
	struct tracer *tracer; /* NULL: there is none */
	uint32_t holds;        /* of every vCPU, at first */
};

/**
 * Starts the booster, and puts it on its CPUs.
 * Returns 0 and *ret; +BOOSTER_NOT_REALTIME likewise; -errno. The journal says what is amiss.
 */
int booster_setup_start(struct booster **ret, const struct booster_setup *setup);

/**
 * The configuration is @host now, and was @before. What it says otherwise than the class @boost of
 * the start takes a restart; the journal says so.
 */
void booster_setup_configure(struct booster *booster, const struct sched_boost *boost,
                             const struct config_host *before, const struct config_host *host);
