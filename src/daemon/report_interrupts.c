// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of interrupts and of guests that spin: JSON, and the sentences about them. */
#include "daemon/manager.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>

static void add(cJSON *object, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	cJSON_AddRawToObject(object, key, text);
}

/* Of the injections, those whose delivery was seen; -1 where there were none. */
static int seen_permille(uint64_t injections, uint64_t unseen)
{
	if (injections == 0)
		return -1;
	return (int)((injections - MIN(unseen, injections)) * 1000 / injections);
}

void report_signs(const struct policy_view *view, struct cJSON *object)
{
	add(object, "interrupt_boosts_total", view->interrupts_total);
	add(object, "spins_total", view->spins_total);
	add(object, "displaced_total", view->displaced_total);
}

void report_interrupts(const struct pvs_vcpu_account *account, const struct policy_view *view,
                       struct cJSON *object)
{
	cJSON *paths;

	add(object, "interrupts", account->injections);
	paths = cJSON_AddObjectToObject(object, "interrupt_paths");
	add(paths, "delivered", account->deliveries);
	add(paths, "delivered_own", account->deliveries_own);
	add(paths, "delivered_waiting", account->deliveries_waiting);
	add(paths, "injected", account->injections);
	add(paths, "injected_unseen", account->injections_unseen);
	add(object, "spin_signs", account->spins);
	report_signs(view, object);
}

void report_interrupt_counts(const struct pvs_interrupt_counts *counts, struct cJSON *object)
{
	int permille = seen_permille(counts->injections_known, counts->injections_unseen);

	add(object, "injections", counts->injections);
	add(object, "injections_known", counts->injections_known);
	add(object, "injections_unseen", counts->injections_unseen);
	add(object, "deliveries", counts->attributed);
	add(object, "deliveries_own", counts->own);
	add(object, "deliveries_unattributed", counts->unattributed);
	add(object, "deliveries_in_handler", counts->in_handler);
	add(object, "deliveries_by_hardware", counts->by_hardware);
	if (permille >= 0)
		add(object, "injections_seen_permille", (uint64_t)permille);
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
