// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_page.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "daemon/report_json.h"
#include "policy/registry.h"

static const char *carrier_state(const struct carrier_view *c)
{
	if (c->carrier)
		return "open";
	if (c->error)
		return c->error == -EPERM ? "not-looked-for" : "error";
	if (c->problem > CARRIER_ABSENT)
		return carrier_problem_name((enum carrier_problem)c->problem);
	return "absent";
}

static const char *carrier_detail(const struct carrier_view *c)
{
	if (c->carrier)
		return "";
	if (c->error)
		return c->error == -EPERM ? "pvschedd may not look into QEMU; see pvschedctl doctor"
		                          : strerror(-c->error);
	if (c->problem > CARRIER_ABSENT)
		return carrier_problem_text((enum carrier_problem)c->problem);
	return "the domain has no memory for guest pages; `pvschedctl attach` gives it some";
}

void report_carrier(const struct carriers *carriers, const struct inventory_domain *domain,
                    struct cJSON *object)
{
	cJSON *report = cJSON_AddObjectToObject(object, "carrier");
	struct carrier_view view;
	const struct carrier_view *c = &view;

	carriers_read(carriers, domain, &view);
	cJSON_AddStringToObject(report, "state", carrier_state(c));
	cJSON_AddStringToObject(report, "detail", carrier_detail(c));
	report_integer(report, "losses_total", (int64_t)c->losses_total);
	if (!c->carrier)
		return;
	cJSON_AddStringToObject(report, "kind",
	                        carrier_kind_name((enum carrier_kind)c->carrier->kind));
	cJSON_AddBoolToObject(report, "sealed", c->carrier->sealed);
	report_integer(report, "size", (int64_t)c->carrier->size);
	report_integer(report, "pages", (int64_t)c->n_pages);
	report_hex(report, "generation", c->generation);
}

void report_page(const struct pages_view *page, struct cJSON *object)
{
	char label[REGISTRY_LABEL_MAX];
	cJSON *report;

	if (!page->present)
		return;
	report = cJSON_AddObjectToObject(object, "page");
	cJSON_AddStringToObject(report, "status", guest_status_name(page->status));
	if (page->policy) {
		registry_label(page->policy, label);
		cJSON_AddStringToObject(report, "policy", label);
	}
	cJSON_AddStringToObject(report, "request", guest_urgency_name(page->urgency));
	cJSON_AddStringToObject(report, "read_by", page->polled ? "polling" : "tracer");
	cJSON_AddBoolToObject(report, "agent", page->hello.agent_generation != 0);
	report_hex(report, "generation", page->generation);
	report_integer(report, "hellos_total", (int64_t)page->hellos_total);
	report_integer(report, "polls_total", (int64_t)page->polls_total);
	report_integer(report, "invalid_total", (int64_t)page->invalid_total);
	report_integer(report, "faults_total", (int64_t)page->faults_total);
}
