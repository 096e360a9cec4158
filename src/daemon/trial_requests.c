// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/trial_requests.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/report_json.h"
#include "daemon/report_trial.h"

#define FOR_NS        (600 * NSEC_PER_SEC)
#define WINDOW_MIN_NS (5 * NSEC_PER_SEC)
#define WINDOW_MAX_NS (20 * NSEC_PER_SEC)

/* Of windows of average length; there is room for some more, since they are of random length. */
#define WINDOWS_MAX (TRIAL_WINDOWS_MAX - 32)

static int check_profile(const struct views *views, const char *name, struct answer *answer)
{
	const struct profile *profile = config_profile(views->config, name);
	char known[256] = "";

	if (profile && profile->mode == PROFILE_BOOST)
		return 0;
	if (profile)
		return answer_no(answer, -EINVAL,
		                 "the profile %s does not boost, so there is nothing to try", name);
	config_list_profiles(views->config, known, sizeof(known));
	return answer_no(answer, -EINVAL, "there is no profile \"%s\"; profiles: %s", name, known);
}

/* Enough windows for an answer, and not more than there is memory for. */
static int check_times(const struct trial_wish *wish, struct answer *answer)
{
	uint64_t least_ns = trial_plan_least_ns(wish->min_ns, wish->max_ns, TRIAL_BLOCKS_MIN);
	uint64_t most_ns = trial_plan_least_ns(wish->min_ns, wish->max_ns, WINDOWS_MAX / 2);

	if (wish->all_ns < least_ns)
		return answer_no(answer, -EINVAL,
		                 "in %" PRIu64 " s there are too few windows; give it at least "
		                 "%" PRIu64 " s, or shorter windows",
		                 wish->all_ns / NSEC_PER_SEC,
		                 (least_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
	if (wish->all_ns > most_ns)
		return answer_no(answer, -EINVAL,
		                 "in %" PRIu64 " s there are more than %d windows; give it %" PRIu64
		                 " s at most, or longer windows",
		                 wish->all_ns / NSEC_PER_SEC, WINDOWS_MAX, most_ns / NSEC_PER_SEC);
	return 0;
}

/*
 * Without a name: the profile that it has, if that boosts, with what a command, its metadata or
 * what was learned make of it.
 */
static void choose_profile(const struct views *views, const struct inventory_domain *domain,
                           const char *name, struct policy_entry *policy)
{
	const struct profile *has = &planning_domain(views->planning, domain)->profile, *plain;
	bool boosts = !name[0] && has->mode == PROFILE_BOOST;

	if (!name[0])
		name = boosts && !has->learned ? has->name : "latency";
	snprintf(policy->profile, sizeof(policy->profile), "%s", name);
	plain = config_profile(views->config, name);
	if (!boosts || !plain)
		return;
	if (!policy->share_permille && has->share_permille != plain->share_permille)
		policy->share_permille = has->share_permille;
	if (!policy->burst_ns && has->burst_ns != plain->burst_ns)
		policy->burst_ns = has->burst_ns;
}

static struct trial_wish wish_of(const struct views *views, const struct inventory_domain *domain,
                                 const struct control_request *request)
{
	struct trial_wish wish = {
	        .policy = {.share_permille = request->share_permille,
	                   .burst_ns = request->burst_ns},
	        .all_ns = request->for_ns ? request->for_ns : FOR_NS,
	        .min_ns = request->window_min_ns ? request->window_min_ns : WINDOW_MIN_NS,
	        .max_ns = request->window_max_ns ? request->window_max_ns : WINDOW_MAX_NS,
	};

	snprintf(wish.policy.uuid, sizeof(wish.policy.uuid), "%s", domain->seen->uuid);
	snprintf(wish.policy.name, sizeof(wish.policy.name), "%s", domain->seen->name);
	choose_profile(views, domain, request->profile, &wish.policy);
	return wish;
}

static int refuse_start(int r, const struct inventory_domain *domain, struct answer *answer)
{
	if (r == -EBUSY)
		return answer_no(
		        answer, r,
		        "a trial of it runs already; pvschedctl trial %s --follow shows it, "
		        "--stop ends it",
		        report_word(domain));
	if (r == -ENOSPC)
		return answer_no(answer, r, "%d trials run already; wait for the end of one",
		                 TRIALS_RUNNING_MAX);
	if (r == -EOPNOTSUPP)
		return answer_no(answer, r,
		                 "the kernel refused the tracer, so nothing can be measured; see: "
		                 "pvschedctl doctor");
	return answer_no(answer, r, "the trial could not be begun: %s", strerror(-r));
}

int trial_start(struct requests *requests, const struct inventory_domain *domain,
                const struct control_request *request, struct answer *answer)
{
	const struct views *views = requests->views;
	struct trial_wish wish = wish_of(views, domain, request);
	int r = check_profile(views, wish.policy.profile, answer);

	if (r == 0)
		r = check_times(&wish, answer);
	if (r < 0)
		return r;
	if (getrandom(&wish.seed, sizeof(wish.seed), 0) != (ssize_t)sizeof(wish.seed))
		return answer_no(answer, -EIO, "the kernel gave no random number");
	r = trials_start(views->trials, domain, &wish);
	if (r < 0)
		return refuse_start(r, domain, answer);
	return trial_poll(requests, domain->seen->uuid, answer);
}

int trial_poll(struct requests *requests, const char *name_or_uuid, struct answer *answer)
{
	struct trial_view trial;
	int r = trials_read(requests->views->trials, name_or_uuid, &trial);

	if (r == -ENOTUNIQ)
		return answer_no(
		        answer, r,
		        "domains with the name \"%s\" had several trials; say which by its "
		        "uuid",
		        name_or_uuid);
	if (r < 0)
		return answer_no(answer, -ENODATA,
		                 "no trial of \"%s\" is known since pvschedd was started",
		                 name_or_uuid);
	*answer->result = report_trial(requests->views, &trial);
	return *answer->result ? 0 : answer_no(answer, -ENOMEM, "out of memory");
}

int trial_stop(struct requests *requests, const struct inventory_domain *domain,
               struct answer *answer)
{
	int r;

	if (!trials_cancel(requests->views->trials, domain->seen->uuid, TRIAL_END_STOPPED))
		return answer_no(answer, -ENODATA, "no trial of it runs");
	r = pass_now(requests->pass);
	if (r < 0)
		return answer_no(answer, r,
		                 "not carried out yet: %s; pvschedd tries it again each second",
		                 strerror(-r));
	return trial_poll(requests, domain->seen->uuid, answer);
}
