// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plan, by tables: what chooses a profile, what becomes of metadata, every hold, pages, levers.
 * That this links the policy alone proves that the plan needs no libvirt, no configuration and no
 * system.
 */
#include "plan_fixture.h"

/* Command > persistent command > entry > metadata > default, in each combination that differs. */
static void test_precedence(void)
{
	static const struct {
		bool command, persistent, entry, metadata;
		enum plan_origin origin;
		const char *profile;
	} table[] = {
	        {false, false, false, false, PLAN_BY_DEFAULT, "observes"},
	        {false, false, false, true, PLAN_BY_METADATA, "other"},
	        {false, false, true, false, PLAN_BY_ENTRY, "observes"},
	        {false, false, true, true, PLAN_BY_ENTRY, "observes"},
	        {false, true, false, true, PLAN_BY_PERSISTENT_COMMAND, "off"},
	        {false, true, true, true, PLAN_BY_PERSISTENT_COMMAND, "off"},
	        {true, false, false, true, PLAN_BY_COMMAND, "boosts"},
	        {true, true, true, true, PLAN_BY_COMMAND, "boosts"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct scene s;

		begin(&s);
		s.domains[0].configured = OBSERVES;
		s.domains[0].has_entry = table[i].entry;
		s.domains[0].command.profile = table[i].command ? &BOOSTS : NULL;
		s.domains[0].persistent.profile = table[i].persistent ? &OFF : NULL;
		if (table[i].metadata)
			s.domains[0].metadata = (struct plan_metadata){
			        .state = PLAN_METADATA_WELL_FORMED,
			        .names_profile = true,
			        .profile = &OTHER,
			};
		make(&s);
		CHECK_INT(s.planned_domains[0].origin, table[i].origin);
		CHECK_STR(s.planned_domains[0].profile.name, table[i].profile);
		CHECK_STR(s.planned_vcpus[0].profile.name, table[i].profile);
	}
}

/* What is tried stands above all that is set, also above what its metadata asks for. */
static void test_trial(void)
{
	struct scene s;

	begin(&s);
	s.domains[0].configured = OFF;
	s.domains[0].trial = (struct plan_override){.profile = &BOOSTS, .burst_ns = 700000};
	s.domains[0].command.profile = &OBSERVES;
	s.domains[0].persistent.profile = &OFF;
	make(&s);
	CHECK_INT(s.planned_domains[0].origin, PLAN_BY_TRIAL);
	CHECK_STR(s.planned_vcpus[0].profile.name, "boosts");
	CHECK_U64(s.planned_vcpus[0].profile.burst_ns, 700000);
	s.domains[0].trial.profile = NULL;
	make(&s);
	CHECK_INT(s.planned_domains[0].origin, PLAN_BY_COMMAND);
	CHECK_STR(s.planned_domains[0].profile.name, "observes");
}

/* Each state of metadata under each rule: what becomes of it, and whether it has an effect. */
static void test_metadata_use(void)
{
	static const struct plan_metadata absent = {0},
	                                  malformed = {.state = PLAN_METADATA_MALFORMED},
	                                  unknown = {.state = PLAN_METADATA_WELL_FORMED,
	                                             .names_profile = true},
	                                  good = {.state = PLAN_METADATA_WELL_FORMED,
	                                          .names_profile = true,
	                                          .profile = &OTHER};
	static const struct {
		const struct plan_metadata *metadata;
		enum plan_metadata_rule rule;
		bool entry;
		enum plan_metadata_use use;
	} table[] = {
	        {&absent, PLAN_METADATA_HONOUR, false, PLAN_METADATA_USE_NONE},
	        {&absent, PLAN_METADATA_IGNORE, false, PLAN_METADATA_USE_NONE},
	        {&malformed, PLAN_METADATA_IGNORE, false, PLAN_METADATA_USE_IGNORED},
	        {&malformed, PLAN_METADATA_OBSERVE, false, PLAN_METADATA_USE_INVALID},
	        {&malformed, PLAN_METADATA_HONOUR, true, PLAN_METADATA_USE_INVALID},
	        {&unknown, PLAN_METADATA_IGNORE, false, PLAN_METADATA_USE_IGNORED},
	        {&unknown, PLAN_METADATA_OBSERVE, false, PLAN_METADATA_USE_INVALID},
	        {&unknown, PLAN_METADATA_HONOUR, false, PLAN_METADATA_USE_INVALID},
	        {&good, PLAN_METADATA_IGNORE, false, PLAN_METADATA_USE_IGNORED},
	        {&good, PLAN_METADATA_OBSERVE, false, PLAN_METADATA_USE_OBSERVED},
	        {&good, PLAN_METADATA_OBSERVE, true, PLAN_METADATA_USE_OBSERVED},
	        {&good, PLAN_METADATA_HONOUR, true, PLAN_METADATA_USE_OVERRULED},
	        {&good, PLAN_METADATA_HONOUR, false, PLAN_METADATA_USE_HONOURED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct scene s;

		begin(&s);
		s.input.host.metadata = table[i].rule;
		s.domains[0].has_entry = table[i].entry;
		s.domains[0].metadata = *table[i].metadata;
		make(&s);
		CHECK_INT(s.planned_domains[0].metadata_use, table[i].use);
		CHECK_STR(s.planned_domains[0].profile.name,
		          table[i].use == PLAN_METADATA_USE_HONOURED ? "other" : "boosts");
	}
}

/* Metadata may ask for less share and burst than the profile gives, never for more. */
static void test_metadata_only_lowers(void)
{
	static const struct {
		uint32_t share;
		uint64_t burst_ns;
		uint32_t planned_share;
		uint64_t planned_burst_ns;
	} table[] = {
	        {0, 0, 200, 500000},        {100, 0, 100, 500000},      {0, 100000, 200, 100000},
	        {200, 500000, 200, 500000}, {900, 900000, 200, 500000}, {50, 900000, 50, 500000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct scene s;

		begin(&s);
		s.domains[0].has_entry = false;
		s.domains[0].metadata = (struct plan_metadata){
		        .state = PLAN_METADATA_WELL_FORMED,
		        .share_permille = table[i].share,
		        .burst_ns = table[i].burst_ns,
		};
		make(&s);
		CHECK_INT(s.planned_domains[0].profile.share_permille, table[i].planned_share);
		CHECK_U64(s.planned_domains[0].profile.burst_ns, table[i].planned_burst_ns);
		CHECK_INT(s.planned_domains[0].share_by_metadata, table[i].planned_share != 200);
		CHECK_INT(s.planned_domains[0].burst_by_metadata,
		          table[i].planned_burst_ns != 500000);
		CHECK_INT(s.planned_domains[0].origin, PLAN_BY_DEFAULT);
	}
}

/* What is learned is bounded as what is written down is; until then, or if not, it is observed. */
static void test_learned(void)
{
	static const struct {
		struct learned learned;
		enum profile_mode mode;
		uint64_t burst_us;
		uint32_t share;
	} table[] = {
	        {{0}, PROFILE_OBSERVE, 2000, 250},
	        {{.boosts = false, .burst_ns = 300000, .share_permille = 90},
	         PROFILE_OBSERVE,
	         2000,
	         250},
	        {{.boosts = true, .burst_ns = 300000, .share_permille = 90},
	         PROFILE_BOOST,
	         300,
	         90},
	        {{.boosts = true, .burst_ns = UINT64_MAX, .share_permille = UINT32_MAX},
	         PROFILE_BOOST,
	         2000,
	         250},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct profile *planned;
		struct scene s;

		begin(&s);
		s.input.host.cpu_share_permille = 250;
		s.input.host.cpu_burst_ns = 3000000;
		s.input.host.domain_burst_ns = 5000000;
		s.domains[0].configured = PROFILE_AUTO_INIT;
		s.domains[0].learned = table[i].learned;
		make(&s);
		planned = &s.planned_domains[0].profile;
		CHECK(s.planned_domains[0].learns && planned->learned);
		CHECK_INT(planned->mode, table[i].mode);
		CHECK_U64(planned->burst_ns, table[i].burst_us * 1000);
		CHECK_INT(planned->share_permille, table[i].share);
		CHECK_U64(s.planned_domains[0].limits.burst_ns, 2000000);
		CHECK_INT(s.planned_domains[0].limits.share_permille, 250);
		CHECK(profile_equal(planned, &s.planned_vcpus[0].profile));
		CHECK_INT(s.planned_vcpus[0].rt_permille != 0, table[i].mode == PROFILE_BOOST);
	}
}

/* A command's or a domain's own figures are the most that is applied of what was learned. */
static void test_learned_by_command(void)
{
	static const struct profile learns = PROFILE_AUTO_INIT;
	struct scene s;

	begin(&s);
	s.input.host.cpu_burst_ns = s.input.host.domain_burst_ns = 5000000;
	s.domains[0].learned =
	        (struct learned){.boosts = true, .burst_ns = 900000, .share_permille = 200};
	s.domains[0].command = (struct plan_override){
	        .profile = &learns, .share_permille = 150, .burst_ns = 700000};
	make(&s);
	CHECK_U64(s.planned_domains[0].profile.burst_ns, 700000);
	CHECK_INT(s.planned_domains[0].profile.share_permille, 150);
	/* a profile that is written down knows nothing of it */
	s.domains[0].command = (struct plan_override){.profile = &BOOSTS};
	make(&s);
	CHECK(!s.planned_domains[0].learns);
	CHECK(profile_equal(&s.planned_domains[0].profile, &BOOSTS));
}

/* Each switch alone makes its hold, and no other; none of them: no hold. */
static void test_holds_of_the_host(void)
{
	static const struct plan_switches well = {
	        .enabled = true, .guarded = true, .traced = true, .booster_realtime = true};
	struct plan_switches table[_POLICY_REASON_HOLD_MAX] = {0};

	for (int i = 0; i < _POLICY_REASON_HOLD_MAX; i++)
		table[i] = well;
	CHECK_INT(plan_host_holds(&well), 0);
	table[POLICY_REASON_DISABLED].disabled = true;
	table[POLICY_REASON_BREAKER].breaker_open = true;
	table[POLICY_REASON_GUARDIAN].guarded = false;
	table[POLICY_REASON_PREEMPT_RT].preempt_rt = true;
	table[POLICY_REASON_NO_TRACER].traced = false;
	table[POLICY_REASON_FAILED].booster_realtime = false;
	for (int i = 0; i <= POLICY_REASON_NO_TRACER; i++)
		CHECK_INT(plan_host_holds(&table[i]), POLICY_HOLD(i));
	CHECK_INT(plan_host_holds(&table[POLICY_REASON_FAILED]), POLICY_HOLD(POLICY_REASON_FAILED));
	table[0] = well;
	table[0].enabled = false;
	CHECK_INT(plan_host_holds(&table[0]), POLICY_HOLD(POLICY_REASON_DISABLED));
	table[0] = well;
	table[0].deadlines_refused = true;
	CHECK_INT(plan_host_holds(&table[0]), POLICY_HOLD(POLICY_REASON_NO_TRACER));
}

static uint32_t only_hold(struct scene *s)
{
	make(s);
	return s->planned_vcpus[0].holds;
}

/* Each cause alone makes its hold, and no other. */
static void test_holds_of_a_vcpu(void)
{
	struct scene s;

	begin(&s);
	CHECK_INT(only_hold(&s), 0);
	s.domains[0].paused = true;
	CHECK_INT(only_hold(&s), POLICY_HOLD(POLICY_REASON_PAUSED));
	begin(&s);
	s.domains[0].released = true;
	CHECK_INT(only_hold(&s), POLICY_HOLD(POLICY_REASON_RELEASED));
	begin(&s);
	s.vcpus[0].proven = false;
	CHECK_INT(only_hold(&s), POLICY_HOLD(POLICY_REASON_UNPROVEN));
	begin(&s);
	s.vcpus[0].quota = true;
	CHECK_INT(only_hold(&s), POLICY_HOLD(POLICY_REASON_QUOTA));
	begin(&s);
	s.input.host.housekeeping = two_cpus;
	CHECK_INT(only_hold(&s), POLICY_HOLD(POLICY_REASON_HOUSEKEEPING));
	begin(&s);
	s.vcpus[0].cpus = no_cpu;
	CHECK_INT(only_hold(&s), POLICY_HOLD(POLICY_REASON_ADMISSION));
}

/* Only a vCPU that can't leave the housekeeping CPUs is held for them. */
static void test_housekeeping(void)
{
	static const struct {
		const uint64_t *cpus, *housekeeping;
		bool held;
	} table[] = {
	        {cpu_0, cpu_0, true},  {cpu_0, two_cpus, true}, {two_cpus, cpu_0, false},
	        {cpu_1, cpu_0, false}, {cpu_0, no_cpu, false},  {no_cpu, cpu_0, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct scene s;

		begin(&s);
		s.vcpus[0].cpus = table[i].cpus;
		s.input.host.housekeeping = table[i].housekeeping;
		make(&s);
		CHECK_INT(!!(s.planned_vcpus[0].holds & POLICY_HOLD(POLICY_REASON_HOUSEKEEPING)),
		          table[i].held);
	}
}

/* Released and switched off: still traced, so that the figures go on. Off: not even that. */
static void test_traced(void)
{
	struct scene s;

	begin(&s);
	s.domains[0].released = true;
	s.input.host.switches.disabled = true;
	make(&s);
	CHECK(s.planned_vcpus[0].traced);
	CHECK_INT(s.plan.holds, POLICY_HOLD(POLICY_REASON_DISABLED));
	s.domains[0].configured = OFF;
	make(&s);
	CHECK(!s.planned_vcpus[0].traced);
}

/* A thread that only has the name of a vCPU, or whose profile is off, has no slot. */
static void test_untraced(void)
{
	struct scene s;

	begin(&s);
	s.input.n_vcpus = 2;
	s.input.host.slots = 1;
	s.vcpus[0].proven = false;
	make(&s);
	CHECK(!s.planned_vcpus[0].traced);
	CHECK_INT(s.planned_vcpus[0].untraced, POLICY_REASON_UNPROVEN);
	CHECK_INT(s.planned_vcpus[0].holds, POLICY_HOLD(POLICY_REASON_UNPROVEN));
	CHECK(s.planned_vcpus[1].traced);
	s.domains[0].configured = OFF;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].untraced, POLICY_REASON_PROFILE);
	CHECK_INT(s.planned_vcpus[1].untraced, POLICY_REASON_PROFILE);
}

/* A vCPU has a page where the domain has pages and one of them is the vCPU's. */
static void test_pages(void)
{
	struct scene s;

	begin(&s);
	s.input.n_vcpus = 2;
	s.domains[0].page_generation = 7;
	s.domains[0].n_pages = 1;
	make(&s);
	CHECK_U64(s.planned_vcpus[0].page_generation, 7);
	CHECK_U64(s.planned_vcpus[1].page_generation, 0);
}

static void without_tracer(struct scene *s)
{
	s->input.host.switches.traced = false;
}

static void without_guardian(struct scene *s)
{
	s->input.host.switches.guarded = false;
}

static void with_breaker(struct scene *s)
{
	s->input.host.switches.breaker_open = true;
}

static void with_disable(struct scene *s)
{
	s->input.host.switches.disabled = true;
}

/*
 * Slice and clamp need a profile that boosts by them and a guardian; what forbids a boost need not
 * forbid them. A clamp also needs its budget.
 */
static void test_standing_levers(void)
{
	static const struct {
		const char *what;
		const struct profile *profile;
		void (*change)(struct scene *s);
		bool given;
	} table[] = {
	        {"well", &BOOSTS, NULL, true},
	        {"observed", &OBSERVES, NULL, false},
	        {"off", &OFF, NULL, false},
	        {"quota", &BOOSTS, with_quota, true},
	        {"paused", &BOOSTS, with_pause, false},
	        {"not traced", &BOOSTS, without_tracer, true},
	        {"released", &BOOSTS, with_release, false},
	        {"not proven", &BOOSTS, without_proof, false},
	        {"housekeeping", &BOOSTS, with_housekeeping, false},
	        {"no guardian", &BOOSTS, without_guardian, false},
	        {"breaker", &BOOSTS, with_breaker, false},
	        {"disabled", &BOOSTS, with_disable, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct scene s;

		begin(&s);
		s.domains[0].configured = *table[i].profile;
		if (table[i].change)
			table[i].change(&s);
		make(&s);
		printf("# %s\n", table[i].what);
		CHECK_U64(s.planned_vcpus[0].slice_ns, table[i].given ? PROFILE_SLICE_NS_INIT : 0);
		CHECK_INT(s.planned_vcpus[0].util_min, 0); /* "boosts" does not ask for it */
		s.domains[0].configured.levers |= PROFILE_LEVER_UCLAMP;
		make(&s);
		CHECK_INT(s.planned_vcpus[0].util_min, table[i].given ? 512 : 0);
		s.vcpus[0].clamp_spent = true;
		make(&s);
		CHECK_INT(s.planned_vcpus[0].util_min, 0);
		CHECK_U64(s.planned_vcpus[0].slice_ns, table[i].given ? PROFILE_SLICE_NS_INIT : 0);
	}
}

/* Without the real-time class: no share is asked for, no budget, and a hold that says so. */
static void test_levers(void)
{
	struct profile by_slice = BOOSTS, by_rt = BOOSTS;
	struct scene s;

	by_slice.levers = PROFILE_LEVER_SLICE;
	by_rt.levers = PROFILE_LEVER_RT;
	begin(&s);
	s.input.n_domains = 2;
	s.input.n_vcpus = 2;
	s.vcpus[1].domain = 1;
	s.domains[0].configured = by_slice;
	s.domains[1].configured = by_rt;
	s.input.host.cpu_share_permille = 100; /* of two CPUs: what "boosts" asks for */
	make(&s);
	CHECK_INT(s.planned_vcpus[0].holds, POLICY_HOLD(POLICY_REASON_LEVERS));
	CHECK_INT(s.planned_vcpus[0].rt_permille, 0);
	CHECK(!s.planned_vcpus[0].keeps_rt_budget);
	CHECK_U64(s.planned_vcpus[0].slice_ns, PROFILE_SLICE_NS_INIT);
	CHECK_INT(s.planned_vcpus[1].holds, 0);
	CHECK_INT(s.planned_vcpus[1].profile.share_permille, 200);
	CHECK(s.planned_vcpus[1].rt_permille > 0);
	CHECK_U64(s.planned_vcpus[1].slice_ns, 0);
}

/* An empty host has an empty plan. */
static void test_nothing(void)
{
	struct scene s;

	begin(&s);
	s.input.n_domains = s.input.n_vcpus = 0;
	make(&s);
	CHECK_INT(s.plan.holds, 0);
}

TEST_MAIN(TEST(test_precedence), TEST(test_trial), TEST(test_metadata_use),
          TEST(test_metadata_only_lowers), TEST(test_learned), TEST(test_learned_by_command),
          TEST(test_holds_of_the_host), TEST(test_holds_of_a_vcpu), TEST(test_housekeeping),
          TEST(test_traced), TEST(test_untraced), TEST(test_pages), TEST(test_standing_levers),
          TEST(test_levers), TEST(test_nothing))
