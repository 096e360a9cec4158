// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_costs.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#include "daemon/report_json.h"

void report_costs(const struct views *views, struct cJSON *root)
{
	cJSON *object = cJSON_AddObjectToObject(root, "costs");
	struct costs_view view;

	costs_read(views->costs, &view);
	report_integer(object, "wake_ns", view.now.wake_ns);
	report_integer(object, "call_ns", view.now.call_ns);
	report_integer(object, "timer_ns", view.now.timer_ns);
	report_integer(object, "pace_permille", view.pace_permille);
	report_integer(object, "charge_min_ns", view.prices.charge_min_ns);
	report_integer(object, "switch_ns", view.prices.switch_ns);
	report_integer(object, "tokens_min_ns", view.prices.tokens_min_ns);
}

static double us(uint32_t ns)
{
	return (double)ns / NSEC_PER_USEC;
}

void report_costs_text(const struct views *views, char *text, size_t size)
{
	struct costs_view view;
	char measured[128] = "a wake-up could not be measured, so prices are the usual ones";

	costs_read(views->costs, &view);
	if (view.start.wake_ns)
		snprintf(measured, sizeof(measured),
		         "a wake-up with its switch takes %.1f us, a scheduler call %.1f, a timer "
		         "%.1f",
		         us(view.now.wake_ns), us(view.now.call_ns), us(view.now.timer_ns));
	snprintf(text, size,
	         "%s; a boosted run is charged %.0f us at least, and one that could last for less "
	         "than %.0f us is ended",
	         measured, us(view.prices.charge_min_ns), us(view.prices.tokens_min_ns));
}
