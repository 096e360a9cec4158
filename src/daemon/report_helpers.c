// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_helpers.h"

#include <cjson/cJSON.h>

#include "daemon/report_json.h"

/* How it waited, and for how long of that behind its domain's boosted vCPUs. */
static void add_waits(const struct pvs_helper_account *account, cJSON *object)
{
	report_integer(object, "waits_total", (int64_t)account->waits);
	report_integer(object, "wait_us", (int64_t)(account->wait_ns / NSEC_PER_USEC));
	report_integer(object, "wait_max_us", (int64_t)(account->wait_max_ns / NSEC_PER_USEC));
	report_integer(object, "behind_max_us", (int64_t)(account->behind_max_ns / NSEC_PER_USEC));
	report_integer(object, "sheds_total", (int64_t)account->sheds);
}

/* Whether it follows its vCPUs, and what that did. */
static void add_follower(const struct views *views, unsigned int slot, cJSON *object)
{
	struct booster_vcpu read;

	if (slot == SLOT_NONE || booster_read(views->booster, slot, &read) < 0)
		return;
	cJSON_AddStringToObject(object, "state", policy_state_name(read.view.state));
	cJSON_AddStringToObject(object, "reason", policy_reason_name(read.view.reason));
	report_integer(object, "boosts_total", (int64_t)read.view.boosts_total);
	report_integer(object, "throttles_total", (int64_t)read.view.throttles_total);
	report_integer(object, "boosted_us",
	               (int64_t)(views->accounts->vcpus[slot].used_ns / NSEC_PER_USEC));
}

void report_helpers(const struct views *views, const struct inventory_domain *domain,
                    struct cJSON *object)
{
	const struct helper_threads *helpers = views->helpers;
	const struct tracer *tracer = views->tracer;
	static const char *const roles[] = {
	        [HELPER_EMULATOR] = "emulator",
	        [HELPER_IOTHREAD] = "iothread",
	        [HELPER_VHOST] = "vhost",
	};
	/* without that part of the tracer they are registered for their exits alone */
	bool is_seen = tracer && tracer_parts(tracer)->loaded & PVS_PART_HELPERS;
	cJSON *array = cJSON_AddArrayToObject(object, "helpers");

	for (size_t i = 0; i < domain->seen->n_helpers; i++) {
		const struct helper_thread *thread = &domain->seen->helpers[i];
		const struct pvs_helper_account *account =
		        is_seen ? helper_threads_account(helpers, domain, &thread->id) : NULL;
		unsigned int slot = followers_slot(views->followers, domain, &thread->id);
		cJSON *helper = cJSON_CreateObject();

		report_integer(helper, "tid", (int64_t)thread->id.tid);
		cJSON_AddStringToObject(helper, "role", roles[thread->role]);
		cJSON_AddBoolToObject(helper, "watched", account != NULL);
		if (account)
			add_waits(account, helper);
		cJSON_AddBoolToObject(helper, "follows", slot != SLOT_NONE);
		add_follower(views, slot, helper);
		cJSON_AddItemToArray(array, helper);
	}
}
