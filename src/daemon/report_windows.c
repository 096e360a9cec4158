/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/report_windows.h"

#include <cjson/cJSON.h>

#include "daemon/delays.h"
#include "daemon/report_delays.h"
#include "daemon/report_json.h"
#include "daemon/windows.h"

static void add_permille(cJSON *object, const char *key, uint64_t part_ns, uint64_t all_ns)
{
	report_integer(object, key, all_ns ? (int64_t)(part_ns * 1000 / all_ns) : 0);
}

void report_waits(cJSON *object, const struct window_view *view, uint64_t now_ns)
{
	report_integer(object, "seconds", (int64_t)((now_ns - view->since_ns) / NSEC_PER_SEC));
	report_delays(object, "wait_us", view->wait_counts,
	              delays_percentile_us(view->wait_counts, 1000));
}

static void add_window(cJSON *windows, const char *name, const struct window_view *view,
                       uint64_t now_ns)
{
	cJSON *object = cJSON_AddObjectToObject(windows, name);
	uint64_t length_ns = now_ns - view->since_ns;

	report_waits(object, view, now_ns);
	add_permille(object, "run_permille", view->run_ns, length_ns);
	add_permille(object, "ready_permille", view->wait_ns, length_ns);
	add_permille(object, "boosted_permille", view->boosted_ns, length_ns);
	report_integer(object, "wakeups", (int64_t)view->wakeups);
	report_integer(object, "boosted_wakeups", (int64_t)view->wakeups_boosted);
}

/* Returns false if there are none. */
static bool read_marks(const struct views *views, const struct inventory_vcpu *vcpu,
                       const struct vcpu_snapshot *snapshot, struct pvs_windows *ret)
{
	return snapshot->traced && views->tracer &&
	       tracer_read_windows(views->tracer, vcpu->slot, ret) == 0;
}

bool report_window_now(const struct views *views, const struct inventory_vcpu *vcpu,
                       const struct vcpu_snapshot *snapshot, struct window_view *ret)
{
	struct pvs_windows marks;

	return read_marks(views, vcpu, snapshot, &marks) &&
	       window_read(&marks, 0, &snapshot->account, snapshot->taken_ns, ret);
}

void report_windows(const struct views *views, const struct inventory_vcpu *vcpu,
                    const struct vcpu_snapshot *snapshot, struct cJSON *object)
{
	cJSON *windows = cJSON_AddObjectToObject(object, "windows");
	struct pvs_windows marks;
	struct window_view view;

	if (!read_marks(views, vcpu, snapshot, &marks))
		return;
	for (unsigned int i = 0; i < PVS_WINDOWS; i++)
		if (window_read(&marks, i, &snapshot->account, snapshot->taken_ns, &view))
			add_window(windows, window_name(i), &view, snapshot->taken_ns);
}
