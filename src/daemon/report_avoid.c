// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_avoid.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "daemon/report_json.h"
#include "util/cpulist.h"

void report_avoid(const struct views *views, const struct inventory_domain *domain,
                  struct cJSON *object)
{
	cJSON *member = cJSON_AddObjectToObject(object, "avoid");
	struct cpu_set_bits set = CPU_SET_BITS_NULL;
	struct avoid_view view;
	char text[2048];

	avoid_read(views->avoid, domain, &view);
	memcpy(set.words, view.vcpus, sizeof(view.vcpus));
	cpulist_format(&set, text, sizeof(text));
	cJSON_AddStringToObject(member, "by", avoid_mode_name(view.mode));
	cJSON_AddBoolToObject(member, "governed", view.governed);
	cJSON_AddStringToObject(member, "vcpus", text);
	if (!view.governed)
		return;
	report_integer(member, "contention_permille", view.contention_permille);
	report_integer(member, "entitled_permille", view.entitled_permille);
	report_integer(member, "reversals_total", view.reversals_total);
}
