// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/aside_report.h"

#include <inttypes.h>

#include "util/clock.h"

static void put_cpus(FILE *f, const char *key, const struct cpu_set_bits *set)
{
	const char *comma = "";

	fprintf(f, ",\"%s\":[", key);
	CPU_SET_BITS_FOREACH(cpu, set)
	{
		fprintf(f, "%s%u", comma, cpu);
		comma = ",";
	}
	fputc(']', f);
}

static const char *state_of(const struct aside_view *view)
{
	return view->changing ? "changing" : aside_result_name(view->outcome.result);
}

void aside_report(FILE *f, const struct aside *aside)
{
	const struct aside_outcome *o;
	struct aside_view view;

	aside_read(aside, &view);
	o = &view.outcome;
	fprintf(f, "\"step_aside\":{\"mode\":\"%s\",\"by\":\"%s\",\"state\":\"%s\"",
	        aside_mode_name(view.mode), view.by, state_of(&view));
	put_cpus(f, "cpus", &o->avoided);
	put_cpus(f, "wanted", &view.wanted);
	put_cpus(f, "left_out", &o->left_out);
	if (view.since_ns)
		fprintf(f, ",\"since_s\":%" PRIu64,
		        (clock_now_ns() - view.since_ns) / NSEC_PER_SEC);
	if (o->reason != ASIDE_NO_REASON)
		fprintf(f, ",\"reason\":\"%s\",\"reason_text\":\"%s\"",
		        aside_reason_name(o->reason), aside_reason_text(o->reason));
	fprintf(f,
	        ",\"units\":%u,\"units_left\":%u,\"irqs\":%u,\"irqs_fixed\":%u,\"tasks_bound\":%u,"
	        "\"tasks_kept\":%u,\"irqbalance\":\"%s\",\"changes_total\":%" PRIu64,
	        o->units, o->units_left, o->irqs, o->irqs_fixed, o->tasks_bound, o->tasks_kept,
	        aside_irqbalance_name(o->irqbalance), view.changes);
	if (view.mode == SETTINGS_ASIDE_STEAL || view.mode == SETTINGS_ASIDE_AUTO)
		fprintf(f, ",\"contention_permille\":%u,\"reversals_total\":%u",
		        view.contention_permille, view.reversals);
	fputc('}', f);
}
