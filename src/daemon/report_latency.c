// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_latency.h"

#include <cjson/cJSON.h>

#include "daemon/report_json.h"
#include "daemon/report_windows.h"
#include "util/clock.h"

/* What windows need: the booster is not asked. */
static void take(const struct views *views, const struct inventory_vcpu *vcpu,
                 struct vcpu_snapshot *ret)
{
	*ret = (struct vcpu_snapshot){.traced = vcpu->slot != SLOT_NONE};
	ret->taken_ns = clock_now_ns();
	if (ret->traced)
		ret->account = views->accounts->vcpus[vcpu->slot];
}

/* Buckets that have no waits are left out. */
static void add_histogram(cJSON *windows, const char *window, const struct window_sum *sum)
{
	cJSON *object = cJSON_GetObjectItemCaseSensitive(windows, window), *histogram;

	if (!object)
		return;
	histogram = cJSON_AddArrayToObject(object, "histogram");
	for (uint32_t i = 0; i < PVS_WAIT_BUCKETS; i++) {
		cJSON *bucket;

		if (!sum->wait_counts[i])
			continue;
		bucket = cJSON_CreateObject();
		report_integer(bucket, "below_us", (int64_t)pvs_wait_bucket_limit_us(i));
		report_integer(bucket, "count", (int64_t)sum->wait_counts[i]);
		cJSON_AddItemToArray(histogram, bucket);
	}
}

static void add_windows(const struct window_sums *sums, cJSON *object)
{
	cJSON *windows;

	report_window_sums(sums, object);
	windows = cJSON_GetObjectItemCaseSensitive(object, "windows");
	add_histogram(windows, "now", &sums->now);
	add_histogram(windows, "before", &sums->before);
}

struct cJSON *report_latency(const struct views *views, const struct inventory_domain *domain,
                             int vcpu, const struct latency_trace *trace)
{
	struct window_sums sums = {0};
	struct vcpu_snapshot snapshot;
	cJSON *root;
	size_t n = 0;

	for (size_t i = 0; i < domain->n_vcpus; i++) {
		const struct inventory_vcpu *v = &domain->vcpus[i];

		if (vcpu >= 0 && (unsigned int)vcpu != v->thread.index)
			continue;
		n++;
		take(views, v, &snapshot);
		report_windows_sum(views, v, &snapshot, &sums);
	}
	if (vcpu >= 0 && n == 0)
		return NULL;
	root = cJSON_CreateObject();
	report_add_name(root, "domain", domain);
	cJSON_AddStringToObject(root, "uuid", domain->seen->uuid);
	cJSON_AddStringToObject(root, "profile",
	                        planning_domain(views->planning, domain)->profile.name);
	if (vcpu >= 0)
		report_integer(root, "vcpu", vcpu);
	report_integer(root, "vcpus", (int64_t)n);
	report_integer(root, "taken_us", (int64_t)(clock_now_ns() / NSEC_PER_USEC));
	add_windows(&sums, root);
	report_blockers(views, domain, vcpu, trace, root);
	return root;
}
