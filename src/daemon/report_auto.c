// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_auto.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>

#include "daemon/report_json.h"
#include "util/clock.h"

static int64_t seconds_since(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns && then_ns < now_ns ? (int64_t)((now_ns - then_ns) / NSEC_PER_SEC) : 0;
}

/* Why it is not boosted, or what the last look found, which counts once it is found again. */
static const char *verdict_text(const struct learned *learned)
{
	if (!learned->looked_ns)
		return "It was not looked at yet.";
	return recommend_verdict_text(learned->verdict);
}

static bool has_reason(const struct learned *learned)
{
	return learned->looked_ns &&
	       (learned->verdict == RECOMMEND_HELD || learned->verdict == RECOMMEND_NOT_MEASURED);
}

static void add_learned(const struct learned *learned, uint64_t now_ns, cJSON *object)
{
	if (learned->boosts) {
		report_integer(object, "burst_us", (int64_t)(learned->burst_ns / NSEC_PER_USEC));
		report_integer(object, "share_permille", learned->share_permille);
		report_integer(object, "covered_permille", learned->covered_permille);
		report_integer(object, "wakeups", (int64_t)learned->wakeups);
	}
	if (learned->since_ns)
		report_integer(object, "since_s", seconds_since(learned->since_ns, now_ns));
	if (!learned->looked_ns)
		return;
	report_integer(object, "looked_s", seconds_since(learned->looked_ns, now_ns));
	cJSON_AddStringToObject(object, "verdict", recommend_verdict_name(learned->verdict));
}

void report_auto(const struct views *views, const struct inventory_domain *domain, cJSON *object)
{
	const struct learned *learned = planning_learned(views->planning, domain);
	const struct plan_domain *plan = planning_domain(views->planning, domain);
	cJSON *member, *limits;

	if (!plan->learns)
		return;
	member = cJSON_AddObjectToObject(object, "auto");
	cJSON_AddStringToObject(member, "applies",
	                        plan->profile.mode == PROFILE_BOOST ? "boost" : "observe");
	add_learned(learned, clock_now_ns(), member);
	cJSON_AddStringToObject(member, "text", verdict_text(learned));
	if (has_reason(learned))
		cJSON_AddStringToObject(member, "reason", policy_reason_name(learned->reason));
	limits = cJSON_AddObjectToObject(member, "limits");
	report_integer(limits, "burst_us", (int64_t)(plan->limits.burst_ns / NSEC_PER_USEC));
	report_integer(limits, "share_permille", plan->limits.share_permille);
}

void report_auto_explain(const struct views *views, const struct inventory_domain *domain,
                         cJSON *object)
{
	const struct learned *learned = planning_learned(views->planning, domain);
	const struct plan_domain *plan = planning_domain(views->planning, domain);
	char text[512];

	if (!plan->learns)
		return;
	if (plan->profile.mode == PROFILE_BOOST)
		snprintf(text, sizeof(text),
		         "Profile %s learned a burst of %" PRIu64
		         " us and a share of %u.%u %% of a CPU, which cover %u.%u %% of %" PRIu64
		         " wake-ups. The last look: %s",
		         plan->profile.name, learned->burst_ns / NSEC_PER_USEC,
		         learned->share_permille / 10, learned->share_permille % 10,
		         learned->covered_permille / 10, learned->covered_permille % 10,
		         learned->wakeups, verdict_text(learned));
	else
		snprintf(text, sizeof(text), "Profile %s observes it. The last look: %s",
		         plan->profile.name, verdict_text(learned));
	cJSON_AddStringToObject(object, "auto_text", text);
}
