/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/render_windows.h"

#include <inttypes.h>

#include "ctl/print.h"
#include "ctl/value.h"
#include "util/cleanup.h"

static const char *const names[] = {"now", "1min", "10min"};

static void render_window(struct table *table, const struct json_value *vcpu,
                          const struct json_value *window)
{
	const struct json_value *wait = json_member(window, "wait_us");

	cell_number(table, vcpu, "vcpu");
	table_addf(table, "%" PRId64 " s", value_number(window, "seconds"));
	cell_number(table, wait, "p50");
	cell_number(table, wait, "p99");
	cell_number(table, wait, "p999");
	cell_number(table, wait, "max");
	cell_share(table, window, "run_permille");
	cell_share(table, window, "ready_permille");
	cell_share(table, window, "boosted_permille");
	cell_number(table, window, "wakeups");
	cell_number(table, window, "boosted_wakeups");
}

void render_windows(const struct json_value *vcpus, FILE *out)
{
	static const struct table_column columns[] = {
	        {"VCPU", true},    {"LAST", true},    {"WAIT us p50", true}, {"p99", true},
	        {"p99.9", true},   {"max", true},     {"RUN", true},         {"READY", true},
	        {"BOOSTED", true}, {"WAKEUPS", true}, {"FAST", true},
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
			render_window(table, vcpu, window);
		}
	}
	if (!any)
		return;
	fputs("\n", out);
	table_print(table, out, 0);
}
