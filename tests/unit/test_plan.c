// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plan, by tables: what chooses a profile, what becomes of metadata, every hold, admission, RT
 * budgets, pages. That this links the policy alone proves that the plan needs no libvirt, no
 * configuration and no system.
 */
#include "policy/plan.h"

#include "test.h"

#define VCPUS 4

#define LEVERS PROFILE_LEVERS_INIT, PROFILE_SLICE_NS_INIT, 512, 200

static const struct profile BOOSTS = {"boosts", PROFILE_BOOST, 200, 500000, 0, true, LEVERS};
static const struct profile OTHER = {"other", PROFILE_BOOST, 100, 200000, 0, false, LEVERS};
static const struct profile OBSERVES = {"observes", PROFILE_OBSERVE, 200, 500000, 0, true, LEVERS};
static const struct profile OFF = {"off", PROFILE_OFF, 0, 0, 0, false, 0, 0, 0, 0};

static const uint64_t two_cpus[1] = {0x3}, cpu_0[1] = {0x1}, cpu_1[1] = {0x2}, no_cpu[1] = {0};

/* A host where all is well, one domain of the profile "boosts", some vCPUs on two CPUs. */
struct scene {
	struct plan_input input;
	struct plan_domain_input domains[2];
	struct plan_vcpu_input vcpus[VCPUS];
	struct plan_domain planned_domains[2];
	struct plan_vcpu planned_vcpus[VCPUS];
	struct plan plan;
};

static void begin(struct scene *s)
{
	*s = (struct scene){
	        .input.host =
	                {
	                        .switches = {.enabled = true,
	                                     .guarded = true,
	                                     .traced = true,
	                                     .booster_realtime = true},
	                        .metadata = PLAN_METADATA_HONOUR,
	                        .cpu_share_permille = 1000,
	                        .domain_share_permille = 1000,
	                        .domain_burst_ns = 7,
	                        .slots = 64,
	                        .grants_rt_budgets = true,
	                        .cpu_words = 1,
	                        .housekeeping = no_cpu,
	                },
	};
	s->input.n_domains = 1;
	s->input.domains = s->domains;
	s->input.n_vcpus = 1;
	s->input.vcpus = s->vcpus;
	s->plan.domains = s->planned_domains;
	s->plan.vcpus = s->planned_vcpus;
	for (size_t i = 0; i < ARRAY_SIZE(s->domains); i++)
		s->domains[i] = (struct plan_domain_input){.configured = BOOSTS, .has_entry = true};
	for (unsigned int i = 0; i < VCPUS; i++)
		s->vcpus[i] = (struct plan_vcpu_input){
		        .index = i, .cpus = two_cpus, .proven = true, .has_group = true};
}

static void make(struct scene *s)
{
	CHECK_INT(plan_make(&s->input, &s->plan), 0);
}

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
		s.domains[0].command = table[i].command ? &BOOSTS : NULL;
		s.domains[0].persistent = table[i].persistent ? &OFF : NULL;
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

/* Two vCPUs confined to one CPU share what it may promise; one beside them keeps its own. */
static void test_admission_scales_alike(void)
{
	struct scene s;

	begin(&s);
	s.input.n_vcpus = 3;
	s.input.host.cpu_share_permille = 300;
	s.vcpus[0].cpus = s.vcpus[1].cpus = cpu_0;
	s.vcpus[2].cpus = cpu_1;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].profile.share_permille, 150);
	CHECK_INT(s.planned_vcpus[1].profile.share_permille, 150);
	CHECK_INT(s.planned_vcpus[2].profile.share_permille, 200);
	CHECK_INT(s.planned_domains[0].profile.share_permille, 200);
}

/* What only observes, is off or has another domain's profile does not take shares from others. */
static void test_admission_counts_boosts_alone(void)
{
	struct scene s;

	begin(&s);
	s.input.n_domains = 2;
	s.input.n_vcpus = 2;
	s.input.host.cpu_share_permille = 200;
	s.vcpus[0].cpus = s.vcpus[1].cpus = cpu_0;
	s.vcpus[1].domain = 1;
	s.domains[1].configured = OBSERVES;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].profile.share_permille, 200);
	CHECK_INT(s.planned_vcpus[1].profile.share_permille, 200);
}

/* A share too small to be worth a real-time class is held, and has no RT budget. */
static void test_admission_holds_what_is_too_small(void)
{
	struct scene s;

	begin(&s);
	s.input.n_vcpus = VCPUS;
	s.input.host.cpu_share_permille = 39;
	for (size_t i = 0; i < VCPUS; i++)
		s.vcpus[i].cpus = cpu_0;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].profile.share_permille, 9);
	CHECK_INT(s.planned_vcpus[0].holds, POLICY_HOLD(POLICY_REASON_ADMISSION));
	CHECK(!s.planned_vcpus[0].keeps_rt_budget);
	s.input.host.cpu_share_permille = 40;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].holds, 0);
}

static void with_quota(struct scene *s)
{
	s->vcpus[0].quota = true;
}

static void with_pause(struct scene *s)
{
	s->domains[0].paused = true;
}

static void with_release(struct scene *s)
{
	s->domains[0].released = true;
}

static void without_proof(struct scene *s)
{
	s->vcpus[0].proven = false;
}

static void with_housekeeping(struct scene *s)
{
	s->input.host.housekeeping = two_cpus;
}

/* What can't be boosted now claims nothing: the other vCPU of the CPU has all of its share. */
static void test_admission_counts_what_may_be_boosted(void)
{
	void (*const changes[])(struct scene * s) = {with_quota, with_pause, with_release,
	                                             without_proof, with_housekeeping};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct scene s;

		begin(&s);
		s.input.n_domains = s.input.n_vcpus = 2;
		s.input.host.cpu_share_permille = 200;
		s.vcpus[0].cpus = cpu_0;
		s.vcpus[1].cpus = cpu_0;
		s.vcpus[1].domain = 1;
		make(&s);
		CHECK_INT(s.planned_vcpus[1].profile.share_permille, 100);
		changes[i](&s);
		if (changes[i] == with_housekeeping) {
			s.input.host.housekeeping = cpu_0;
			s.vcpus[1].cpus = two_cpus;
		}
		make(&s);
		CHECK(s.planned_vcpus[0].holds);
		CHECK_INT(s.planned_vcpus[1].profile.share_permille, 200);
		CHECK_INT(s.planned_vcpus[1].holds, 0);
	}
}

/* However many vCPUs a domain has, it claims no more than its own share. */
static void test_a_domain_claims_its_share(void)
{
	struct scene s;

	begin(&s);
	s.input.n_domains = 2;
	s.input.n_vcpus = VCPUS;
	s.input.host.domain_share_permille = 300;
	s.vcpus[VCPUS - 1].domain = 1;
	s.input.host.cpu_share_permille = 250; /* 500 of two CPUs: 300 and 200 */
	make(&s);
	for (unsigned int i = 0; i < VCPUS; i++)
		CHECK_INT(s.planned_vcpus[i].profile.share_permille, 200);
	CHECK_INT(s.planned_domains[0].rule.share_permille, 300);
	CHECK_INT(s.planned_domains[1].rule.share_permille, 300);
	CHECK_U64(s.planned_domains[1].rule.burst_ns, 7);
	s.input.host.cpu_share_permille = 125; /* half of it: each has half */
	make(&s);
	for (unsigned int i = 0; i < VCPUS; i++)
		CHECK_INT(s.planned_vcpus[i].profile.share_permille, 100);
	CHECK_INT(s.planned_domains[0].rule.share_permille, 150);
	CHECK_INT(s.planned_domains[1].rule.share_permille, 300); /* its one vCPU has less */
}

/* A budget is the share and a margin, where one may be granted; holds that come and go keep it. */
static void test_rt_budgets(void)
{
	struct scene s;

	begin(&s);
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 250);
	CHECK(s.planned_vcpus[0].keeps_rt_budget);
	s.domains[0].paused = true; /* it claims nothing, and keeps what it has */
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 0);
	CHECK(s.planned_vcpus[0].keeps_rt_budget);
	begin(&s);
	s.input.host.switches.guarded = false;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 250);
	begin(&s);
	s.vcpus[0].has_group = false;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 0);
	begin(&s);
	s.vcpus[0].proven = false;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 0);
	CHECK(s.planned_vcpus[0].keeps_rt_budget); /* withdrawn when it is given up, not before */
	begin(&s);
	s.input.host.grants_rt_budgets = false;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 0);
	CHECK(s.planned_vcpus[0].keeps_rt_budget);
}

static void check_no_budget(struct scene *s)
{
	make(s);
	CHECK_INT(s->planned_vcpus[0].rt_permille, 0);
	CHECK(!s->planned_vcpus[0].keeps_rt_budget);
}

/* Released, switched off by either switch, observed: no budget is granted, and none stays. */
static void test_rt_budgets_end(void)
{
	struct scene s;

	begin(&s);
	s.domains[0].released = true;
	check_no_budget(&s);
	begin(&s);
	s.input.host.switches.disabled = true;
	check_no_budget(&s);
	begin(&s);
	s.input.host.switches.enabled = false;
	check_no_budget(&s);
	begin(&s);
	s.domains[0].configured = OBSERVES;
	check_no_budget(&s);
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

/* The number of slots of each of three domains. */
static void check_slots(uint32_t slots, const uint32_t n[3], const uint32_t expected[3])
{
	static struct plan_domain_input domains[3];
	static struct plan_domain planned_domains[3];
	static struct plan_vcpu_input vcpus[3000];
	static struct plan_vcpu planned_vcpus[3000];
	struct plan plan = {.domains = planned_domains, .vcpus = planned_vcpus};
	struct scene s;
	size_t i = 0;

	begin(&s);
	s.input.host.slots = slots;
	s.input.n_domains = 3;
	s.input.domains = domains;
	s.input.vcpus = vcpus;
	for (unsigned int domain = 0; domain < 3; domain++) {
		domains[domain] = s.domains[0];
		for (unsigned int index = 0; index < n[domain]; index++, i++) {
			vcpus[i] = s.vcpus[0];
			vcpus[i].domain = domain;
			vcpus[i].index = index;
		}
	}
	s.input.n_vcpus = i;
	CHECK_INT(plan_make(&s.input, &plan), 0);
	i = 0;
	for (unsigned int domain = 0; domain < 3; domain++) {
		CHECK_INT(planned_domains[domain].n_proven, n[domain]);
		CHECK_INT(planned_domains[domain].n_slots, expected[domain]);
		for (unsigned int index = 0; index < n[domain]; index++, i++) {
			CHECK_INT(planned_vcpus[i].traced, index < expected[domain]);
			if (!planned_vcpus[i].traced)
				CHECK_INT(planned_vcpus[i].untraced, POLICY_REASON_NO_SLOT);
		}
	}
}

/* A domain that has many vCPUs takes no slot from one that has few. */
static void test_slots(void)
{
	static const struct {
		uint32_t slots, n[3], expected[3];
	} table[] = {
	        {10, {1, 2, 3}, {1, 2, 3}},
	        {6, {1, 2, 3}, {1, 2, 3}},
	        {10, {512, 512, 4}, {3, 3, 3}},
	        {11, {512, 512, 3}, {4, 4, 3}},
	        {1024, {1000, 1000, 4}, {510, 510, 4}},
	        {3, {512, 512, 512}, {1, 1, 1}},
	        {2, {5, 5, 5}, {0, 0, 0}},
	        {0, {1, 0, 1}, {0, 0, 0}},
	        {4, {0, 9, 0}, {0, 4, 0}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		check_slots(table[i].slots, table[i].n, table[i].expected);
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

/* Two profiles are equal by what they say, whatever stands behind the name and between members. */
static void test_profile_equal(void)
{
	struct profile a, b;

	memset(&a, 0x55, sizeof(a));
	memset(&b, 0xaa, sizeof(b));
	strcpy(a.name, "x");
	strcpy(b.name, "x");
	a.mode = b.mode = PROFILE_BOOST;
	a.share_permille = b.share_permille = 100;
	a.burst_ns = b.burst_ns = 1000;
	a.requests = b.requests = PROFILE_REQUESTS_HEED;
	a.on_interrupt = b.on_interrupt = true;
	a.levers = b.levers = PROFILE_LEVERS_INIT;
	a.slice_ns = b.slice_ns = PROFILE_SLICE_NS_INIT;
	a.util_min = b.util_min = 512;
	a.util_permille = b.util_permille = 200;
	CHECK(profile_equal(&a, &b));
	b.share_permille++;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.on_interrupt = false;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.levers = PROFILE_LEVER_RT;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.slice_ns++;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.util_min++;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.util_permille++;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.name[0] = 'y';
	CHECK(!profile_equal(&a, &b));
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

TEST_MAIN(TEST(test_precedence), TEST(test_metadata_use), TEST(test_metadata_only_lowers),
          TEST(test_holds_of_the_host), TEST(test_holds_of_a_vcpu), TEST(test_housekeeping),
          TEST(test_admission_scales_alike), TEST(test_admission_counts_boosts_alone),
          TEST(test_admission_holds_what_is_too_small), TEST(test_rt_budgets),
          TEST(test_rt_budgets_end), TEST(test_traced), TEST(test_slots), TEST(test_untraced),
          TEST(test_admission_counts_what_may_be_boosted), TEST(test_a_domain_claims_its_share),
          TEST(test_pages), TEST(test_profile_equal), TEST(test_standing_levers), TEST(test_levers),
          TEST(test_nothing))
