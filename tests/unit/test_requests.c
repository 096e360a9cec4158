// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests: that what is due is applied before one is served, that a change is applied before it is
 * answered, and what is refused.
 */
#include "requests_fixture.h"

/* What is due is applied first, so that what is reported is true; else nothing is. */
static void test_settled_before_reports(void)
{
	begin();
	CHECK_INT(ask(CONTROL_STATUS, ""), 0);
	CHECK_CALLS("status");
	pass_changed(domains.pass);
	CHECK_INT(ask(CONTROL_SHOW, "web"), 0);
	CHECK_CALLS("pass show");
	CHECK_INT(ask(CONTROL_LIST, ""), 0);
	CHECK_CALLS("list");
	CHECK_INT(ask(CONTROL_POLICIES, ""), 0);
	CHECK_CALLS("kinds");
	CHECK_INT(ask(CONTROL_POLICY_LIST, ""), 0);
	CHECK_INT(ask(CONTROL_CONFIG, ""), 0);
	CHECK_CALLS("policies config");
	/* of all domains, or of one's vCPUs */
	CHECK_INT(ask(CONTROL_METRICS, ""), 0);
	CHECK_CALLS("metrics");
	CHECK_INT(ask(CONTROL_TOP, ""), 0);
	CHECK_CALLS("top");
	CHECK_INT(ask(CONTROL_TOP, "web"), 0);
	CHECK_CALLS("top of vCPUs");
	CHECK_INT(ask(CONTROL_TOP, "nobody"), -ENOENT);
	/* each request of a client says that it is still there */
	CHECK_INT(ask(CONTROL_LATENCY, "web"), 0);
	CHECK_CALLS("renew latency");
	CHECK_INT(ask(CONTROL_LATENCY, ""), -EINVAL);
	CHECK_INT(ask(CONTROL_AVOID, "web"), 0);
	CHECK_CALLS("avoid");
	CHECK_INT(ask(CONTROL_AVOID, ""), -EINVAL);
}

/* Unknown profiles and domains, and a verb that lacks its domain, change nothing. */
static void test_refused(void)
{
	begin();
	knows_profile = false;
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), -EINVAL);
	CHECK_CONTAINS(error, "there is no profile \"latency\"; profiles: off, latency");
	CHECK_INT(ask(CONTROL_SHOW, "none"), -ENOENT);
	CHECK_INT(ask(CONTROL_SHOW, ""), -EINVAL);
	CHECK_CALLS("");
}

/* Released: one domain or all, and applied before it is answered. */
static void test_release(void)
{
	struct inventory_domain *d = begin();

	CHECK_INT(ask(CONTROL_RELEASE, "web"), 0);
	CHECK_CALLS("rescan pass");
	CHECK_INT(n_cancelled, 1);
	CHECK(overrides_released(domains.overrides, d));
	overrides_set_released(domains.overrides, d, false);
	CHECK_INT(ask(CONTROL_RELEASE, ""), 0);
	CHECK_CALLS("rescan pass");
	CHECK(overrides_released(domains.overrides, d));
}

/* On: the switch, a guardian, an end of all releases, a pass. Off: the switch and a pass. */
static void test_enable(void)
{
	struct inventory_domain *d = begin();

	overrides_set_released(domains.overrides, d, true);
	CHECK_INT(ask(CONTROL_ENABLE, ""), 0);
	CHECK_CALLS("on guard rescan pass");
	CHECK(!overrides_released(domains.overrides, d));
	overrides_set_released(domains.overrides, d, true);
	CHECK_INT(ask(CONTROL_DISABLE, ""), 0);
	CHECK_CALLS("off rescan-all pass");
	CHECK(overrides_released(domains.overrides, d));
	answer_command = -EROFS;
	CHECK_INT(ask(CONTROL_ENABLE, ""), -EROFS);
	CHECK_CALLS("on");
}

/* Of a domain that runs; what a trial has shown is told also of one that has ended. */
static void test_trials(void)
{
	begin();
	CHECK_INT(ask(CONTROL_TRIAL_START, "web"), 0);
	CHECK_INT(ask(CONTROL_TRIAL_STOP, "web"), 0);
	CHECK_INT(ask(CONTROL_TRIAL_POLL, "web"), 0);
	CHECK_INT(ask(CONTROL_TRIAL_POLL, "gone"), 0);
	CHECK_CALLS("trial trial trial trial");
	CHECK_INT(ask(CONTROL_TRIAL_START, "gone"), -ENOENT);
	CHECK_INT(ask(CONTROL_TRIAL_STOP, "gone"), -ENOENT);
	CHECK_INT(ask(CONTROL_TRIAL_START, ""), -EINVAL);
	CHECK_CALLS("");
	CHECK_INT(n_cancelled, 0);
}

/* Boosts what is traced, and reports each vCPU after that; not under a profile that does not boost.
 */
static void test_boost(void)
{
	struct inventory_domain *d = begin();

	d->vcpus[0].slot = 0;
	CHECK_INT(ask(CONTROL_BOOST, "web"), 0);
	CHECK_CALLS("boost report report");
	planned.profile.mode = PROFILE_OBSERVE;
	CHECK_INT(ask(CONTROL_BOOST, "web"), -EINVAL);
	CHECK_CALLS("");
	CHECK_CONTAINS(error, "pvschedctl policy set web latency");
	strcpy(d->seen->name, "we b"); /* what a shell would take for two words */
	CHECK_INT(ask(CONTROL_BOOST, "we b"), -EINVAL);
	CHECK_CONTAINS(error, "pvschedctl policy set " WEB " latency");
	strcpy(d->seen->name, "-x");
	CHECK_INT(ask(CONTROL_BOOST, "-x"), -EINVAL);
	CHECK_CONTAINS(error, "pvschedctl policy set " WEB " latency");
}

/* A pass that could not be made: the answer is no, and says that it is tried again. */
static void test_not_carried_out(void)
{
	begin();
	answer_pass = -ENOMEM;
	CHECK_INT(ask(CONTROL_RELEASE, ""), -ENOMEM);
	CHECK(strstr(error, "tries it again"));
	CHECK_INT(ask(CONTROL_DISABLE, ""), -ENOMEM);
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), -ENOMEM);
}

/* A file that can't be read is not a client that may not ask. */
static void test_reload(void)
{
	begin();
	CHECK_INT(ask(CONTROL_RELOAD, ""), 0);
	answer_reload = -EPERM;
	CHECK_INT(ask(CONTROL_RELOAD, ""), -EBADMSG);
	CHECK_STR(error, "why");
	CHECK_CALLS("reload reload");
}

TEST_MAIN(TEST(test_settled_before_reports), TEST(test_refused), TEST(test_release),
          TEST(test_enable), TEST(test_trials), TEST(test_boost), TEST(test_not_carried_out),
          TEST(test_reload))
