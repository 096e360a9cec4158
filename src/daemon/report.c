// SPDX-License-Identifier: GPL-2.0-or-later
/* What the daemon tells: the JSON of status, list, show, explain and policy get. */
#include "daemon/manager.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/delays.h"
#include "util/clock.h"
#include "util/escape.h"

/* cJSON keeps numbers as doubles and would print a big one as 1e+15. */
static void add_integer(cJSON *object, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	cJSON_AddRawToObject(object, key, text);
}

void report_name(const struct managed_domain *d, char *buffer, size_t size)
{
	if (utf8_valid(d->seen->name, strlen(d->seen->name)))
		snprintf(buffer, size, "%s", d->seen->name);
	else
		escape_text(d->seen->name, buffer, size);
}

static void add_name(cJSON *object, const char *key, const struct managed_domain *d)
{
	char name[ESCAPE_SIZE(DOMAIN_NAME_MAX)];

	report_name(d, name, sizeof(name));
	cJSON_AddStringToObject(object, key, name);
}

static void add_delays(cJSON *object, const char *key, const uint32_t *counts, uint64_t max_ns)
{
	cJSON *delays = cJSON_AddObjectToObject(object, key);

	add_integer(delays, "p50", (int64_t)delays_percentile_us(counts, 500));
	add_integer(delays, "p99", (int64_t)delays_percentile_us(counts, 990));
	add_integer(delays, "p999", (int64_t)delays_percentile_us(counts, 999));
	add_integer(delays, "max", (int64_t)(max_ns / NSEC_PER_USEC));
	add_integer(delays, "count", (int64_t)delays_count(counts));
}

/* What is known of one vCPU at one moment. */
struct vcpu_news {
	bool traced;
	struct booster_vcpu booster;
	struct pvs_vcpu_account account; /* a copy */
	struct policy_facts facts;
};

static void news_read(struct manager *m, const struct managed_vcpu *v, struct vcpu_news *ret)
{
	*ret = (struct vcpu_news){0};
	if (v->slot == SLOT_NONE)
		return;
	ret->traced = true;
	booster_read(m->booster, v->slot, &ret->booster);
	ret->account = m->accounts.vcpus[v->slot];
	account_facts(&m->accounts, v->slot, clock_now_ns(), &ret->facts);
}

/* An armed vCPU that is awake is boosted: the same to the policy, two words to people. */
static const char *state_name(const struct vcpu_news *news)
{
	bool awake = news->facts.whereabouts == POLICY_RUNNING ||
	             news->facts.whereabouts == POLICY_WAITING;

	if (!news->traced)
		return "off";
	if (news->booster.view.state == POLICY_ARMED && awake)
		return "boosted";
	return policy_state_name(news->booster.view.state);
}

static const char *reason_name(const struct vcpu_news *news)
{
	return policy_reason_name(news->traced ? news->booster.view.reason : POLICY_REASON_PROFILE);
}

static cJSON *denied(const struct vcpu_news *news)
{
	cJSON *object = cJSON_CreateObject();

	for (int r = 0; r < _POLICY_REASON_MAX; r++)
		if (news->booster.view.denied_total[r])
			add_integer(object, policy_reason_name((enum policy_reason)r),
			            (int64_t)news->booster.view.denied_total[r]);
	return object;
}

static cJSON *vcpu_report(struct manager *m, const struct managed_domain *d,
                          const struct managed_vcpu *v)
{
	cJSON *object = cJSON_CreateObject();
	struct vcpu_news news;

	news_read(m, v, &news);
	add_name(object, "domain", d);
	cJSON_AddStringToObject(object, "uuid", d->seen->uuid);
	add_integer(object, "vcpu", v->thread.index);
	add_integer(object, "tid", v->thread.id.tid);
	cJSON_AddStringToObject(object, "profile", d->choice.profile.name);
	cJSON_AddStringToObject(object, "state", state_name(&news));
	cJSON_AddStringToObject(object, "reason", reason_name(&news));
	add_integer(object, "boosts_total", (int64_t)news.booster.view.boosts_total);
	add_integer(object, "would_boost_total", (int64_t)news.account.wakeups_imagined);
	cJSON_AddItemToObject(object, "denied_total", denied(&news));
	add_integer(object, "elevated_ns", (int64_t)news.account.used_ns);
	add_integer(object, "would_elevated_ns", (int64_t)news.account.imagined_ns);
	add_integer(object, "run_ns", (int64_t)news.account.run_ns);
	add_integer(object, "wait_ns", (int64_t)news.account.wait_ns);
	add_delays(object, "wait_us", news.account.wait_counts, news.account.wait_max_ns);
	add_delays(object, "request_to_applied_us", news.booster.request_to_applied.counts,
	           news.booster.request_to_applied.max_ns);
	return object;
}

/* What `show` adds to it. */
static cJSON *vcpu_detail(struct manager *m, const struct managed_domain *d,
                          const struct managed_vcpu *v)
{
	cJSON *object = vcpu_report(m, d, v);
	struct vcpu_news news;

	news_read(m, v, &news);
	add_integer(object, "cpu", news.account.cpu);
	add_integer(object, "share_permille", v->terms.profile.share_permille);
	add_integer(object, "tokens_us", news.facts.tokens_ns / (int64_t)NSEC_PER_USEC);
	add_integer(object, "entitlement_permille", news.account.entitled_permille);
	add_integer(object, "wakeups", (int64_t)news.account.wakeups);
	add_integer(object, "elevated_wakeups", (int64_t)news.account.wakeups_elevated);
	add_integer(object, "preemptions", (int64_t)news.account.preemptions);
	add_integer(object, "halts", (int64_t)news.account.halts);
	report_interrupts(&news.account, &news.booster.view, object);
	add_integer(object, "threads_mended", (int64_t)news.booster.children_mended);
	/* what tells that its TID is still its own */
	cJSON_AddStringToObject(object, "identity",
	                        news.traced && account_epoch(&m->accounts, v->slot) ? "tracer"
	                                                                            : "proc");
	add_integer(object, "unseen_total", news.account.unseen);
	add_integer(object, "throttles_total", (int64_t)news.booster.view.throttles_total);
	add_integer(object, "yields_total", (int64_t)news.booster.view.yields_total);
	report_page(&news.booster.page, object);
	return object;
}

static void add_source(cJSON *sources, const char *name, bool ok, const char *detail)
{
	cJSON *source = cJSON_AddObjectToObject(sources, name);

	cJSON_AddBoolToObject(source, "ok", ok);
	cJSON_AddStringToObject(source, "detail", detail);
}

static void add_sources(struct manager *m, cJSON *root)
{
	cJSON *sources = cJSON_AddObjectToObject(root, "sources");
	char text[512];

	if (m->virt)
		add_source(sources, "libvirt", virt_source_describe(m->virt, text, sizeof(text)),
		           text);
	if (m->processes)
		add_source(sources, "procfs",
		           process_source_describe(m->processes, text, sizeof(text)), text);
	if (m->tracer)
		report_tracer_sources(m->tracer, text, sizeof(text));
	add_source(sources, "bpf", m->tracer != NULL, m->tracer ? text : m->tracer_why);
	add_source(sources, "proc_connector", m->procconn != NULL, m->procconn_why);
	snprintf(text, sizeof(text), "pid %d", m->guardian ? guardian_pid(m->guardian) : 0);
	add_source(sources, "guardian",
	           guard_answers(m) && !(m->holds & POLICY_HOLD(POLICY_REASON_GUARDIAN)),
	           !m->guardian                                     ? "none runs"
	           : !guardian_realtime(m->guardian)                ? "without a real-time priority"
	           : m->holds & POLICY_HOLD(POLICY_REASON_GUARDIAN) ? "it acted, or does not answer"
	                                                            : text);
	boosting_describe(m, text, sizeof(text));
	add_source(sources, "booster", m->booster_realtime, text);
}

static void add_caps(const struct manager *m, cJSON *root)
{
	const struct host_caps *caps = &config_host(m->config)->caps;
	cJSON *object = cJSON_AddObjectToObject(root, "caps");

	add_integer(object, "cpu_share_permille", caps->cpu_share_permille);
	add_integer(object, "cpu_burst_us", (int64_t)(caps->cpu_burst_ns / NSEC_PER_USEC));
	add_integer(object, "domain_share_permille", caps->domain_share_permille);
	add_integer(object, "domain_burst_us", (int64_t)(caps->domain_burst_ns / NSEC_PER_USEC));
	add_integer(object, "max_changes_per_s", caps->max_changes_per_s);
}

/* Use of the CPUs' RT share: of the burst, how much is taken now; and of all time since the start.
 */
static void add_cpus(const struct manager *m, cJSON *root)
{
	cJSON *array = cJSON_AddArrayToObject(root, "cpus");
	long n = sysconf(_SC_NPROCESSORS_CONF);
	uint64_t now_ns = clock_now_ns();
	struct pvs_bucket_rule rule = *m->accounts.cpu_rule;

	for (long i = 0; i < MIN(n, (long)PVS_CPUS_MAX); i++) {
		const struct pvs_cpu_account *cpu = &m->accounts.cpus[i];
		cJSON *object = cJSON_CreateObject();
		int64_t left_ns = pvs_bucket_tokens(&rule, cpu->repaid_at_ns, now_ns);
		int64_t burst_ns = (int64_t)rule.burst_ns;

		add_integer(object, "cpu", i);
		add_integer(object, "burst_used_permille", (burst_ns - left_ns) * 1000 / burst_ns);
		add_integer(object, "rt_permille",
		            (int64_t)(cpu->rt_run_ns /
		                      MAX((now_ns - m->started_ns) / 1000, UINT64_C(1))));
		add_integer(object, "rt_run_ns", (int64_t)cpu->rt_run_ns);
		add_integer(object, "foreign_rt_ns", (int64_t)cpu->foreign_ns);
		cJSON_AddItemToArray(array, object);
	}
}

static void add_events(struct manager *m, cJSON *root)
{
	cJSON *object = cJSON_AddObjectToObject(root, "events");
	struct tracer_totals tracer = {0};
	struct booster_totals booster = {0};

	if (m->tracer)
		tracer_totals(m->tracer, &tracer);
	booster_read_totals(m->booster, &booster);
	add_integer(object, "received", (int64_t)booster.events);
	add_integer(object, "lost", (int64_t)tracer.events_lost);
	report_interrupt_counts(&tracer.interrupts, object);
	add_integer(object, "deadlines_missed", (int64_t)booster.deadlines_missed);
	add_integer(object, "deadlines_refused", (int64_t)tracer.deadlines_refused);
	add_integer(object, "notes_lost", (int64_t)booster.notes_lost);
	add_integer(object, "booster_wakeups", (int64_t)booster.wakeups);
	add_integer(object, "elevated_now", booster.elevated);
	add_integer(object, "proc_connector_lost",
	            m->procconn ? (int64_t)procconn_lost_total(m->procconn) : 0);
}

struct cJSON *report_status(struct manager *m)
{
	cJSON *root = cJSON_CreateObject(), *vcpus;
	bool off = m->holds & POLICY_HOLD(POLICY_REASON_DISABLED);

	cJSON_AddStringToObject(root, "version", PVSCHEDD_VERSION);
	cJSON_AddBoolToObject(root, "enabled", !off);
	cJSON_AddStringToObject(root, "breaker", state_breaker_open(m->state) ? "open" : "closed");
	add_integer(root, "recovered_at_start", m->recovered);
	add_sources(m, root);
	if (m->tracer)
		report_tracer_parts(m->tracer, root);
	add_caps(m, root);
	add_cpus(m, root);
	add_events(m, root);
	vcpus = cJSON_AddArrayToObject(root, "vcpus");
	for (const struct managed_domain *d = m->domains; d; d = d->next)
		for (size_t i = 0; i < d->n_vcpus; i++)
			cJSON_AddItemToArray(vcpus, vcpu_report(m, d, &d->vcpus[i]));
	return root;
}

static const char *domain_state_name(const struct managed_domain *d)
{
	if (d->migrating)
		return "migrating";
	return d->seen->state == DOMAIN_RUNNING ? "running" : "paused";
}

/* What all vCPUs of a domain took, and why the first one that is not elevated is not. */
static void add_domain_use(struct manager *m, const struct managed_domain *d, cJSON *object)
{
	const char *reason = policy_reason_name(POLICY_REASON_PROFILE);
	uint64_t used_ns = 0, run_ns = 0;
	struct vcpu_news news;

	for (size_t i = d->n_vcpus; i > 0; i--) {
		news_read(m, &d->vcpus[i - 1], &news);
		used_ns += news.account.used_ns;
		run_ns += news.account.run_ns;
		if (i == d->n_vcpus || news.booster.view.state != POLICY_ARMED)
			reason = reason_name(&news);
	}
	add_integer(object, "elevated_ns", (int64_t)used_ns);
	add_integer(object, "run_ns", (int64_t)run_ns);
	add_integer(object, "elevated_permille",
	            run_ns ? (int64_t)(used_ns / MAX(run_ns / 1000, UINT64_C(1))) : 0);
	cJSON_AddStringToObject(object, "reason", reason);
}

struct cJSON *report_list(struct manager *m)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(root, "domains");

	for (const struct managed_domain *d = m->domains; d; d = d->next) {
		cJSON *object = cJSON_CreateObject();

		add_name(object, "name", d);
		cJSON_AddStringToObject(object, "uuid", d->seen->uuid);
		cJSON_AddStringToObject(object, "discovered_by",
		                        domain_source_name(d->seen->source));
		cJSON_AddStringToObject(object, "state", domain_state_name(d));
		cJSON_AddStringToObject(object, "profile", d->choice.profile.name);
		add_integer(object, "vcpus", (int64_t)d->n_vcpus);
		add_domain_use(m, d, object);
		cJSON_AddItemToArray(array, object);
	}
	return root;
}

static void add_choice_sources(const struct config_choice *choice, cJSON *object)
{
	cJSON *sources = cJSON_AddObjectToObject(object, "sources");

	cJSON_AddStringToObject(sources, "profile", choice->profile_source);
	cJSON_AddStringToObject(sources, "share_permille", choice->share_source);
	cJSON_AddStringToObject(sources, "burst_us", choice->burst_source);
}

/* What the domain asks for, and what became of that. */
static void add_metadata(const struct managed_domain *d, cJSON *object)
{
	const struct domain_metadata *metadata = &d->seen->metadata;
	cJSON *member = cJSON_AddObjectToObject(object, "metadata");

	cJSON_AddStringToObject(member, "state", metadata_use_name(d->metadata_use));
	if (d->metadata_error[0])
		cJSON_AddStringToObject(member, "error", d->metadata_error);
	if (metadata->state != DOMAIN_METADATA_VALID)
		return;
	if (metadata->profile[0])
		cJSON_AddStringToObject(member, "profile", metadata->profile);
	if (metadata->share_permille)
		add_integer(member, "share_permille", metadata->share_permille);
	if (metadata->burst_us)
		add_integer(member, "burst_us", metadata->burst_us);
}

struct cJSON *report_show(struct manager *m, struct managed_domain *d)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *object = cJSON_AddObjectToObject(root, "domain"), *vcpus;

	add_name(object, "name", d);
	cJSON_AddStringToObject(object, "uuid", d->seen->uuid);
	cJSON_AddStringToObject(object, "discovered_by", domain_source_name(d->seen->source));
	cJSON_AddStringToObject(object, "state", domain_state_name(d));
	add_integer(object, "pid", d->seen->qemu.tid);
	cJSON_AddStringToObject(object, "profile", d->choice.profile.name);
	cJSON_AddStringToObject(object, "profile_source", d->choice.source);
	add_integer(object, "share_permille", d->choice.profile.share_permille);
	add_integer(object, "burst_us", (int64_t)(d->choice.profile.burst_ns / NSEC_PER_USEC));
	add_choice_sources(&d->choice, object);
	add_metadata(d, object);
	report_helpers(m, d, object);
	report_carrier(d, object);
	vcpus = cJSON_AddArrayToObject(object, "vcpus");
	for (size_t i = 0; i < d->n_vcpus; i++)
		cJSON_AddItemToArray(vcpus, vcpu_detail(m, d, &d->vcpus[i]));
	return root;
}

struct cJSON *report_boost(struct manager *m, const struct managed_vcpu *v, uint64_t until_ns)
{
	cJSON *object = cJSON_CreateObject();
	struct vcpu_news news;

	if (v->slot != SLOT_NONE)
		booster_boost(m->booster, v->slot, until_ns);
	news_read(m, v, &news);
	add_integer(object, "vcpu", v->thread.index);
	cJSON_AddBoolToObject(object, "boosted",
	                      news.traced && news.booster.view.state == POLICY_ARMED);
	cJSON_AddStringToObject(object, "reason", reason_name(&news));
	cJSON_AddStringToObject(
	        object, "text",
	        policy_reason_text(news.traced ? news.booster.view.reason : POLICY_REASON_PROFILE));
	return object;
}

static void next_sentence(const struct vcpu_news *news, uint64_t now_ns, char *text, size_t size)
{
	uint64_t next_ns = news->booster.view.next_ns;

	if (news->traced && next_ns != NSEC_NEVER)
		snprintf(text, size, "It is looked at again in %.1f ms.",
		         next_ns > now_ns ? (double)(next_ns - now_ns) / NSEC_PER_MSEC : 0.0);
	else if (news->traced && news->booster.view.state == POLICY_ARMED)
		snprintf(text, size, "It is lowered when its tokens (%.1f us now) are used up.",
		         (double)news->facts.tokens_ns / NSEC_PER_USEC);
	else
		snprintf(text, size, "Nothing happens until the cause is gone.");
}

struct cJSON *report_explain(struct manager *m, struct managed_domain *d, int vcpu)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(root, "vcpus");
	uint64_t now_ns = clock_now_ns();
	char next[128];

	for (size_t i = 0; i < d->n_vcpus; i++) {
		const struct managed_vcpu *v = &d->vcpus[i];
		struct vcpu_news news;
		cJSON *object;

		if (vcpu >= 0 && v->thread.index != (unsigned int)vcpu)
			continue;
		news_read(m, v, &news);
		next_sentence(&news, now_ns, next, sizeof(next));
		object = cJSON_CreateObject();
		add_name(object, "domain", d);
		add_integer(object, "vcpu", v->thread.index);
		cJSON_AddStringToObject(object, "state", state_name(&news));
		cJSON_AddStringToObject(object, "reason", reason_name(&news));
		cJSON_AddStringToObject(object, "explanation",
		                        policy_reason_text(news.traced ? news.booster.view.reason
		                                                       : POLICY_REASON_PROFILE));
		add_integer(object, "since_ms",
		            news.traced ? (int64_t)((now_ns - news.booster.view.since_ns) /
		                                    NSEC_PER_MSEC)
		                        : 0);
		cJSON_AddItemToObject(object, "denied_total", denied(&news));
		report_signs(&news.booster.view, object);
		cJSON_AddStringToObject(object, "next", next);
		cJSON_AddItemToArray(array, object);
	}
	if (vcpu >= 0 && cJSON_GetArraySize(array) == 0) {
		cJSON_Delete(root);
		return NULL;
	}
	return root;
}

struct cJSON *report_policy(struct manager *m, struct managed_domain *d)
{
	cJSON *root = cJSON_CreateObject();
	uint64_t now_ns = clock_now_ns();

	(void)m;
	add_name(root, "domain", d);
	cJSON_AddStringToObject(root, "profile", d->choice.profile.name);
	cJSON_AddStringToObject(root, "source", d->choice.source);
	if (d->override_until_ns > now_ns)
		add_integer(root, "expires_s",
		            (int64_t)((d->override_until_ns - now_ns) / NSEC_PER_SEC));
	return root;
}
