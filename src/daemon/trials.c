// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/trials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/trial_probe.h"
#include "daemon/trial_sample.h"
#include "policy/plan.h"
#include "util/clock.h"
#include "util/log.h"

/* Not boosted, and measured all the same. */
#define OFF_PROFILE "observe"

/* A vCPU may be held for a moment only; after so many windows none of which boosted, it is not. */
#define HELD_WINDOWS 2

/* Holds that end by themselves, soon: the window does not count. */
#define PASSING_HOLDS                                                                              \
	(POLICY_HOLD(POLICY_REASON_GUARDIAN) | POLICY_HOLD(POLICY_REASON_NO_TRACER) |              \
	 POLICY_HOLD(POLICY_REASON_COMPARED))

struct trial {
	struct trials *trials;
	uint64_t serial; /* of its domain */
	uint64_t number; /* from 1, in the order in which they began; 0: there is none */
	struct policy_entry on, off;
	struct profile profile;      /* of @on, when it began */
	sd_event_source *timer;      /* NULL: it has ended */
	struct trial_course *course; /* likewise */
	bool measures;               /* the begin of the window was dropped */
	bool spoilt;                 /* the window does not count */
	uint64_t window_until_ns;
	uint32_t windows_on, windows_held;
	struct trial_sample begin;
	struct trial_view view; /* but for what only a running one has */
};

struct trials {
	struct trials_parts parts;
	const struct config *config;
	struct trial_probe *probe; /* while any runs; NULL: none could be made */
	unsigned int n_running;
	uint64_t last_number;
	struct trial of[TRIALS_MAX];
};

static bool runs(const struct trial *trial)
{
	return trial->number && trial->course;
}

/* ---- its end ---- */

static void say_end(const struct trial *trial)
{
	log_info("domain \"%s\": the trial of profile %s has ended: %s, %s", trial->on.name,
	         trial->on.profile, trial_end_name(trial->view.end),
	         trial_advice_name(trial->view.verdict.advice));
}

static void end_trial(struct trial *trial, enum trial_end end)
{
	struct trials *trials = trial->trials;
	uint64_t now_ns = clock_now_ns();

	trial_course_stop(trial->course, end, now_ns);
	trial->view.end = trial->course->end;
	trial->view.over_ns = now_ns - trial->course->begun_ns;
	trial->view.dropped = trial->course->dropped;
	trial->view.verdict = trial->course->verdict;
	trial->timer = sd_event_source_disable_unref(trial->timer);
	free(trial->course);
	trial->course = NULL;
	if (--trials->n_running == 0)
		trials->probe = trial_probe_free(trials->probe);
	say_end(trial);
}

bool trials_cancel(struct trials *trials, const char *uuid, enum trial_end end)
{
	bool any = false;

	for (size_t i = 0; trials && i < TRIALS_MAX; i++) {
		struct trial *trial = &trials->of[i];

		if (!runs(trial) || (uuid && strcasecmp(trial->on.uuid, uuid) != 0))
			continue;
		end_trial(trial, end);
		any = true;
	}
	return any;
}

/* ---- windows ---- */

static const struct inventory_domain *domain_of(const struct trial *trial)
{
	const struct inventory_domain *domain =
	        inventory_find_uuid(trial->trials->parts.inventory, trial->on.uuid);

	return domain && domain->serial == trial->serial ? domain : NULL;
}

static void wake_at(struct trial *trial, uint64_t at_ns)
{
	sd_event_source_set_time(trial->timer, at_ns / NSEC_PER_USEC);
	sd_event_source_set_enabled(trial->timer, SD_EVENT_ONESHOT);
}

/* The next window, in force before its time begins; or the end. */
static void begin_window(struct trial *trial)
{
	uint64_t now_ns = clock_now_ns();
	const struct trial_step *step = &trial->course->step;
	int r;

	if (!trial_course_next(trial->course, now_ns)) {
		end_trial(trial, TRIAL_END_TIME);
		pass_now(trial->trials->parts.pass);
		return;
	}
	trial->measures = false;
	trial->spoilt = false;
	trial->window_until_ns = now_ns + step->length_ns;
	wake_at(trial, now_ns + step->drop_ns);
	r = pass_now(trial->trials->parts.pass);
	trial->spoilt |= r < 0;
}

static void take_sample(const struct trial *trial, const struct inventory_domain *domain,
                        struct trial_sample *ret)
{
	const struct trials *trials = trial->trials;

	trial_sample_take(trials->parts.inventory, trials->parts.accounts, domain, trials->probe,
	                  clock_now_ns(), ret);
}

/* What keeps a vCPU from being boosted; 0: nothing does. */
static uint32_t holds_of(const struct trials *trials, const struct inventory_vcpu *vcpu)
{
	struct booster_vcpu booster = {0};

	if (vcpu->slot == SLOT_NONE)
		return POLICY_HOLD(vcpu->untraced);
	booster_read(trials->parts.booster, vcpu->slot, &booster);
	return booster.holds & ~PASSING_HOLDS;
}

/* Of a window that should have boosted: whether each vCPU is held, and why. */
static bool is_held(const struct trial *trial, const struct inventory_domain *domain,
                    enum policy_reason *reason)
{
	uint32_t all = 0;

	for (size_t i = 0; i < domain->n_vcpus; i++) {
		uint32_t holds = holds_of(trial->trials, &domain->vcpus[i]);

		if (!holds)
			return false;
		all |= holds;
	}
	if (all)
		*reason = (enum policy_reason)__builtin_ctz(all);
	return all;
}

static void add_totals(struct trial *trial, const struct trial_sample *end,
                       const struct trial_window *window)
{
	const struct trial_sample *begin = &trial->begin;
	struct trial_totals *totals = &trial->view.totals[window->on];

	totals->length_ns += window->length_ns;
	totals->boosts += end->boosts - begin->boosts;
	totals->denied += end->denied - begin->denied;
	totals->preemptions += end->preemptions - begin->preemptions;
	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++)
		trial->view.waits[window->on][i] += window->waits[i];
}

static void finish_window(struct trial *trial, const struct inventory_domain *domain)
{
	bool on = trial->course->step.on;
	struct trial_window window;
	struct trial_sample end;

	take_sample(trial, domain, &end);
	if (domain->seen->state != DOMAIN_RUNNING)
		trial->spoilt = true;
	/* slice and clamp need nothing of what a real-time class needs: holds let them be */
	if (on && (trial->profile.levers & PROFILE_LEVER_RT)) {
		bool held = is_held(trial, domain, &trial->view.held);

		trial->windows_on++;
		trial->windows_held += held;
		trial->spoilt |= held; /* it would compare nothing with nothing */
	}
	if (!trial->spoilt && trial_sample_window(&trial->begin, &end, on, &window)) {
		add_totals(trial, &end, &window);
		trial_course_measured(trial->course, &window, clock_now_ns());
	} else {
		trial_course_measured(trial->course, NULL, clock_now_ns());
	}
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct trial *trial = userdata;
	const struct inventory_domain *domain = domain_of(trial);

	(void)source;
	(void)usec;
	if (!domain) {
		end_trial(trial, TRIAL_END_GONE);
		return 0;
	}
	if (!trial->measures) {
		trial->measures = true;
		trial->spoilt |= domain->seen->state != DOMAIN_RUNNING;
		take_sample(trial, domain, &trial->begin);
		wake_at(trial, trial->window_until_ns);
		return 0;
	}
	finish_window(trial, domain);
	if (trial->windows_held >= HELD_WINDOWS && trial->windows_held == trial->windows_on)
		trial_course_stop(trial->course, TRIAL_END_HELD, clock_now_ns());
	begin_window(trial);
	return 0;
}

/* ---- its begin ---- */

static struct trial *running_of(struct trials *trials, const char *uuid)
{
	for (size_t i = 0; i < TRIALS_MAX; i++)
		if (runs(&trials->of[i]) && strcasecmp(trials->of[i].on.uuid, uuid) == 0)
			return &trials->of[i];
	return NULL;
}

/* The place of the last trial of that domain, else that of the one that began first. */
static struct trial *place_for(struct trials *trials, const char *uuid)
{
	struct trial *oldest = NULL;

	for (size_t i = 0; i < TRIALS_MAX; i++) {
		struct trial *trial = &trials->of[i];

		if (runs(trial))
			continue;
		if (trial->number && strcasecmp(trial->on.uuid, uuid) == 0)
			return trial;
		if (!oldest || trial->number < oldest->number)
			oldest = trial;
	}
	return oldest;
}

static int fill(struct trials *trials, struct trial *trial, const struct inventory_domain *domain,
                const struct trial_wish *wish)
{
	const struct profile *profile = config_profile(trials->config, wish->policy.profile);
	struct trial_course *course;
	int r;

	if (!profile)
		return -EINVAL;
	course = calloc(1, sizeof(*course));
	if (!course)
		return -ENOMEM;
	*trial = (struct trial){.trials = trials,
	                        .serial = domain->serial,
	                        .on = wish->policy,
	                        .profile = *profile};
	r = sd_event_add_time(trials->parts.event, &trial->timer, CLOCK_MONOTONIC, UINT64_MAX,
	                      NSEC_PER_MSEC / NSEC_PER_USEC, on_time, trial);
	if (r < 0) {
		free(course);
		return r;
	}
	sd_event_source_set_description(trial->timer, "trial");
	trial->off = trial->on;
	strcpy(trial->off.profile, OFF_PROFILE);
	trial->off.share_permille = 0;
	trial->off.burst_ns = 0;
	trial->view = (struct trial_view){
	        .policy = &trial->on, .seed = wish->seed, .all_ns = wish->all_ns};
	trial->course = course;
	trial->number = ++trials->last_number;
	trial_course_begin(course, wish->seed, wish->min_ns, wish->max_ns, wish->all_ns,
	                   clock_now_ns());
	return 0;
}

int trials_start(struct trials *trials, const struct inventory_domain *domain,
                 const struct trial_wish *wish)
{
	struct trial *trial;
	int r;

	if (!trials->parts.traced)
		return -EOPNOTSUPP;
	if (running_of(trials, domain->seen->uuid))
		return -EBUSY;
	if (trials->n_running == TRIALS_RUNNING_MAX)
		return -ENOSPC;
	trial = place_for(trials, domain->seen->uuid);
	r = fill(trials, trial, domain, wish);
	if (r < 0)
		return r;
	if (trials->n_running++ == 0 && trial_probe_new(&trials->probe) < 0)
		log_notice("no threads to probe with: what they would wait is not measured");
	trial->view.probes = trial_probe_count(trials->probe);
	log_info("domain \"%s\": a trial of profile %s begins", trial->on.name, trial->on.profile);
	begin_window(trial);
	return 0;
}

int trials_new(struct trials **ret, const struct trials_parts *parts)
{
	struct trials *trials = calloc(1, sizeof(*trials));

	if (!trials)
		return -ENOMEM;
	trials->parts = *parts;
	*ret = trials;
	return 0;
}

struct trials *trials_free(struct trials *trials)
{
	trials_cancel(trials, NULL, TRIAL_END_STOPPED);
	free(trials);
	return NULL;
}

void trials_configure(struct trials *trials, const struct config *config)
{
	trials->config = config;
}

/* ---- for the plan, and for reports ---- */

static bool ends_by_holds(struct trial *trial, uint32_t holds)
{
	uint32_t lasting = holds & ~PASSING_HOLDS;

	trial->spoilt |= holds != 0;
	if (lasting)
		trial->view.held = (enum policy_reason)__builtin_ctz(lasting);
	return lasting;
}

/* The configuration may have been loaded anew. */
static bool has_profile(const struct trial *trial)
{
	const struct profile *profile = config_profile(trial->trials->config, trial->on.profile);

	return profile && profile_equal(profile, &trial->profile);
}

void trials_follow(struct trials *trials, uint32_t holds)
{
	for (size_t i = 0; i < TRIALS_MAX && trials->n_running; i++) {
		struct trial *trial = &trials->of[i];

		if (!runs(trial))
			continue;
		if (!domain_of(trial))
			end_trial(trial, TRIAL_END_GONE);
		else if (ends_by_holds(trial, holds))
			end_trial(trial, TRIAL_END_HELD);
		else if (!has_profile(trial))
			end_trial(trial, TRIAL_END_PROFILE);
	}
}

const struct policy_entry *trials_policy(const struct trials *trials,
                                         const struct inventory_domain *domain)
{
	for (size_t i = 0; trials && i < TRIALS_MAX && trials->n_running; i++) {
		const struct trial *trial = &trials->of[i];

		if (runs(trial) && trial->serial == domain->serial)
			return trial->course->step.on ? &trial->on : &trial->off;
	}
	return NULL;
}

/* By uuid, else by name. */
static int find(struct trials *trials, const char *name_or_uuid, struct trial **ret)
{
	struct trial *named = NULL;
	unsigned int n = 0;

	for (size_t i = 0; i < TRIALS_MAX; i++) {
		struct trial *trial = &trials->of[i];

		if (!trial->number)
			continue;
		if (strcasecmp(trial->on.uuid, name_or_uuid) == 0) {
			*ret = trial;
			return 0;
		}
		if (strcmp(trial->on.name, name_or_uuid) == 0) {
			named = trial;
			n++;
		}
	}
	*ret = named;
	return n == 1 ? 0 : n ? -ENOTUNIQ : -ENOENT;
}

static void read_running(struct trial *trial, struct trial_view *ret)
{
	struct trial_course *course = trial->course;
	uint64_t now_ns = clock_now_ns();

	trial_course_estimate(course);
	ret->over_ns = now_ns - course->begun_ns;
	ret->step = course->step;
	ret->step_left_ns = trial->window_until_ns > now_ns ? trial->window_until_ns - now_ns : 0;
	ret->dropped = course->dropped;
	ret->verdict = course->verdict;
}

int trials_read(struct trials *trials, const char *name_or_uuid, struct trial_view *ret)
{
	struct trial *trial;
	int r = find(trials, name_or_uuid, &trial);

	if (r < 0)
		return r;
	*ret = trial->view;
	if (runs(trial))
		read_running(trial, ret);
	return 0;
}
