// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_blockers.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/report_json.h"
#include "daemon/runner_place.h"
#include "trace/blockers.h"
#include "util/clock.h"

#define TOP_MAX 10
/* Of so many others of its cgroup one may still live that tells where that is. */
#define RELATIVES_MAX 8

/* All that is known of the waits of one vCPU or of several. */
struct waits {
	uint64_t wait_ns, waits;
	size_t n, room;
	struct pvs_blocker *blockers;
	struct pvs_long_wait longest[PVS_WAIT_KINDS];
	unsigned int longest_vcpu[PVS_WAIT_KINDS];
};

/* Of two vCPUs the later wait, but for a shorter one that came within a second. */
static bool is_newer(const struct pvs_long_wait *a, const struct pvs_long_wait *b)
{
	if (a->until_ns > b->until_ns)
		return a->wait_ns >= b->wait_ns || a->until_ns - b->until_ns > PVS_LONGEST_NS;
	return a->until_ns && a->wait_ns > b->wait_ns && b->until_ns - a->until_ns < PVS_LONGEST_NS;
}

static void add_trace(struct waits *waits, const struct pvs_wait_trace *trace, unsigned int vcpu)
{
	waits->wait_ns += trace->wait_ns;
	waits->waits += trace->waits;
	for (size_t i = 0; i < PVS_BLOCKERS && waits->n < waits->room; i++)
		if (trace->blockers[i].ns)
			waits->blockers[waits->n++] = trace->blockers[i];
	for (size_t kind = 0; kind < PVS_WAIT_KINDS; kind++) {
		if (!is_newer(&trace->longest[kind], &waits->longest[kind]))
			continue;
		waits->longest[kind] = trace->longest[kind];
		waits->longest_vcpu[kind] = vcpu;
	}
}

static int by_runner(const void *a, const void *b)
{
	const struct pvs_runner *x = &((const struct pvs_blocker *)a)->runner;
	const struct pvs_runner *y = &((const struct pvs_blocker *)b)->runner;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return memcmp(x->name, y->name, sizeof(x->name));
}

static int by_time(const void *a, const void *b)
{
	const struct pvs_blocker *x = a, *y = b;

	return x->ns == y->ns ? by_runner(a, b) : x->ns > y->ns ? -1 : 1;
}

/* One entry for the same blocker of several vCPUs, the largest first. */
static void merge(struct waits *waits)
{
	size_t n = 0;

	if (waits->n == 0)
		return;
	qsort(waits->blockers, waits->n, sizeof(*waits->blockers), by_runner);
	for (size_t i = 1; i < waits->n; i++) {
		if (pvs_runner_equal(&waits->blockers[n].runner, &waits->blockers[i].runner)) {
			waits->blockers[n].ns += waits->blockers[i].ns;
			waits->blockers[n].runs += waits->blockers[i].runs;
		} else {
			waits->blockers[++n] = waits->blockers[i];
		}
	}
	waits->n = n + 1;
	qsort(waits->blockers, waits->n, sizeof(*waits->blockers), by_time);
}

static bool is_wanted(const struct inventory_vcpu *vcpu, int index)
{
	return vcpu->slot != SLOT_NONE && (index < 0 || (unsigned int)index == vcpu->thread.index);
}

static int collect(const struct views *views, const struct inventory_domain *domain, int vcpu,
                   struct waits *ret)
{
	struct pvs_wait_trace trace;

	*ret = (struct waits){.room = domain->n_vcpus * PVS_BLOCKERS};
	ret->blockers = calloc(ret->room ?: 1, sizeof(*ret->blockers));
	if (!ret->blockers)
		return -ENOMEM;
	for (size_t i = 0; i < domain->n_vcpus; i++) {
		const struct inventory_vcpu *v = &domain->vcpus[i];

		if (is_wanted(v, vcpu) &&
		    tracer_read_waits(views->tracer, v->thread.id.tid, &trace) == 0)
			add_trace(ret, &trace, v->thread.index);
	}
	merge(ret);
	return 0;
}

static void add_text(cJSON *object, const char *key, const char *text)
{
	char escaped[ESCAPE_SIZE(CGROUP_GROUP_MAX)];

	if (!utf8_valid(text, strlen(text))) {
		escape_text(text, escaped, sizeof(escaped));
		text = escaped;
	}
	cJSON_AddStringToObject(object, key, text);
}

/*
 * Where it belongs. If its own thread is gone, a thread of the same cgroup that ran meanwhile may
 * tell the cgroup: a compiler is gone, and its shell is not.
 */
static void find_place(const struct views *views, const struct waits *waits,
                       const struct pvs_runner *runner, struct runner_place *ret)
{
	unsigned int tries = 0;

	if (runner_place_find(runner, views->inventory, views->cgroup, ret) || !runner->group)
		return;
	for (size_t i = 0; i < waits->n && tries < RELATIVES_MAX; i++) {
		const struct pvs_runner *other = &waits->blockers[i].runner;

		if (other->group != runner->group)
			continue;
		tries++;
		if (runner_place_find(other, views->inventory, views->cgroup, ret) && ret->group[0])
			break;
	}
	ret->domain = NULL; /* that is the other one's */
}

static cJSON *of_runner(const struct views *views, const struct waits *waits,
                        const struct pvs_runner *runner)
{
	cJSON *object = cJSON_CreateObject();
	struct runner_place place;
	char name[RUNNER_NAME_MAX];

	runner_name(runner, name);
	cJSON_AddBoolToObject(object, "idle", runner->tid == 0);
	add_text(object, "comm", name);
	if (!runner->tid)
		return object;
	report_integer(object, "tid", runner->tid);
	find_place(views, waits, runner, &place);
	if (place.group[0])
		add_text(object, "cgroup", place.group);
	if (!place.domain)
		return object;
	report_add_name(object, "domain", place.domain);
	cJSON_AddStringToObject(object, "uuid", place.domain->seen->uuid);
	return object;
}

static void add_top(const struct views *views, const struct waits *waits, cJSON *object)
{
	cJSON *top = cJSON_AddArrayToObject(object, "top");
	uint64_t named_ns = 0;

	for (size_t i = 0; i < MIN(waits->n, (size_t)TOP_MAX); i++) {
		const struct pvs_blocker *blocker = &waits->blockers[i];
		cJSON *one = of_runner(views, waits, &blocker->runner);

		named_ns += blocker->ns;
		report_integer(one, "us", (int64_t)(blocker->ns / NSEC_PER_USEC));
		report_integer(one, "runs", (int64_t)blocker->runs);
		cJSON_AddItemToArray(top, one);
	}
	report_integer(object, "others_us",
	               waits->wait_ns > named_ns
	                       ? (int64_t)((waits->wait_ns - named_ns) / NSEC_PER_USEC)
	                       : 0);
}

static int by_length(const void *a, const void *b)
{
	const struct pvs_behind *x = a, *y = b;

	return x->ns == y->ns ? 0 : x->ns > y->ns ? -1 : 1;
}

static void add_behind(const struct views *views, const struct waits *waits,
                       const struct pvs_long_wait *wait, cJSON *object)
{
	cJSON *array = cJSON_AddArrayToObject(object, "behind");
	struct pvs_behind sorted[PVS_WAIT_BEHIND];

	memcpy(sorted, wait->behind, sizeof(sorted));
	qsort(sorted, PVS_WAIT_BEHIND, sizeof(sorted[0]), by_length);
	for (size_t i = 0; i < PVS_WAIT_BEHIND && sorted[i].ns; i++) {
		cJSON *one = of_runner(views, waits, &sorted[i].runner);

		report_integer(one, "us", (int64_t)(sorted[i].ns / NSEC_PER_USEC));
		cJSON_AddItemToArray(array, one);
	}
}

static void add_long_waits(const struct views *views, const struct waits *waits, cJSON *root)
{
	cJSON *array = cJSON_AddArrayToObject(root, "long_waits");

	for (size_t kind = 0; kind < PVS_WAIT_KINDS; kind++) {
		const struct pvs_long_wait *wait = &waits->longest[kind];
		cJSON *object;

		if (!wait->until_ns)
			continue;
		object = cJSON_CreateObject();
		report_integer(object, "vcpu", waits->longest_vcpu[kind]);
		report_integer(object, "until_us", (int64_t)(wait->until_ns / NSEC_PER_USEC));
		report_integer(object, "wait_us", (int64_t)(wait->wait_ns / NSEC_PER_USEC));
		report_integer(object, "cpu", wait->cpu);
		add_behind(views, waits, wait, object);
		cJSON_AddItemToArray(array, object);
	}
}

static const char *why_not(int error)
{
	if (error == -EOPNOTSUPP)
		return "the tracer lacks the part \"blockers\": pvschedctl doctor";
	if (error == -EUSERS)
		return "too many other domains are asked for now; try again later";
	if (error == -E2BIG)
		return "too many vCPUs are asked for now; try again later";
	return strerror(-error);
}

void report_blockers(const struct views *views, const struct inventory_domain *domain, int vcpu,
                     const struct latency_trace *trace, struct cJSON *object)
{
	cJSON *blockers = cJSON_AddObjectToObject(object, "blockers");
	struct waits waits = {0};
	int r = trace->error;

	if (r == 0)
		r = collect(views, domain, vcpu, &waits);
	cJSON_AddBoolToObject(blockers, "traced", r == 0);
	if (r < 0) {
		cJSON_AddStringToObject(blockers, "why", why_not(r));
		return;
	}
	report_integer(blockers, "traced_ms",
	               (int64_t)((clock_now_ns() - trace->since_ns) / NSEC_PER_MSEC));
	report_integer(blockers, "waits", (int64_t)waits.waits);
	report_integer(blockers, "wait_us", (int64_t)(waits.wait_ns / NSEC_PER_USEC));
	add_top(views, &waits, blockers);
	add_long_waits(views, &waits, object);
	free(waits.blockers);
}
