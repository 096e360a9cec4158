// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Planning: that the input of the plan is filled from true configurations and commands, and what
 * reports are told of its sources. The plan itself is test_plan.c's.
 */
#include "daemon/planning.h"

#include <stdarg.h>
#include <unistd.h>

#include "boost/sched.h"
#include "util/log.h"

#include "host_fake.h"
#include "inventory_fixture.h"

#define WEB "01234567-89ab-cdef-0123-456789abcdef"
#define DB  "11234567-89ab-cdef-0123-456789abcdef"

static char directory[64];
static sd_event *event;
static struct inventory inventory;
static struct overrides *overrides;
static struct state *state;
static struct config *config;
static struct planning *planning;
static struct learned_domains *learned;
static const struct plan *plan;
static bool migrating;
static struct policy_entry tried; /* of the domain of this serial */
static uint64_t tried_serial;
static uint64_t usable_generation;
static unsigned int n_logged;
static char logged[512];

/* ---- what planning asks of others ---- */

bool lifecycle_migrating(const struct lifecycle *lifecycle, const struct inventory_domain *domain)
{
	(void)lifecycle;
	(void)domain;
	return migrating;
}

const struct policy_entry *trials_policy(const struct trials *trials,
                                         const struct inventory_domain *domain)
{
	(void)trials;
	return domain->serial == tried_serial ? &tried : NULL;
}

static uint64_t agent_generation; /* 0: no agent */

uint64_t carriers_usable(const struct carriers *carriers, const struct inventory_domain *domain,
                         uint32_t *ret_n_pages)
{
	(void)carriers;
	(void)domain;
	*ret_n_pages = 1;
	return usable_generation;
}

uint64_t agent_pages_usable(const struct agent_pages *pages, const struct inventory_domain *domain)
{
	(void)pages;
	(void)domain;
	return agent_generation;
}

void log_write(int level, const struct log_context *ctx, const char *format, ...)
{
	va_list args;

	(void)level;
	(void)ctx;
	n_logged++;
	va_start(args, format);
	vsnprintf(logged, sizeof(logged), format, args);
	va_end(args);
}

/* ---- fixture ---- */

static void on_gone(void *userdata, struct inventory_domain *d)
{
	(void)userdata;
	overrides_forget(overrides, d);
}

static void on_ended(void *userdata, const struct policy_entry *policy)
{
	(void)userdata;
	(void)policy;
}

static void configure(const char *text)
{
	struct config_text file = {"test", text, strlen(text)};
	struct config *next;
	char error[512];

	CHECK_INT(config_parse_all(&file, 1, &next, error, sizeof(error)), 0);
	planning_configure(planning, next);
	config_free(config);
	config = next;
}

static void persist(const char *uuid, const char *profile)
{
	struct policy_entry policy = {0}, dropped;

	strcpy(policy.uuid, uuid);
	strcpy(policy.profile, profile);
	CHECK_INT(state_keep_policy(state, &policy, &dropped), 0);
}

/* By command, for WEB. */
static int set(const char *profile, uint32_t share_permille, uint64_t burst_ns)
{
	struct policy_entry policy = {
	        .uuid = WEB, .share_permille = share_permille, .burst_ns = burst_ns};

	strcpy(policy.profile, profile);
	return overrides_set(overrides, &policy, 0);
}

static struct inventory_domain *see(struct domain *domain)
{
	struct inventory_domain *d;

	CHECK(inventory_seen(&inventory, domain, &d) >= 0);
	inventory_look(&inventory, d);
	return d;
}

static void end(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/policies.json", directory);
	unlink(path);
	rmdir(directory);
}

static void make(void)
{
	static const struct plan_switches well = {
	        .enabled = true, .guarded = true, .traced = true, .booster_realtime = true};

	CHECK_INT(planning_make(planning, &well, &plan), 0);
}

static void begin(const char *text)
{
	struct planning_inputs inputs = {
	        .inventory = &inventory, .sheet_permille = 700, .has_cgroup = true};
	char warning[512];

	host_fake_cpus = 0xf;
	if (!event) {
		CHECK(sd_event_new(&event) >= 0);
		snprintf(directory, sizeof(directory), "/tmp/pvsched-planning-XXXXXX");
		CHECK(mkdtemp(directory));
		atexit(end);
		CHECK_INT(state_open(&state, directory, directory, warning, sizeof(warning)), 0);
		CHECK_INT(overrides_new(&overrides, event, on_ended, NULL), 0);
	}
	inventory_clear(&inventory);
	inventory_init(&inventory, NULL, on_gone, NULL);
	state_drop_policy(state, WEB);
	overrides_unset(overrides, WEB);
	learned_domains_free(learned);
	learned = learned_domains_new();
	CHECK(learned);
	inputs.learned = learned;
	inputs.overrides = overrides;
	inputs.state = state;
	planning_free(planning);
	CHECK_INT(planning_new(&planning, &inputs), 0);
	configure(text);
	migrating = false;
	usable_generation = agent_generation = 0;
	n_logged = 0;
}

static void check_choice(const struct inventory_domain *d, const char *profile, const char *source)
{
	struct config_choice choice;

	planning_choice(planning, d, &choice);
	CHECK_STR(choice.profile.name, profile);
	CHECK_CONTAINS(choice.source, source);
}

#define HOST_HONOURS "{\"version\": 1, \"host\": {\"metadata\": \"honour\"}"

/* Each of those that may choose, from the weakest on: the source is told. */
static void test_precedence(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 1);
	struct inventory_domain *d;

	begin(HOST_HONOURS "}");
	d = see(domain_make(WEB, "web", 100, 1));
	make();
	check_choice(d, "observe", "default");
	domain->metadata.state = DOMAIN_METADATA_VALID;
	strcpy(domain->metadata.profile, "latency");
	see(domain);
	make();
	check_choice(d, "latency", "metadata of the domain");
	configure(HOST_HONOURS ", \"domains\": {\"name\": {\"web\": {\"profile\": \"off\"}}}}");
	make();
	check_choice(d, "off", ".domains");
	CHECK_INT(planning_domain(planning, d)->metadata_use, PLAN_METADATA_USE_OVERRULED);
	persist(WEB, "interactive");
	make();
	check_choice(d, "interactive", "policy set --persist");
	CHECK_INT(set("latency", 0, 0), 0);
	make();
	check_choice(d, "latency", "pvschedctl policy set");
}

/* Figures of a command are in place of the profile's, each by itself, and `show` says so. */
static void test_figures_by_command(void)
{
	struct inventory_domain *d;
	struct config_choice choice;

	begin(HOST_HONOURS "}");
	d = see(domain_make(WEB, "web", 100, 1));
	CHECK_INT(set("latency", 250, 0), 0);
	make();
	planning_choice(planning, d, &choice);
	CHECK_INT(choice.profile.share_permille, 250);
	CHECK_CONTAINS(choice.share_source, "policy set");
	CHECK_U64(choice.profile.burst_ns, config_profile(config, "latency")->burst_ns);
	CHECK(!strstr(choice.burst_source, "policy set"));
	CHECK_INT(set("latency", 0, 700000), 0);
	make();
	planning_choice(planning, d, &choice);
	CHECK_INT(choice.profile.share_permille, 200);
	CHECK_U64(choice.profile.burst_ns, 700000);
	CHECK_U64(plan->vcpus[0].profile.burst_ns, 700000);
}

/* What was learned of a domain, and of that one alone, is planned and told. */
static void test_learned(void)
{
	struct inventory_domain *web, *db;
	struct config_choice choice;

	begin("{\"version\": 1, \"default_profile\": \"auto\"}");
	web = see(domain_make(WEB, "web", 100, 1));
	db = see(domain_make(DB, "db", 200, 1));
	make();
	CHECK(planning_domain(planning, web)->learns);
	CHECK_INT(planning_domain(planning, web)->profile.mode, PROFILE_OBSERVE);
	check_choice(web, "auto", "default_profile");
	CHECK(!planning_learned(planning, web)->boosts);
	*learned_begin(learned, web) =
	        (struct learned){.boosts = true, .burst_ns = 300000, .share_permille = 90};
	make();
	CHECK_INT(planning_domain(planning, web)->profile.mode, PROFILE_BOOST);
	CHECK_INT(planning_domain(planning, db)->profile.mode, PROFILE_OBSERVE);
	planning_choice(planning, web, &choice);
	CHECK_U64(choice.profile.burst_ns, 300000);
	CHECK_CONTAINS(choice.burst_source, "learned");
	CHECK_CONTAINS(choice.share_source, "learned");
	learned_forget(learned, web);
	make();
	CHECK_INT(planning_domain(planning, web)->profile.mode, PROFILE_OBSERVE);
}

/* What is tried is said to be that, holds where the domain was released, and leaves nothing. */
static void test_trial(void)
{
	struct inventory_domain *d;
	uint32_t holds;

	begin(HOST_HONOURS "}");
	d = see(domain_make(WEB, "web", 100, 1));
	CHECK_INT(set("interactive", 0, 0), 0);
	overrides_set_released(overrides, d, true);
	make();
	holds = plan->vcpus[0].holds;
	CHECK(holds & POLICY_HOLD(POLICY_REASON_RELEASED));
	strcpy(tried.profile, "latency");
	tried_serial = d->serial;
	make();
	check_choice(d, "latency", "pvschedctl trial");
	CHECK(!(plan->vcpus[0].holds & POLICY_HOLD(POLICY_REASON_RELEASED)));
	tried_serial = 0;
	make();
	check_choice(d, "interactive", "pvschedctl policy set");
	CHECK_U64(plan->vcpus[0].holds, holds);
	overrides_set_released(overrides, d, false);
}

/* A policy by command counts for nothing once the configuration lacks its profile. */
static void test_unknown_profile(void)
{
	struct inventory_domain *d;

	begin(HOST_HONOURS ", \"profiles\": {\"mine\": {\"mode\": \"observe\", "
	                   "\"share_permille\": 100, \"burst_us\": 100}}}");
	d = see(domain_make(WEB, "web", 100, 1));
	CHECK_INT(set("mine", 0, 0), 0);
	make();
	check_choice(d, "mine", "pvschedctl policy set");
	configure(HOST_HONOURS "}");
	make();
	check_choice(d, "observe", "default");
}

/* Invalid metadata is said once, however often plans are made, and again when it is another one. */
static void test_metadata_is_said_once(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 1);
	struct inventory_domain *d;

	begin(HOST_HONOURS "}");
	domain->metadata.state = DOMAIN_METADATA_VALID;
	strcpy(domain->metadata.profile, "none-such");
	d = see(domain);
	make();
	make();
	CHECK_INT(n_logged, 1);
	CHECK_CONTAINS(logged, "there is no profile \"none-such\"");
	CHECK_CONTAINS(planning_metadata_error(planning, d), "none-such");
	domain = domain_make(WEB, "web", 100, 1);
	domain->metadata.state = DOMAIN_METADATA_INVALID;
	strcpy(domain->metadata.error, "not XML");
	see(domain);
	make();
	CHECK_INT(n_logged, 2);
	CHECK_STR(planning_metadata_error(planning, d), "not XML");
	see(domain_make(WEB, "web", 100, 1));
	make();
	CHECK_STR(planning_metadata_error(planning, d), "");
}

/* Less of a share by metadata: its source is told, the profile's stays. */
static void test_share_by_metadata(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 1);
	struct config_choice choice;
	struct inventory_domain *d;

	begin(HOST_HONOURS "}");
	domain->metadata.state = DOMAIN_METADATA_VALID;
	domain->metadata.share_permille = 50;
	d = see(domain);
	make();
	planning_choice(planning, d, &choice);
	CHECK_INT(choice.profile.share_permille, 50);
	CHECK_STR(choice.share_source, "metadata of the domain");
	CHECK_CONTAINS(choice.source, "default");
}

/* What becomes of the facts of a vCPU: proof, cgroup, migration, pages; in the inventory's order.
 */
static void test_facts(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 2);

	begin("{\"version\": 1, \"host\": {\"grant_rt_budget\": true}, \"default_profile\": "
	      "\"latency\"}");
	domain->vcpus[1].proof = VCPU_PROOF_NONE;
	see(domain);
	see(domain_make(DB, "db", 200, 1)); /* the newest domain is the first one */
	plan = NULL;
	usable_generation = 7;
	make();
	CHECK_INT(plan->vcpus[0].holds, 0);
	CHECK(plan->vcpus[0].rt_permille > 0);
	CHECK_INT(plan->vcpus[1].holds, 0);
	CHECK_U64(plan->vcpus[1].page_generation, 7);
	CHECK_INT(plan->vcpus[2].holds, POLICY_HOLD(POLICY_REASON_UNPROVEN));
	CHECK_U64(plan->vcpus[2].page_generation, 0);
	/* an agent's pages go before a carrier's, and each vCPU is asked for its own */
	agent_generation = 8;
	make();
	CHECK_U64(plan->vcpus[1].page_generation, 8);
	CHECK_U64(plan->vcpus[2].page_generation, 8);
	agent_generation = 0;
	migrating = true;
	make();
	CHECK_INT(plan->vcpus[0].holds, POLICY_HOLD(POLICY_REASON_PAUSED));
}

/* A domain that came after the last plan has none yet, also in a slot that had one. */
static void test_not_planned_yet(void)
{
	struct inventory_domain *d;

	begin("{\"version\": 1, \"default_profile\": \"latency\"}");
	see(domain_make(WEB, "web", 100, 1));
	make();
	d = see(domain_make(WEB, "web", 200, 1));
	CHECK_STR(planning_domain(planning, d)->profile.name, "off");
	make();
	CHECK_STR(planning_domain(planning, d)->profile.name, "latency");
}

/*
 * What a command would leave: two domains on the same CPUs share what these may give, and the plan
 * in force is untouched.
 */
static void test_try(void)
{
	static const struct plan_switches well = {
	        .enabled = true, .guarded = true, .traced = true, .booster_realtime = true};
	CLEANUP(planning_try_cleanup) struct plan tried = {0};
	struct inventory_domain *web, *db;
	struct planning_wish wish;

	begin(HOST_HONOURS ", \"profiles\": {\"latency\": {\"share_permille\": 300}}, "
	                   "\"domains\": {\"name\": {\"db\": {\"profile\": \"latency\"}}}}");
	host_fake_cpus = 0x1;
	web = see(domain_make(WEB, "web", 100, 1));
	db = see(domain_make(DB, "db", 200, 1));
	overrides_set_released(overrides, web, true);
	make();
	CHECK_INT(planning_domain(planning, web)->profile.mode, PROFILE_OBSERVE);
	CHECK_INT(planning_domain(planning, db)->profile.mode, PROFILE_BOOST);
	CHECK_INT(plan->vcpus[0].profile.share_permille, 300);
	wish = (struct planning_wish){web, config_profile(config, "latency")};
	CHECK_INT(planning_try(planning, &well, &wish, &tried), 0);
	CHECK_STR(tried.domains[0].profile.name, "latency");
	CHECK_STR(tried.domains[1].profile.name, "latency");
	/* one CPU gives 300 permille to both */
	CHECK_INT(tried.vcpus[0].profile.share_permille, 150);
	CHECK_INT(tried.vcpus[1].profile.share_permille, 150);
	CHECK_INT(tried.vcpus[0].holds, 0);
	CHECK_INT(planning_domain(planning, web)->profile.mode, PROFILE_OBSERVE);
	CHECK_INT(plan->vcpus[0].profile.share_permille, 300);
	CHECK(overrides_released(overrides, web));
}

TEST_MAIN(TEST(test_try), TEST(test_learned), TEST(test_precedence), TEST(test_trial),
          TEST(test_unknown_profile), TEST(test_figures_by_command),
          TEST(test_metadata_is_said_once), TEST(test_share_by_metadata), TEST(test_facts),
          TEST(test_not_planned_yet))
