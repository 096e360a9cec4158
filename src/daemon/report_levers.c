// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_levers.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "boost/sched.h"
#include "daemon/report_json.h"

/* What keeps every vCPU of the host from a real-time class, whatever its profile. */
#define HOLDS_OF_RT                                                                                \
	(POLICY_HOLD(POLICY_REASON_PREEMPT_RT) | POLICY_HOLD(POLICY_REASON_NO_TRACER) |            \
	 POLICY_HOLD(POLICY_REASON_FAILED))

/* ---- the host ---- */

static void add_lever(cJSON *levers, const char *name, const char *missing)
{
	cJSON *lever = cJSON_AddObjectToObject(levers, name);

	cJSON_AddBoolToObject(lever, "available", !missing);
	cJSON_AddStringToObject(lever, "detail", missing ? missing : "");
}

void report_levers(const struct views *views, cJSON *root)
{
	cJSON *levers = cJSON_AddObjectToObject(root, "levers");
	uint32_t holds = apply_holds(views->apply) & HOLDS_OF_RT;

	add_lever(levers, "rt",
	          holds ? policy_reason_text((enum policy_reason)__builtin_ctz(holds)) : NULL);
	add_lever(levers, "slice", standing_missing(views->standing, STANDING_SLICE));
	add_lever(levers, "uclamp", standing_missing(views->standing, STANDING_CLAMP));
}

void report_standing_levers(const struct views *views, char *text, size_t size)
{
	const char *slice = standing_missing(views->standing, STANDING_SLICE);
	const char *clamp = standing_missing(views->standing, STANDING_CLAMP);

	snprintf(text, size, "slice: %s; uclamp: %s", slice ? slice : "available",
	         clamp ? clamp : "available");
}

/* ---- one vCPU ---- */

static const char *state_name(enum standing_state state)
{
	switch (state) {
	case STANDING_NONE:
		return "none";
	case STANDING_GIVEN:
		return "given";
	case STANDING_MISSING:
		return "unavailable";
	case STANDING_OWN:
		return "own";
	case STANDING_NOT_FAIR:
		return "not-fair";
	case STANDING_FAILED:
		return "failed";
	}
	return "?";
}

static const struct standing_view *view_of(const struct views *views,
                                           const struct inventory_vcpu *vcpu)
{
	static const struct standing_view none;

	return vcpu->slot == SLOT_NONE ? &none : standing_view(views->standing, vcpu->slot);
}

static bool is_boosted(const struct vcpu_snapshot *snapshot)
{
	return snapshot->traced && snapshot->booster.view.state == POLICY_ARMED;
}

void report_lever_of(const struct views *views, const struct inventory_vcpu *vcpu,
                     const struct vcpu_snapshot *snapshot, cJSON *object)
{
	const struct standing_view *view = view_of(views, vcpu);
	bool slice = view->states[STANDING_SLICE] == STANDING_GIVEN;
	bool clamp = view->states[STANDING_CLAMP] == STANDING_GIVEN;

	cJSON_AddStringToObject(object, "lever",
	                        is_boosted(snapshot) ? "rt"
	                        : slice              ? "slice"
	                        : clamp              ? "uclamp"
	                                             : "none");
	report_integer(object, "slice_us",
	               slice ? (int64_t)(view->wanted.slice_ns / NSEC_PER_USEC) : 0);
	cJSON_AddStringToObject(object, "slice_state", state_name(view->states[STANDING_SLICE]));
	report_integer(object, "util_min", clamp ? view->wanted.util_min : 0);
	cJSON_AddStringToObject(object, "util_state", state_name(view->states[STANDING_CLAMP]));
	report_integer(object, "clamped_ns",
	               vcpu->slot == SLOT_NONE
	                       ? 0
	                       : (int64_t)clamp_budget_used_ns(views->clamps, vcpu->slot,
	                                                       snapshot->taken_ns));
}

/* Sentences, as many as fit. */
struct text {
	char text[512];
	size_t used;
};

static void say(struct text *text, const char *format, ...) PRINTF_FORMAT(2, 3);

static void say(struct text *text, const char *format, ...)
{
	size_t left = sizeof(text->text) - text->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->text + text->used, left, format, args);
	va_end(args);
	text->used += MIN((size_t)MAX(n, 0), left - 1);
}

static void explain_lever(const struct views *views, const struct standing_view *view,
                          enum standing_lever lever, struct text *text)
{
	const char *name = lever == STANDING_SLICE ? "slice" : "clamp";

	switch (view->states[lever]) {
	case STANDING_NONE:
	case STANDING_GIVEN:
		return;
	case STANDING_MISSING:
		say(text, " It has no %s: %s.", name, standing_missing(views->standing, lever));
		return;
	case STANDING_OWN:
		say(text, " Another program gave it a %s, which is left alone.", name);
		return;
	case STANDING_NOT_FAIR:
		say(text, " It was given no %s, since it had another class.", name);
		return;
	case STANDING_FAILED:
		say(text, " It could not be given a %s: %s.", name, strerror(-view->errors[lever]));
		return;
	}
}

/* An unboosted vCPU: what holds it, by what its thread has now. */
static void explain_unboosted(const struct standing_view *view, pid_t tid, struct text *text)
{
	struct sched_standing now;

	if (sched_get_standing(tid, &now) < 0)
		say(text, "Its thread is gone.");
	else if (!sched_is_fair(&now))
		say(text, "Another program gave its thread the scheduling class that it has.");
	else if (view->states[STANDING_SLICE] != STANDING_GIVEN)
		say(text, "It is an ordinary thread now.");
	else if (now.slice_ns == view->wanted.slice_ns)
		say(text, "Its slice of %llu us holds: it is a fair thread that is served sooner.",
		    (unsigned long long)(now.slice_ns / NSEC_PER_USEC));
	else
		say(text, "Another program changed its slice, which is left alone until "
		          "`pvschedctl policy set`.");
}

void report_lever_explain(const struct views *views, const struct inventory_vcpu *vcpu,
                          const struct vcpu_snapshot *snapshot, cJSON *object)
{
	const struct standing_view *view = view_of(views, vcpu);
	struct text text = {0};

	if (is_boosted(snapshot))
		say(&text, "Its real-time class holds.");
	else
		explain_unboosted(view, vcpu->thread.id.tid, &text);
	if (view->states[STANDING_CLAMP] == STANDING_GIVEN)
		say(&text, " It asks for a CPU frequency for a utilization of %u or more.",
		    view->wanted.util_min);
	if (vcpu->slot != SLOT_NONE && clamp_budget_spent(views->clamps, vcpu->slot))
		say(&text, " It ran clamped for as long as util_permille allows, and has no clamp "
		           "until its bucket is full.");
	for (int i = 0; i < _STANDING_LEVER_MAX; i++)
		explain_lever(views, view, (enum standing_lever)i, &text);
	cJSON_AddStringToObject(object, "lever_text", text.text);
}
