/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/render_windows.h"

#include <inttypes.h>

#include "ctl/print.h"
#include "ctl/value.h"
#include "util/cleanup.h"

static const char *const names[] = {"now", "1min", "10min", "before"};

static void cell_seconds(struct table *table, int64_t seconds)
{
	char text[64] = "-";

	if (seconds >= 0 && seconds < INT64_MAX / (int64_t)NSEC_PER_SEC)
		format_duration(seconds * (int64_t)NSEC_PER_SEC, text, sizeof(text));
	table_add(table, text);
}

static void render_window(struct table *table, const struct json_value *vcpu, const char *name,
                          const struct json_value *window)
{
	const struct json_value *wait = json_member(window, "wait_us");
	const char *profile = value_text(window, "profile", NULL);

	cell_number(table, vcpu, "vcpu");
	if (profile)
		table_addf(table, "%s: %s", name, profile);
	else
		table_add(table, name);
	cell_seconds(table, value_number(window, "seconds"));
	cell_number(table, wait, "p50");
	cell_number(table, wait, "p99");
	cell_number(table, wait, "p999");
	cell_number(table, wait, "max");
	cell_share(table, window, "run_permille");
	cell_share(table, window, "ready_permille");
	cell_share(table, window, "boosted_permille");
	cell_number(table, window, "wakeups");
	cell_number(table, window, "boosted_wakeups");
	cell_number(table, window, "boosts");
	cell_number(table, window, "denied");
}

void render_windows(const struct json_value *vcpus, FILE *out)
{
	static const struct table_column columns[] = {
	        {"VCPU", true},   {"WINDOW", false}, {"LENGTH", true},  {"WAIT us p50", true},
	        {"p99", true},    {"p99.9", true},   {"max", true},     {"RUN", true},
	        {"READY", true},  {"BOOSTED", true}, {"WAKEUPS", true}, {"FAST", true},
	        {"BOOSTS", true}, {"DENIED", true},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	bool any = false;

	JSON_FOREACH(vcpu, vcpus)
	{
		const struct json_value *windows = json_member(vcpu, "windows");

		for (size_t i = 0; windows && i < ARRAY_SIZE(names); i++) {
			const struct json_value *window = json_member(windows, names[i]);

			if (!window)
				continue;
			any = true;
			render_window(table, vcpu, names[i], window);
		}
	}
	if (!any)
		return;
	fputs("\n", out);
	table_print(table, out);
}
