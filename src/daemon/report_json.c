// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void report_integer(cJSON *object, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	cJSON_AddRawToObject(object, key, text);
}

void report_hex(cJSON *object, const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%016" PRIx64, value);
	cJSON_AddStringToObject(object, key, text);
}

static void make_valid(const char *text, char *buffer)
{
	if (utf8_valid(text, strlen(text)))
		snprintf(buffer, REPORT_NAME_MAX, "%s", text);
	else
		escape_text(text, buffer, REPORT_NAME_MAX);
}

void report_name(const struct inventory_domain *domain, char *buffer)
{
	make_valid(domain->seen->name, buffer);
}

const char *report_word(const struct inventory_domain *domain)
{
	static const char plain[] =
	        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+:-";
	const char *name = domain->seen->name;

	return name[0] && name[0] != '-' && strspn(name, plain) == strlen(name)
	               ? name
	               : domain->seen->uuid;
}

void report_add_name(cJSON *object, const char *key, const struct inventory_domain *domain)
{
	char name[REPORT_NAME_MAX];

	report_name(domain, name);
	cJSON_AddStringToObject(object, key, name);
}

_Static_assert(LABEL_MAX <= DOMAIN_NAME_MAX && LABEL_TAG_MAX <= DOMAIN_NAME_MAX, "fits as a name");

static void add_label(cJSON *object, const char *key, const char *label)
{
	char text[REPORT_NAME_MAX];

	if (!label[0])
		return;
	make_valid(label, text);
	cJSON_AddStringToObject(object, key, text);
}

void report_add_labels(cJSON *object, const struct inventory_domain *domain)
{
	const struct domain_labels *labels = &domain->seen->labels;
	char text[REPORT_NAME_MAX];
	cJSON *tags;

	if (labels->vmid)
		report_integer(object, "vmid", labels->vmid);
	add_label(object, "title", labels->title);
	add_label(object, "flavor", labels->flavor);
	if (!labels->n_tags)
		return;
	tags = cJSON_AddArrayToObject(object, "tags");
	for (uint32_t i = 0; i < labels->n_tags; i++) {
		make_valid(labels->tags[i], text);
		cJSON_AddItemToArray(tags, cJSON_CreateString(text));
	}
}
