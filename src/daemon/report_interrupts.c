// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_interrupts.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#include "daemon/report_json.h"
#include "policy/help.h"

/* Of the injections, those whose delivery was seen; -1 where there were none. */
static int seen_permille(uint64_t injections, uint64_t unseen)
{
	if (injections == 0)
		return -1;
	return (int)((injections - MIN(unseen, injections)) * 1000 / injections);
}

void report_signs(const struct policy_view *view, struct cJSON *object)
{
	report_integer(object, "interrupt_boosts_total", (int64_t)view->interrupts_total);
	report_integer(object, "spins_total", (int64_t)view->spins_total);
	report_integer(object, "pushed_total", (int64_t)view->pushed_total);
	report_help(view, object);
}

void report_help(const struct policy_view *view, struct cJSON *object)
{
	static const char *const rounds[POLICY_HELP_ROUNDS] = {
	        [HELP_NAMED] = "named",     [HELP_SENT] = "sent", [HELP_PENDING] = "pending",
	        [HELP_RELAXED] = "relaxed", [HELP_NONE] = "none",
	};
	cJSON *help = cJSON_AddObjectToObject(object, "help");

	for (size_t i = 0; i < ARRAY_SIZE(rounds); i++)
		report_integer(help, rounds[i], (int64_t)view->helps_total[i]);
	report_integer(help, "no_pulse", (int64_t)view->no_pulse_total);
	report_integer(help, "pulses", (int64_t)view->pulses_total);
	report_integer(help, "holds", (int64_t)view->holds_total);
}

void report_interrupts(const struct pvs_vcpu_account *account, const struct policy_view *view,
                       struct cJSON *object)
{
	cJSON *paths;

	report_integer(object, "interrupts", (int64_t)account->injections);
	paths = cJSON_AddObjectToObject(object, "interrupt_paths");
	report_integer(paths, "delivered", (int64_t)account->deliveries);
	report_integer(paths, "delivered_own", (int64_t)account->deliveries_own);
	report_integer(paths, "delivered_waiting", (int64_t)account->deliveries_waiting);
	report_integer(paths, "injected", (int64_t)account->injections);
	report_integer(paths, "injected_unseen", (int64_t)account->injections_unseen);
	report_integer(object, "spin_signs", (int64_t)account->spins);
	report_integer(object, "ipis_seen_total", (int64_t)account->ipis);
	report_signs(view, object);
}

void report_interrupt_counts(const struct pvs_interrupt_counts *counts, struct cJSON *object)
{
	int permille = seen_permille(counts->injections_known, counts->injections_unseen);

	report_integer(object, "injections", (int64_t)counts->injections);
	report_integer(object, "injections_known", (int64_t)counts->injections_known);
	report_integer(object, "injections_unseen", (int64_t)counts->injections_unseen);
	report_integer(object, "deliveries", (int64_t)counts->attributed);
	report_integer(object, "deliveries_own", (int64_t)counts->own);
	report_integer(object, "deliveries_unattributed", (int64_t)counts->unattributed);
	report_integer(object, "deliveries_in_handler", (int64_t)counts->in_handler);
	report_integer(object, "deliveries_by_hardware", (int64_t)counts->by_hardware);
	if (permille >= 0)
		report_integer(object, "injections_seen_permille", permille);
}

void report_interrupts_seen(const struct tracer *tracer, const struct pvs_interrupt_counts *counts,
                            char *text, size_t size)
{
	int permille = seen_permille(counts->injections_known, counts->injections_unseen);
	char missing[160], share[96] = "none was injected by KVM yet";

	tracer_missing(tracer, missing, sizeof(missing));
	if (permille >= 0)
		snprintf(share, sizeof(share),
		         "%d.%d %% of %llu injections by KVM were seen on their way", permille / 10,
		         permille % 10, counts->injections_known);
	snprintf(text, size,
	         "%s; deliveries: %llu attributed, %llu of these by the vCPU itself, %llu of other "
	         "VMs, %llu by interrupt handlers, %llu left to the hardware%s%s",
	         share, counts->attributed, counts->own, counts->unattributed, counts->in_handler,
	         counts->by_hardware, missing[0] ? "; missing: " : "", missing);
}
