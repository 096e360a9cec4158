// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of the threads that work for a domain. */
#include "daemon/manager.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add_number(cJSON *object, const char *key, uint64_t value)
{
	cJSON_AddNumberToObject(object, key, (double)value);
}

/* How it waited, and for how long of that behind its domain's elevated vCPUs. */
static void add_waits(const struct pvs_helper_account *account, cJSON *object)
{
	add_number(object, "waits_total", account->waits);
	add_number(object, "wait_us", account->wait_ns / NSEC_PER_USEC);
	add_number(object, "wait_max_us", account->wait_max_ns / NSEC_PER_USEC);
	add_number(object, "behind_max_us", account->behind_max_ns / NSEC_PER_USEC);
	add_number(object, "sheds_total", account->sheds);
}

void report_helpers(const struct manager *m, const struct managed_domain *d, cJSON *object)
{
	static const char *const roles[] = {
	        [HELPER_EMULATOR] = "emulator",
	        [HELPER_IOTHREAD] = "iothread",
	        [HELPER_VHOST] = "vhost",
	};
	/* without that part of the tracer they are registered for their exits alone */
	bool is_seen = m->tracer && tracer_parts(m->tracer)->loaded & PVS_PART_HELPERS;
	cJSON *array = cJSON_AddArrayToObject(object, "helpers");

	for (size_t i = 0; i < d->seen->n_helpers; i++) {
		const struct helper_thread *thread = &d->seen->helpers[i];
		const struct pvs_helper_account *account =
		        is_seen ? helpers_account(m, d, &thread->id) : NULL;
		cJSON *helper = cJSON_CreateObject();

		add_number(helper, "tid", (uint64_t)thread->id.tid);
		cJSON_AddStringToObject(helper, "role", roles[thread->role]);
		cJSON_AddBoolToObject(helper, "watched", account != NULL);
		if (account)
			add_waits(account, helper);
		cJSON_AddItemToArray(array, helper);
	}
}
