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

void report_name(const struct inventory_domain *domain, char *buffer)
{
	const char *name = domain->seen->name;

	if (utf8_valid(name, strlen(name)))
		snprintf(buffer, REPORT_NAME_MAX, "%s", name);
	else
		escape_text(name, buffer, REPORT_NAME_MAX);
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
