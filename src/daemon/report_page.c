// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of guest pages: JSON. */
#include "daemon/manager.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A number of 64 bits does not survive JSON. */
static void add_hex(cJSON *object, const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%016" PRIx64, value);
	cJSON_AddStringToObject(object, key, text);
}

static const char *carrier_state(const struct managed_carrier *c)
{
	if (c->carrier)
		return c->shared ? "shared" : "open";
	if (c->error)
		return c->error == -EPERM ? "not-looked-for" : "error";
	if (c->problem > CARRIER_ABSENT)
		return carrier_problem_name((enum carrier_problem)c->problem);
	return "absent";
}

static const char *carrier_detail(const struct managed_carrier *c)
{
	if (c->carrier)
		return c->shared ? "another domain has the same memory: nobody may use it" : "";
	if (c->error)
		return c->error == -EPERM ? "pvschedd may not look into QEMU; see pvschedctl doctor"
		                          : strerror(-c->error);
	if (c->problem > CARRIER_ABSENT)
		return carrier_problem_text((enum carrier_problem)c->problem);
	return "the domain has no memory for guest pages; `pvschedctl attach` gives it some";
}

void report_carrier(const struct managed_domain *d, struct cJSON *object)
{
	const struct managed_carrier *c = &d->pages;
	cJSON *report = cJSON_AddObjectToObject(object, "carrier");

	cJSON_AddStringToObject(report, "state", carrier_state(c));
	cJSON_AddStringToObject(report, "detail", carrier_detail(c));
	cJSON_AddNumberToObject(report, "losses_total", (double)c->losses_total);
	if (!c->carrier)
		return;
	cJSON_AddStringToObject(report, "kind", carrier_kind_name(carrier_kind(c->carrier)));
	cJSON_AddBoolToObject(report, "sealed", carrier_sealed(c->carrier));
	cJSON_AddNumberToObject(report, "size", (double)carrier_size(c->carrier));
	cJSON_AddNumberToObject(report, "pages", c->n_pages);
	add_hex(report, "generation", c->generation);
}

void report_page(const struct pages_view *page, struct cJSON *object)
{
	cJSON *report;

	if (!page->present)
		return;
	report = cJSON_AddObjectToObject(object, "page");
	cJSON_AddStringToObject(report, "status", guest_status_name(page->status));
	cJSON_AddStringToObject(report, "asks", guest_opinion_name(page->ask));
	cJSON_AddStringToObject(report, "read_by", page->polled ? "polling" : "tracer");
	cJSON_AddBoolToObject(report, "agent", page->hello.agent_generation != 0);
	add_hex(report, "generation", page->generation);
	cJSON_AddNumberToObject(report, "hellos_total", (double)page->hellos_total);
	cJSON_AddNumberToObject(report, "polls_total", (double)page->polls_total);
	cJSON_AddNumberToObject(report, "invalid_total", page->invalid_total);
	cJSON_AddNumberToObject(report, "faults_total", page->faults_total);
}
