// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which vCPUs guests are told to avoid: by command, by the governor out of accounts of the test's
 * own, and what is forgotten. The booster is the test's.
 */
#include "daemon/avoid.h"

#include <errno.h>

#include "util/cgroup.h"
#include "util/clock.h"

#include "test.h"

static sd_event *event;
static struct avoid *avoid;
static struct accounts accounts;
static struct inventory inventory;
static struct domain seen;
static struct inventory_vcpu vcpus[4];
static struct inventory_domain domain = {.seen = &seen, .vcpus = vcpus};
static struct plan_domain plan;
static bool told[PVS_VCPUS_MAX];
static unsigned int n_told;
static int64_t weight; /* of every group; 0: it cannot be read */
static char asked[CGROUP_PATH_MAX];
static uint64_t loaded_ns;

/* ---- stand-ins ---- */

int booster_set_avoid(struct booster *booster, unsigned int slot, bool on)
{
	(void)booster;
	CHECK(told[slot] != on); /* news alone */
	told[slot] = on;
	n_told++;
	return 0;
}

const struct plan_domain *planning_domain(const struct planning *planning,
                                          const struct inventory_domain *d)
{
	(void)planning;
	CHECK(d == &domain);
	return &plan;
}

int cgroup_read_number(const struct cgroup_cpu *cpu, const char *group, const char *attribute,
                       int64_t *ret)
{
	CHECK(cpu);
	CHECK_STR(attribute, cpu->kind == PROCFS_CGROUP_V1 ? "cpu.shares" : "cpu.weight");
	snprintf(asked, sizeof(asked), "%s", group);
	*ret = weight;
	return weight ? 0 : -ENOENT;
}

/* ---- what tests do ---- */

static void begin_with(const struct cgroup_cpu *cgroup)
{
	struct avoid_parts parts = {
	        .inventory = &inventory, .accounts = &accounts, .cgroup = cgroup};

	if (!accounts.vcpus)
		accounts.vcpus = calloc(PVS_VCPUS_MAX, sizeof(*accounts.vcpus));
	CHECK(accounts.vcpus);
	memset(accounts.vcpus, 0, PVS_VCPUS_MAX * sizeof(*accounts.vcpus));
	memset(told, 0, sizeof(told));
	memset(vcpus, 0, sizeof(vcpus));
	n_told = 0;
	plan = (struct plan_domain){.profile = PROFILE_OBSERVE_INIT};
	domain.n_vcpus = 4;
	domain.serial = 1;
	inventory.domains = &domain;
	for (unsigned int i = 0; i < 4; i++) {
		vcpus[i].thread.index = i;
		vcpus[i].thread.id.tid = (pid_t)(100 + i);
		snprintf(vcpus[i].thread.cgroup, sizeof(vcpus[i].thread.cgroup),
		         "/machine/web.scope/libvirt/vcpu%u", i);
		vcpus[i].slot = 10 + i;
		cpu_set_bits_add(&vcpus[i].affinity, 0);
	}
	CHECK(sd_event_new(&event) >= 0);
	parts.event = event;
	CHECK_INT(avoid_new(&avoid, &parts), 0);
	avoid_follow(avoid);
	loaded_ns = clock_now_ns();
}

static void begin(void)
{
	begin_with(NULL);
}

static void end(void)
{
	avoid = avoid_free(avoid);
	event = sd_event_unref(event);
}

static int nothing(sd_event_source *source, void *userdata)
{
	(void)source;
	(void)userdata;
	return 0;
}

/* The main thread is awake for something. */
static void wake(void)
{
	sd_event_source *source = NULL;

	CHECK(sd_event_add_defer(event, &source, nothing, NULL) >= 0);
	CHECK(sd_event_run(event, 0) > 0);
	sd_event_source_disable_unref(source);
	while (sd_event_run(event, 0) > 0)
		;
}

/* Since the last call each vCPU but those that it avoids wanted all of one CPU that they share. */
static void load(void)
{
	uint64_t now_ns = clock_now_ns(), passed_ns = now_ns - loaded_ns;
	unsigned int n = 0;

	for (unsigned int i = 0; i < 4; i++)
		n += !told[10 + i];
	for (unsigned int i = 0; i < 4; i++) {
		if (told[10 + i])
			continue;
		accounts.vcpus[10 + i].run_ns += passed_ns / n;
		accounts.vcpus[10 + i].wait_ns += passed_ns - passed_ns / n;
	}
	loaded_ns = now_ns;
}

static void these(uint64_t bits)
{
	uint64_t words[AVOID_WORDS] = {bits};

	avoid_set(avoid, &domain, AVOID_THESE, words);
}

static uint64_t shown(void)
{
	struct avoid_view view;

	avoid_read(avoid, &domain, &view);
	return view.vcpus[0];
}

/* ---- tests ---- */

static void test_by_command(void)
{
	struct avoid_view view;

	begin();
	CHECK_INT(n_told, 0);
	these(0xd);
	CHECK(!told[10] && !told[11] && told[12] && told[13]); /* never the first */
	CHECK_U64(shown(), 0xc);
	avoid_read(avoid, &domain, &view);
	CHECK_INT(view.mode, AVOID_THESE);
	CHECK(!view.governed);
	these(0x2);
	CHECK(told[11] && !told[12] && !told[13]);
	avoid_set(avoid, &domain, AVOID_NONE, NULL);
	CHECK(!told[11] && shown() == 0);
	/* a command needs no look, and so no timer */
	wake();
	CHECK_INT(sd_event_run(event, 0), 0);
	end();
}

/* A vCPU that loses its slot, and has it again, is told again; another thread is told nothing. */
static void test_slots_come_and_go(void)
{
	begin();
	these(0x8);
	CHECK(told[13]);
	vcpus[3].slot = SLOT_NONE;
	avoid_follow(avoid);
	told[13] = false; /* as the booster forgets it */
	CHECK_U64(shown(), 0);
	vcpus[3].slot = 13;
	avoid_follow(avoid);
	CHECK(told[13]);
	/* the domain ends, and another one has its slot: what was said of the first does not count
	 */
	told[13] = false;
	domain.serial = 2;
	vcpus[3].thread.id.tid = 900;
	avoid_follow(avoid);
	CHECK(!told[13] && shown() == 0);
	end();
}

/* Four vCPUs on one CPU: found when the main thread is awake, then by a timer of its own. */
static void test_governor(void)
{
	struct avoid_view view;
	uint64_t until_ns;

	begin();
	CHECK_INT(sd_event_run(event, 0), 0);
	plan.profile.avoid = PROFILE_AVOID_AUTO;
	avoid_follow(avoid);
	wake(); /* the first look only begins */
	until_ns = clock_now_ns() + NSEC_PER_SEC;
	while (clock_now_ns() < until_ns)
		load();
	wake();
	until_ns = clock_now_ns() + 20 * NSEC_PER_SEC;
	while (__builtin_popcountll(shown()) < 3 && clock_now_ns() < until_ns) {
		CHECK(sd_event_run(event, 50000) >= 0);
		load();
	}
	CHECK_U64(shown(), 0xe);
	CHECK(!told[10] && told[11] && told[12] && told[13]);
	avoid_read(avoid, &domain, &view);
	CHECK(view.governed && view.mode == AVOID_BY_PROFILE);
	CHECK_INT(view.entitled_permille, 1000);
	/* the profile says never by now */
	plan.profile.avoid = PROFILE_AVOID_NEVER;
	avoid_follow(avoid);
	CHECK(!told[11] && !told[12] && !told[13]);
	CHECK_INT(sd_event_run(event, 1500000), 0); /* and the timer is off */
	/* by command, whatever the profile says */
	avoid_set(avoid, &domain, AVOID_AUTO, NULL);
	avoid_read(avoid, &domain, &view);
	CHECK(view.governed);
	avoid_set(avoid, &domain, AVOID_BY_PROFILE, NULL);
	avoid_read(avoid, &domain, &view);
	CHECK(!view.governed);
	end();
}

/* Where none waits there is no timer. */
static void test_no_timer_while_none_waits(void)
{
	uint64_t until_ns;

	begin();
	plan.profile.avoid = PROFILE_AVOID_AUTO;
	avoid_follow(avoid);
	wake();
	until_ns = clock_now_ns() + NSEC_PER_SEC;
	while (clock_now_ns() < until_ns)
		;
	wake();
	CHECK_INT(sd_event_run(event, 1500000), 0);
	CHECK_INT(n_told, 0);
	end();
}

/* The weight is that of the group of the whole domain. */
static void test_weights(void)
{
	static const struct cgroup_cpu v2 = {.kind = PROCFS_CGROUP_V2},
	                               v1 = {.kind = PROCFS_CGROUP_V1};

	weight = 300;
	begin_with(&v2);
	CHECK_STR(asked, ""); /* nothing is governed, so nothing is read */
	avoid_set(avoid, &domain, AVOID_AUTO, NULL);
	CHECK_STR(asked, "/machine/web.scope");
	*asked = '\0';
	avoid_follow(avoid); /* not at each pass */
	CHECK_STR(asked, "");
	end();
	begin_with(&v1);
	avoid_set(avoid, &domain, AVOID_AUTO, NULL);
	CHECK_STR(asked, "/machine/web.scope");
	end();
	weight = 0;
	begin_with(&v2);
	avoid_set(avoid, &domain, AVOID_AUTO, NULL);
	end();
}

static void test_names(void)
{
	CHECK_STR(avoid_mode_name(AVOID_BY_PROFILE), "profile");
	CHECK_STR(avoid_mode_name(AVOID_AUTO), "auto");
	CHECK_STR(avoid_mode_name(AVOID_NONE), "none");
	CHECK_STR(avoid_mode_name(AVOID_THESE), "these");
}

TEST_MAIN(TEST(test_by_command), TEST(test_slots_come_and_go), TEST(test_governor),
          TEST(test_no_timer_while_none_waits), TEST(test_weights), TEST(test_names))
