// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/costs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boost/measure.h"
#include "util/log.h"

#define LOOK_US     (10 * NSEC_PER_SEC / NSEC_PER_USEC)
#define ACCURACY_US (NSEC_PER_SEC / NSEC_PER_USEC)

/* The tracer's figure of a vCPU settles in some hundred wake-ups. */
#define WAKEUPS_MIN 500

/* Where the CPU was too busy at the start, it may be less so in the next minute. */
#define TRIES_MAX 6

struct costs {
	unsigned int tries;
	const struct accounts *accounts;
	const struct inventory *inventory;
	sd_event_source *timer;
	struct pvs_costs start;
	struct pvs_pace pace;
};

static struct pvs_prices prices(const struct costs *costs)
{
	struct pvs_costs now = pvs_costs_at(&costs->start, &costs->pace);

	return pvs_prices_of(&now);
}

static void apply(const struct costs *costs)
{
	struct pvs_prices now = prices(costs);

	account_set_prices(costs->accounts, &now);
}

static void say(const struct costs *costs, int error)
{
	struct pvs_prices now = prices(costs);

	if (!costs->start.wake_ns)
		log_notice("what a switch takes here could not be measured (%s): it has the usual "
		           "price",
		           error < 0 ? strerror(-error) : "its CPU is too busy");
	else
		log_info("here a wake-up with its switch takes %u ns, a scheduler call %u, a timer "
		         "%u; so a boosted run is charged %u us at least",
		         costs->start.wake_ns, costs->start.call_ns, costs->start.timer_ns,
		         now.charge_min_ns / 1000);
}

static void measure(struct costs *costs)
{
	int r = measure_costs(&costs->start);

	costs->tries++;
	costs->pace = (struct pvs_pace){.permille = 1000};
	apply(costs);
	if (costs->start.wake_ns || costs->tries == TRIES_MAX)
		say(costs, r);
}

int costs_new(struct costs **ret, const struct accounts *accounts)
{
	struct costs *costs = calloc(1, sizeof(*costs));

	if (!costs)
		return -ENOMEM;
	costs->accounts = accounts;
	measure(costs);
	*ret = costs;
	return 0;
}

struct costs *costs_free(struct costs *costs)
{
	if (!costs)
		return NULL;
	sd_event_source_disable_unref(costs->timer);
	free(costs);
	return NULL;
}

/*
 * The least of all vCPUs: a neighbour that thrashes caches, or a guest that has its vCPU woken at
 * bad moments, makes wake-ups slower, and none can make them faster than they are.
 */
static uint32_t least_ns(const struct accounts *accounts, const struct inventory *inventory)
{
	uint32_t least = 0;

	for (const struct inventory_domain *d = inventory->domains; d; d = d->next) {
		for (size_t i = 0; i < d->n_vcpus; i++) {
			const struct pvs_vcpu_account *a;
			uint32_t low_ns;

			if (d->vcpus[i].slot == SLOT_NONE)
				continue;
			a = &accounts->vcpus[d->vcpus[i].slot];
			low_ns = PVS_READ(a->wake_low_ns);
			if (low_ns && PVS_READ(a->wakeups_boosted) >= WAKEUPS_MIN &&
			    (!least || low_ns < least))
				least = low_ns;
		}
	}
	return least;
}

void costs_look(struct costs *costs, const struct inventory *inventory)
{
	if (!costs->start.wake_ns && costs->tries < TRIES_MAX)
		measure(costs);
	pvs_pace_follow(&costs->pace, least_ns(costs->accounts, inventory));
	apply(costs);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct costs *costs = userdata;

	costs_look(costs, costs->inventory);
	sd_event_source_set_time(source, usec + LOOK_US);
	return 0;
}

int costs_watch(struct costs *costs, sd_event *event, const struct inventory *inventory)
{
	int r;

	costs->inventory = inventory;
	r = sd_event_add_time_relative(event, &costs->timer, CLOCK_MONOTONIC, LOOK_US, ACCURACY_US,
	                               on_time, costs);
	if (r < 0)
		return r;
	sd_event_source_set_description(costs->timer, "costs");
	sd_event_source_set_exit_on_failure(costs->timer, true);
	return sd_event_source_set_enabled(costs->timer, SD_EVENT_ON);
}

void costs_read(const struct costs *costs, struct costs_view *ret)
{
	*ret = (struct costs_view){
	        .start = costs->start,
	        .now = pvs_costs_at(&costs->start, &costs->pace),
	        .pace_permille = costs->pace.permille,
	        .prices = prices(costs),
	};
}
