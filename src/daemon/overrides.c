// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/overrides.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/profile.h"
#include "util/clock.h"

struct override {
	struct overrides *overrides;           /* for the timer, as is... */
	const struct inventory_domain *domain; /* ...this */
	char profile[PROFILE_NAME_MAX];        /* "": none */
	uint64_t until_ns;
	sd_event_source *timer;
	bool released;
};

struct overrides {
	sd_event *event;
	overrides_ended_fn *ended;
	void *userdata;
	struct override of[PVS_DOMAINS_MAX]; /* by the domain's slot */
};

int overrides_new(struct overrides **ret, sd_event *event, overrides_ended_fn *ended,
                  void *userdata)
{
	struct overrides *overrides = calloc(1, sizeof(*overrides));

	if (!overrides)
		return -ENOMEM;
	overrides->event = event;
	overrides->ended = ended;
	overrides->userdata = userdata;
	*ret = overrides;
	return 0;
}

struct overrides *overrides_free(struct overrides *overrides)
{
	if (!overrides)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(overrides->of); i++)
		sd_event_source_disable_unref(overrides->of[i].timer);
	free(overrides);
	return NULL;
}

static void profile_end(struct override *override)
{
	override->timer = sd_event_source_disable_unref(override->timer);
	override->profile[0] = '\0';
	override->until_ns = 0;
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct override *override = userdata;
	struct overrides *overrides = override->overrides;

	(void)source;
	(void)usec;
	profile_end(override);
	overrides->ended(overrides->userdata, override->domain);
	return 0;
}

int overrides_set(struct overrides *overrides, const struct inventory_domain *domain,
                  const char *profile, uint64_t for_ns)
{
	struct override *override = &overrides->of[domain->slot];
	int r;

	profile_end(override);
	override->released = false;
	override->overrides = overrides;
	override->domain = domain;
	if (for_ns) {
		r = sd_event_add_time_relative(overrides->event, &override->timer, CLOCK_BOOTTIME,
		                               for_ns / NSEC_PER_USEC, 0, on_end, override);
		if (r < 0)
			return r; /* no policy "for a time" without its end */
		override->until_ns = clock_now_ns() + for_ns;
	}
	snprintf(override->profile, sizeof(override->profile), "%s", profile);
	return 0;
}

void overrides_set_released(struct overrides *overrides, const struct inventory_domain *domain,
                            bool released)
{
	overrides->of[domain->slot].released = released;
}

void overrides_forget(struct overrides *overrides, const struct inventory_domain *domain)
{
	profile_end(&overrides->of[domain->slot]);
	overrides->of[domain->slot] = (struct override){0};
}

const char *overrides_profile(const struct overrides *overrides,
                              const struct inventory_domain *domain)
{
	return overrides->of[domain->slot].profile;
}

uint64_t overrides_until_ns(const struct overrides *overrides,
                            const struct inventory_domain *domain)
{
	return overrides->of[domain->slot].until_ns;
}

bool overrides_released(const struct overrides *overrides, const struct inventory_domain *domain)
{
	return overrides->of[domain->slot].released;
}
