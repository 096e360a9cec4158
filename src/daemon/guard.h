/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Watches the guardian and starts it again. On each tick of systemd's watchdog it pings booster and
 * guardian. A booster that does not answer ends the daemon; a guardian that does not answer ends
 * all boosts.
 */

#include <systemd/sd-event.h>

#include "boost/booster.h"
#include "boost/guardian.h"
#include "boost/ledger.h"
#include "trace/tracer.h"
#include "util/base.h"

struct guard;

/** What it tells upwards. */
struct guard_news {
	/**
	 * Whether boosts are guarded. When it returns from false, nothing is boosted any more: a
	 * new guardian starts only then.
	 */
	void (*guarded)(void *userdata, bool guarded);
	/** A new guardian watches; the last one gave everything back, RT budgets too. */
	void (*renewed)(void *userdata);
	void *userdata;
};

/**
 * Starts a guardian, of @priority; before any other thread exists. Where that fails, or the kernel
 * refuses it a real-time priority, the journal says so, and boosts are not guarded.
 * Returns 0 and *ret, or -ENOMEM.
 */
int guard_new(struct guard **ret, struct ledger *ledger, uint32_t priority,
              const struct guard_news *news);

/** Ends the guardian. Takes NULL; returns NULL. */
struct guard *guard_free(struct guard *guard);

/** Ties it to the loop and the tracer (NULL: there is none). Returns 0, or -errno. */
int guard_attach(struct guard *guard, sd_event *event, struct tracer *tracer);

/** Does not wait any longer where the last ones died soon, or could not be started. */
void guard_try_now(struct guard *guard);

/** Feeds systemd's watchdog, where there is one. Returns 0, or -errno. */
int guard_watchdog(struct guard *guard, struct booster *booster);

/** Is there one that has its real-time priority? */
bool guard_answers(const struct guard *guard);

/** NULL: none runs. */
const struct guardian *guard_guardian(const struct guard *guard);
