/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/report_trial.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/report_json.h"
#include "util/escape.h"

/* As report_name() does it: the domain may be gone. */
static void add_name(cJSON *object, const char *name)
{
	char escaped[REPORT_NAME_MAX];

	if (!utf8_valid(name, strlen(name))) {
		escape_text(name, escaped, sizeof(escaped));
		name = escaped;
	}
	cJSON_AddStringToObject(object, "domain", name);
}

static int64_t rounded(double value)
{
	return (int64_t)(value < 0 ? value - 0.5 : value + 0.5);
}

/* ---- its course ---- */

static void add_course(cJSON *object, const struct trial_view *trial)
{
	cJSON *window;

	cJSON_AddStringToObject(object, "state", trial_end_name(trial->end));
	cJSON_AddStringToObject(object, "state_text", trial_end_text(trial->end));
	if (trial->end == TRIAL_END_HELD) {
		cJSON_AddStringToObject(object, "reason", policy_reason_name(trial->held));
		cJSON_AddStringToObject(object, "explanation", policy_reason_text(trial->held));
	}
	report_integer(object, "for_ms", (int64_t)(trial->all_ns / NSEC_PER_MSEC));
	report_integer(object, "elapsed_ms", (int64_t)(trial->over_ns / NSEC_PER_MSEC));
	report_integer(object, "blocks", trial->verdict.blocks);
	report_integer(object, "dropped_blocks", trial->dropped);
	report_integer(object, "probe_threads", trial->probes);
	report_hex(object, "seed", trial->seed);
	if (trial->end != TRIAL_RUNS)
		return;
	window = cJSON_AddObjectToObject(object, "window");
	cJSON_AddBoolToObject(window, "boosts", trial->step.on);
	report_integer(window, "length_ms", (int64_t)(trial->step.length_ns / NSEC_PER_MSEC));
	report_integer(window, "left_ms", (int64_t)(trial->step_left_ns / NSEC_PER_MSEC));
}

/* ---- what was measured ---- */

static void add_interval(cJSON *object, const char *key, const struct trial_interval *interval,
                         double unit)
{
	cJSON *member = cJSON_AddObjectToObject(object, key);

	report_integer(member, "value", rounded(interval->value * unit));
	report_integer(member, "low", rounded(interval->low * unit));
	report_integer(member, "high", rounded(interval->high * unit));
}

static void add_side(cJSON *object, const char *key, const struct trial_view *trial, bool on)
{
	const struct trial_interval *wait_us = trial->verdict.wait_us[on];
	const struct trial_totals *totals = &trial->totals[on];
	cJSON *side = cJSON_AddObjectToObject(object, key);

	report_integer(side, "waits", (int64_t)trial->verdict.waits[on]);
	add_interval(side, "p50_us", &wait_us[TRIAL_P50], 1);
	add_interval(side, "p99_us", &wait_us[TRIAL_P99], 1);
	add_interval(side, "p999_us", &wait_us[TRIAL_P999], 1);
	report_integer(side, "measured_ms", (int64_t)(totals->length_ns / NSEC_PER_MSEC));
	report_integer(side, "boosts", (int64_t)totals->boosts);
	report_integer(side, "denied", (int64_t)totals->denied);
	report_integer(side, "preemptions", (int64_t)totals->preemptions);
}

static void add_price(cJSON *object, const struct trial_verdict *verdict)
{
	cJSON *price = cJSON_AddObjectToObject(object, "price");

	cJSON_AddStringToObject(price, "verdict", trial_price_name(verdict->price));
	report_integer(price, "boosted_permille", verdict->boosted_permille);
	if (verdict->measured[verdict->worst])
		cJSON_AddStringToObject(price, "worst", trial_neighbour_name(verdict->worst));
	for (enum trial_neighbour i = TRIAL_DOMAINS; i < _TRIAL_NEIGHBOUR_MAX; i++)
		if (verdict->measured[i])
			add_interval(price, trial_neighbour_name(i), &verdict->lost_ppm[i], 1e-3);
}

/* Buckets in which there is something: below that limit, without boosts, with boosts. */
static void add_histogram(cJSON *object, const struct trial_view *trial)
{
	cJSON *rows = cJSON_AddArrayToObject(object, "histogram"), *row;

	for (uint32_t i = 0; i < PVS_WAIT_BUCKETS; i++) {
		if (!trial->waits[0][i] && !trial->waits[1][i])
			continue;
		row = cJSON_CreateObject();
		report_integer(row, "below_us", (int64_t)pvs_wait_bucket_limit_us(i));
		report_integer(row, "off", (int64_t)trial->waits[0][i]);
		report_integer(row, "on", (int64_t)trial->waits[1][i]);
		cJSON_AddItemToArray(rows, row);
	}
}

/* ---- what follows ---- */

/* A uuid that was made up is not kept over a restart. */
static void add_command(cJSON *object, const struct inventory_domain *domain,
                        const struct trial_view *trial)
{
	const struct policy_entry *policy = trial->policy;
	char command[REPORT_NAME_MAX + 160], figures[64] = "";
	size_t n = 0;

	if (policy->burst_ns)
		n = (size_t)snprintf(figures, sizeof(figures), " --burst %" PRIu64 "us",
		                     policy->burst_ns / NSEC_PER_USEC);
	if (policy->share_permille)
		snprintf(figures + n, sizeof(figures) - n, " --share %" PRIu32,
		         policy->share_permille);
	snprintf(command, sizeof(command), "pvschedctl policy set %s %s%s%s",
	         domain ? report_word(domain) : policy->uuid, policy->profile, figures,
	         domain && domain->seen->uuid_kind != DOMAIN_UUID_OWN ? "" : " --persist");
	cJSON_AddStringToObject(object, "command", command);
}

static void add_verdict(cJSON *object, const struct inventory_domain *domain,
                        const struct trial_view *trial)
{
	const struct trial_verdict *verdict = &trial->verdict;

	cJSON_AddStringToObject(object, "advice", trial_advice_name(verdict->advice));
	cJSON_AddStringToObject(object, "text", trial_verdict_text(verdict));
	cJSON_AddStringToObject(object, "gain", trial_gain_name(verdict->gain));
	add_interval(object, "p99_ratio_permille", &verdict->ratio, 1000);
	if (verdict->advice == TRIAL_RECOMMEND && trial->end != TRIAL_RUNS)
		add_command(object, domain, trial);
}

struct cJSON *report_trial(const struct views *views, const struct trial_view *trial)
{
	const struct inventory_domain *domain =
	        inventory_find_uuid(views->inventory, trial->policy->uuid);
	cJSON *root = cJSON_CreateObject();

	add_name(root, trial->policy->name);
	cJSON_AddStringToObject(root, "uuid", trial->policy->uuid);
	cJSON_AddStringToObject(root, "profile", trial->policy->profile);
	add_course(root, trial);
	add_side(root, "off", trial, false);
	add_side(root, "on", trial, true);
	add_price(root, &trial->verdict);
	add_verdict(root, domain, trial);
	add_histogram(root, trial);
	return root;
}
