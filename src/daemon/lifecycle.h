/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What happens to domains besides what sources report: the death of a QEMU, a migration's end. */

#include <systemd/sd-event.h>

#include "daemon/inventory.h"
#include "util/base.h"

struct lifecycle;

/** What it tells upwards. */
struct lifecycle_news {
	void (*died)(void *userdata, struct inventory_domain *domain);     /* its QEMU is gone */
	void (*migrated)(void *userdata, struct inventory_domain *domain); /* or it was cancelled */
	void *userdata;
};

/** Returns 0 and *ret, or -ENOMEM. */
int lifecycle_new(struct lifecycle **ret, sd_event *event, const struct lifecycle_news *news);

/** Takes NULL; returns NULL. */
struct lifecycle *lifecycle_free(struct lifecycle *lifecycle);

/** A new domain: watches its QEMU. */
void lifecycle_begin(struct lifecycle *lifecycle, struct inventory_domain *domain);

/** It was reported for these causes, enum virt_cause: a migration may have begun or ended. */
void lifecycle_reported(struct lifecycle *lifecycle, struct inventory_domain *domain,
                        unsigned int causes);

/** It is gone. */
void lifecycle_end(struct lifecycle *lifecycle, const struct inventory_domain *domain);

bool lifecycle_migrating(const struct lifecycle *lifecycle, const struct inventory_domain *domain);
