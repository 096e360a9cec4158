// SPDX-License-Identifier: GPL-2.0-or-later
/* Policies by command: set, tried, unset, of domains that run or not. */
#include "requests_fixture.h"

/* A policy is in force before it is answered, and kept where that was asked for. */
static void test_policy_set(void)
{
	struct control_request request = {
	        .verb = CONTROL_POLICY_SET, .domain = "web", .profile = "latency", .persist = true};
	struct inventory_domain *d = begin();
	cJSON *result = NULL;

	overrides_set_released(domains.overrides, d, true);
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), 0);
	CHECK_CALLS("rescan pass");
	CHECK_STR(overrides_policy(domains.overrides, d)->profile, "latency");
	CHECK(!overrides_released(domains.overrides, d));
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), 0);
	CHECK_CALLS("persist rescan pass");
	/* the one that ends with the daemon would overrule it */
	CHECK(!overrides_policy(domains.overrides, d));
	CHECK_STR(policies_find(&kept, WEB)->name, "web");
	CHECK_U64(policies_find(&kept, WEB)->burst_ns, 0);
	cJSON_Delete(result);
	request.share_permille = 250;
	request.burst_ns = 700 * NSEC_PER_USEC;
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), 0);
	CHECK_STR(cJSON_GetStringValue(cJSON_GetObjectItem(result, "message")),
	          "web: profile latency, share 250 permille, burst 700 us, also after a restart");
	cJSON_Delete(result);
	CHECK_CALLS("persist rescan pass");
	CHECK_INT(policies_find(&kept, WEB)->share_permille, 250);
	CHECK_U64(policies_find(&kept, WEB)->burst_ns, 700 * NSEC_PER_USEC);
	answer_persist = -ENOSPC;
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), -ENOSPC);
	CHECK_CONTAINS(error, "could not be saved");
}

/* A name that two domains have: neither is meant, and the answer has both uuids. */
static void test_name_of_two(void)
{
	struct inventory_domain *web = begin(), *other;

	CHECK_INT(inventory_seen(&domains.inventory, domain_make(OTHER, "web", 200, 1), &other),
	          INVENTORY_NEW);
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), -ENOTUNIQ);
	CHECK_CONTAINS(error, "2 domains have the name \"web\"");
	CHECK_CONTAINS(error, WEB);
	CHECK_CONTAINS(error, OTHER);
	CHECK_INT(ask(CONTROL_RELEASE, "web"), -ENOTUNIQ);
	CHECK(!overrides_released(domains.overrides, web));
	CHECK(!overrides_released(domains.overrides, other));
	CHECK_CALLS("");
	CHECK_INT(ask(CONTROL_POLICY_SET, OTHER), 0);
	CHECK_STR(overrides_policy(domains.overrides, other)->profile, "latency");
	CHECK(!overrides_policy(domains.overrides, web));
	CHECK_CALLS("rescan pass");
}

/* What is kept by a uuid that is made up, or another QEMU's, too, would be lost or mistaken. */
static void test_uuid_that_is_none(void)
{
	struct control_request request = {
	        .verb = CONTROL_POLICY_SET, .domain = "web", .profile = "latency", .persist = true};
	struct inventory_domain *d = begin();
	cJSON *result = NULL;

	d->seen->uuid_kind = DOMAIN_UUID_MADE_UP;
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), -EINVAL);
	CHECK_CONTAINS(error, "made up for this process alone");
	d->seen->uuid_kind = DOMAIN_UUID_SHARED;
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), -EINVAL);
	CHECK_CONTAINS(error, "another QEMU was started");
	CHECK_CALLS("");
	CHECK(!overrides_policy(domains.overrides, d));
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), 0); /* for as long as pvschedd runs */
	CHECK_CALLS("rescan pass");
}

/* Taken back: both kinds at once, in force before it is answered; nothing to take back is no. */
static void test_policy_unset(void)
{
	struct control_request request = {
	        .verb = CONTROL_POLICY_SET, .domain = "web", .profile = "latency", .persist = true};
	struct inventory_domain *d = begin();
	cJSON *result = NULL;

	CHECK_INT(ask(CONTROL_POLICY_UNSET, "web"), -ENODATA);
	CHECK_CALLS("drop");
	CHECK_CONTAINS(error, "no policy is set by command for web");
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), 0);
	cJSON_Delete(result);
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), 0);
	CHECK_STR(overrides_policy(domains.overrides, d)->profile, "latency");
	*calls = '\0';
	CHECK_INT(ask(CONTROL_POLICY_UNSET, "web"), 0);
	CHECK_CALLS("drop rescan pass");
	CHECK(!overrides_policy(domains.overrides, d));
	CHECK_INT(kept.n, 0);
	CHECK_INT(ask(CONTROL_POLICY_UNSET, "web"), -ENODATA);
	CHECK_INT(ask(CONTROL_POLICY_UNSET, "nobody"), -ENOENT);
	/* it can't be written: unset for now, and said */
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), 0);
	cJSON_Delete(result);
	answer_persist = -EIO;
	CHECK_INT(ask(CONTROL_POLICY_UNSET, "web"), -EIO);
	CHECK_CONTAINS(error, "policies.json could not be written");
}

static int ask_absent(enum control_verb verb, const char *domain, bool absent, const char *name)
{
	struct control_request request = {.verb = verb, .vcpu = -1, .absent = absent};
	cJSON *result = NULL;
	int r;

	*error = '\0';
	strcpy(request.domain, domain);
	strcpy(request.profile, verb == CONTROL_POLICY_SET ? "latency" : "");
	strcpy(request.name, name);
	r = requests_handle(&requests, &request, &result, error, sizeof(error));
	if (r == 0)
		snprintf(error, sizeof(error), "%s",
		         cJSON_GetStringValue(cJSON_GetObjectItem(result, "message")));
	cJSON_Delete(result);
	*calls = '\0';
	return r;
}

/* A domain that does not run: by its uuid if that is meant, by its name once it is known. */
static void test_policy_of_absent(void)
{
	begin();
	CHECK_INT(ask_absent(CONTROL_POLICY_SET, "off", false, ""), -ENOENT);
	CHECK_INT(ask_absent(CONTROL_POLICY_SET, "off", true, ""), -ENOENT);
	CHECK_INT(ask_absent(CONTROL_POLICY_SET, OTHER, false, ""), -ENOENT);
	CHECK_INT(overrides_all(domains.overrides)->n, 0);
	/* by the uuid alone, as without libvirt: what is not known is said */
	CHECK_INT(ask_absent(CONTROL_POLICY_SET, OTHER, true, ""), 0);
	CHECK_CONTAINS(error, "whether there is one of this uuid is not known");
	CHECK_STR(policies_find(overrides_all(domains.overrides), OTHER)->profile, "latency");
	CHECK_INT(ask_absent(CONTROL_POLICY_SET, OTHER, true, "off"), 0);
	CHECK_STR(error, "off: profile latency until pvschedd is started again; the domain does "
	                 "not run now");
	CHECK_INT(ask_absent(CONTROL_POLICY_SET, "off", false, ""), 0);
	CHECK_INT(overrides_all(domains.overrides)->n, 1);
	CHECK_INT(ask_absent(CONTROL_POLICY_UNSET, "off", false, ""), 0);
	CHECK_CONTAINS(error, "off: no policy by command any more");
	CHECK_INT(ask_absent(CONTROL_POLICY_UNSET, "off", false, ""), -ENOENT);
	CHECK_INT(ask_absent(CONTROL_POLICY_UNSET, OTHER, false, ""), -ENODATA);
}

/* Two that had one name: neither is meant. */
static void test_absent_name_of_two(void)
{
	begin();
	CHECK_INT(ask_absent(CONTROL_POLICY_SET, OTHER, true, "off"), 0);
	CHECK_INT(
	        ask_absent(CONTROL_POLICY_SET, "21234567-89ab-cdef-0123-456789abcdef", true, "off"),
	        0);
	CHECK_INT(ask_absent(CONTROL_POLICY_UNSET, "off", false, ""), -ENOTUNIQ);
	CHECK_INT(overrides_all(domains.overrides)->n, 2);
	CHECK_INT(
	        ask_absent(CONTROL_POLICY_UNSET, "21234567-89AB-cdef-0123-456789abcdef", false, ""),
	        0);
	CHECK_INT(ask_absent(CONTROL_POLICY_UNSET, "off", false, ""), 0);
}

/* A dry run changes nothing, and needs a domain that runs. */
static void test_dry_run(void)
{
	struct control_request request = {
	        .verb = CONTROL_POLICY_SET, .domain = "web", .profile = "latency", .dry_run = true};
	struct inventory_domain *d = begin();
	cJSON *result = NULL;

	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), 0);
	cJSON_Delete(result);
	CHECK_CALLS("dry-run");
	CHECK(!overrides_policy(domains.overrides, d));
	strcpy(request.domain, OTHER);
	request.absent = true;
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), -EINVAL);
	CHECK_CONTAINS(error, "does not run");
	CHECK_INT(overrides_all(domains.overrides)->n, 0);
}

static int assign(const char *domain, const char *policy, bool persist, bool absent)
{
	struct control_request request = {
	        .verb = CONTROL_POLICY_ASSIGN, .vcpu = -1, .persist = persist, .absent = absent};
	cJSON *result = NULL;
	int r;

	*error = '\0';
	strcpy(request.domain, domain);
	strcpy(request.policy, policy);
	r = requests_handle(&requests, &request, &result, error, sizeof(error));
	if (r == 0)
		snprintf(error, sizeof(error), "%s",
		         cJSON_GetStringValue(cJSON_GetObjectItem(result, "message")));
	cJSON_Delete(result);
	return r;
}

/* What is assigned and which profile is set leave each other alone. */
static void test_assign(void)
{
	struct inventory_domain *d = begin();

	CHECK_INT(assign("web", "urgent-only", false, false), 0);
	CHECK_CALLS("pass");
	CHECK_STR(error, "web: boosted by policy urgent-only@1 until pvschedd is started again");
	CHECK_STR(overrides_policy(domains.overrides, d)->policy, "urgent-only@1");
	CHECK_STR(overrides_policy(domains.overrides, d)->profile, "");
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), 0);
	CHECK_STR(overrides_policy(domains.overrides, d)->policy, "urgent-only@1");
	CHECK_STR(overrides_policy(domains.overrides, d)->profile, "latency");
	CHECK_INT(assign("web", "pvschedd@1", false, false), 0);
	CHECK_STR(overrides_policy(domains.overrides, d)->policy, "pvschedd@1");
	CHECK_STR(overrides_policy(domains.overrides, d)->profile, "latency");
	/* one that persists takes its place, and leaves the profile */
	CHECK_INT(assign("web", "urgent-only@1", true, false), 0);
	CHECK_STR(error, "web: boosted by policy urgent-only@1, also after a restart");
	CHECK_STR(overrides_policy(domains.overrides, d)->policy, "");
	CHECK_STR(overrides_policy(domains.overrides, d)->profile, "latency");
	CHECK_STR(policies_find(&kept, WEB)->policy, "urgent-only@1");
	CHECK_STR(policies_find(&kept, WEB)->name, "web");
	/* both kinds are taken back at once */
	CHECK_INT(assign("web", "pvschedd", false, false), 0);
	CHECK_INT(assign("web", "guest", false, false), 0);
	CHECK_CONTAINS(error, "no policy is assigned by command any more");
	CHECK_STR(overrides_policy(domains.overrides, d)->policy, "");
	CHECK_INT(kept.n, 0);
	CHECK_INT(ask(CONTROL_POLICY_UNSET, "web"), 0);
	CHECK(!overrides_policy(domains.overrides, d));
}

static void test_assign_what_is_not_there(void)
{
	struct inventory_domain *d = begin();

	CHECK_INT(assign("web", "of-the-future", false, false), -EINVAL);
	CHECK_STR(error,
	          "there is no policy \"of-the-future\"; policies: pvschedd@1, urgent-only@1, "
	          "awaited-only@1, "
	          "and \"guest\" for the one that the guest names");
	CHECK_INT(assign("web", "pvschedd@2", true, false), -EINVAL);
	CHECK_INT(assign("nobody", "pvschedd", false, false), -ENOENT);
	CHECK_INT(assign(OTHER, "pvschedd", false, false), -ENOENT);
	CHECK_CALLS("");
	CHECK_INT(assign(OTHER, "pvschedd", false, true), 0);
	CHECK_CONTAINS(error, "whether there is one of this uuid is not known");
	CHECK_STR(policies_find(overrides_all(domains.overrides), OTHER)->policy, "pvschedd@1");
	d->seen->uuid_kind = DOMAIN_UUID_MADE_UP;
	CHECK_INT(assign("web", "pvschedd", true, false), -EINVAL);
	CHECK_CONTAINS(error, "made up for this process alone");
	CHECK_INT(kept.n, 0);
}

TEST_MAIN(TEST(test_policy_set), TEST(test_name_of_two), TEST(test_uuid_that_is_none),
          TEST(test_policy_unset), TEST(test_policy_of_absent), TEST(test_absent_name_of_two),
          TEST(test_dry_run), TEST(test_assign), TEST(test_assign_what_is_not_there))
