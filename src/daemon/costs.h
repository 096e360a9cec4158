/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What this machine takes, and the prices that follow: measured at the start, and followed while
 * boosts are out, by what the tracer sees of wake-ups. docs/design/prices.md has the rules.
 */

#include <systemd/sd-event.h>

#include "boost/accounts.h"
#include "core/costs.h"
#include "daemon/inventory.h"

struct costs;

/** As they are now, and as they were measured at the start, where a word that is 0 was not. */
struct costs_view {
	struct pvs_costs start, now;
	uint32_t pace_permille; /* of now against start */
	struct pvs_prices prices;
};

/**
 * Measures, which takes MEASURE_MAX_NS at most, and sets the prices of @accounts, which must stay.
 * Returns 0 and *ret, also where nothing could be measured: then the prices are the usual ones;
 * -ENOMEM.
 */
int costs_new(struct costs **ret, const struct accounts *accounts);

/** Takes NULL; returns NULL. */
struct costs *costs_free(struct costs *costs);

/** Looks each ten seconds at the vCPUs of @inventory, which must stay. Returns 0, or -errno. */
int costs_watch(struct costs *costs, sd_event *event, const struct inventory *inventory);

/** One look. */
void costs_look(struct costs *costs, const struct inventory *inventory);

void costs_read(const struct costs *costs, struct costs_view *ret);
