// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_tracer.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#include "util/log.h"
#include "util/log_ids.h"

void report_tracer_sources(const struct tracer *tracer, char *text, size_t size)
{
	const struct tracer_sources *sources = tracer_sources(tracer);
	const struct tracer_parts *parts = tracer_parts(tracer);
	char missing[160];
	size_t used;
	bool any = false;

	tracer_missing(tracer, missing, sizeof(missing));
	used = (size_t)snprintf(text, size, "switches, wake-ups%s%s%s%s%s%s",
	                        sources->inj_virq ? ", injections by KVM" : "",
	                        sources->apicv_accept_irq ? " and by hardware" : "",
	                        sources->apic_accept_irq ? ", deliveries" : "",
	                        sources->ple_window || sources->hypercall ? ", guests that spin"
	                                                                  : "",
	                        missing[0] ? "; missing: " : "", missing);
	for (unsigned int part = 0; part < PVS_PARTS && used < size; part++) {
		if (parts->loaded & (1U << part))
			continue;
		used += (size_t)snprintf(
		        text + used, size - used, "%s%s",
		        any ? ", " : "; refused by the kernel: ", tracer_part_name(part));
		any = true;
	}
}

void report_tracer_parts(const struct tracer *tracer, cJSON *root)
{
	const struct tracer_parts *parts = tracer_parts(tracer);
	cJSON *array = cJSON_AddArrayToObject(root, "tracer_parts");

	for (unsigned int part = 0; part < PVS_PARTS; part++) {
		bool is_loaded = parts->loaded & (1U << part);
		cJSON *object = cJSON_CreateObject();

		cJSON_AddStringToObject(object, "part", tracer_part_name(part));
		cJSON_AddBoolToObject(object, "ok", is_loaded);
		if (!is_loaded) {
			cJSON_AddStringToObject(object, "cause", parts->cause[part]);
			cJSON_AddStringToObject(object, "loss", tracer_part_loss(part));
		}
		cJSON_AddItemToArray(array, object);
	}
}

void report_tracer_start(const struct tracer *tracer)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_TRACER_PART_REFUSED};
	const struct tracer_parts *parts = tracer_parts(tracer);

	for (unsigned int part = 0; part < PVS_PARTS; part++)
		if (!(parts->loaded & (1U << part)))
			log_write(LOG_WARNING, &ctx,
			          "the kernel refuses the tracer's part \"%s\": %s; so %s",
			          tracer_part_name(part), parts->cause[part],
			          tracer_part_loss(part));
}
