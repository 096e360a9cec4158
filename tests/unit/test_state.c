// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "test.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"

static char directory[64];
static const char *const files[] = {"disabled", "policies.json", "policies.json.bad", "running",
                                    "breaker"};

static void begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/pvsched-state-XXXXXX");
	CHECK(mkdtemp(directory));
}

static void end(void)
{
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		unlink(path);
	}
	CHECK(rmdir(directory) == 0);
}

static struct state *open_it(void)
{
	struct state *state;
	char warning[512];

	CHECK_INT(state_open(&state, directory, directory, warning, sizeof(warning)), 0);
	return state;
}

static void test_switch_persists(void)
{
	struct state *state;

	begin();
	state = open_it();
	CHECK(!state_disabled(state));
	CHECK_INT(state_set_disabled(state, true), 0);
	state_free(state);
	state = open_it();
	CHECK(state_disabled(state));
	CHECK_INT(state_set_disabled(state, false), 0);
	CHECK_INT(state_set_disabled(state, false), 0);
	state_free(state);
	state = open_it();
	CHECK(!state_disabled(state));
	state_free(state);
	end();
}

static void keep(struct state *state, const char *uuid, const char *name, const char *profile)
{
	struct policy_entry policy = {0}, dropped;

	strcpy(policy.uuid, uuid);
	strcpy(policy.name, name);
	strcpy(policy.profile, profile);
	if (strcmp(profile, "interactive") == 0) {
		policy.share_permille = 250;
		policy.burst_ns = 700 * NSEC_PER_USEC;
	}
	CHECK_INT(state_keep_policy(state, &policy, &dropped), 0);
	CHECK_STR(dropped.uuid, "");
}

static void test_policies_persist(void)
{
	const struct policy_entry *policy;
	struct state *state;

	begin();
	state = open_it();
	keep(state, UUID, "web \"1\"", "latency");
	keep(state, UUID, "web \"1\"", "interactive");
	state_free(state);
	state = open_it();
	CHECK_STR(state_policy(state, UUID)->profile, "interactive");
	CHECK_INT(state_policies(state)->n, 1);
	policy = &state_policies(state)->entries[0];
	CHECK_STR(policy->name, "web \"1\"");
	CHECK_INT(policy->share_permille, 250);
	CHECK_U64(policy->burst_ns, 700 * NSEC_PER_USEC);
	CHECK(state_ago_s(policy->set_s) >= 0 && state_ago_s(policy->set_s) < 60);
	CHECK_INT(state_ago_s(policy->ran_s), -1);
	CHECK_INT(state_drop_policy(state, UUID), 1);
	CHECK_INT(state_drop_policy(state, UUID), 0);
	CHECK(!state_policy(state, UUID));
	state_free(state);
	state = open_it();
	CHECK(!state_policy(state, UUID));
	state_free(state);
	end();
}

/* A profile and what is assigned are kept apart; the file of one without is an older version's. */
static void test_assigned_policies_persist(void)
{
	struct policy_entry policy = {.uuid = UUID, .policy = "urgent-only@1"}, dropped;
	struct state *state;

	begin();
	state = open_it();
	CHECK_INT(state_keep_policy(state, &policy, &dropped), 0);
	state_free(state);
	state = open_it();
	CHECK_STR(state_policy(state, UUID)->policy, "urgent-only@1");
	CHECK_STR(state_policy(state, UUID)->profile, "");
	keep(state, UUID, "web", "interactive");
	CHECK_STR(state_policy(state, UUID)->policy, "urgent-only@1");
	strcpy(policy.policy, "pvschedd@1");
	CHECK_INT(state_keep_policy(state, &policy, &dropped), 0);
	state_free(state);
	state = open_it();
	CHECK_STR(state_policy(state, UUID)->policy, "pvschedd@1");
	CHECK_STR(state_policy(state, UUID)->profile, "interactive");
	CHECK_INT(state_policy(state, UUID)->share_permille, 250);
	CHECK_INT(state_unassign(state, UUID), 1);
	CHECK_INT(state_unassign(state, UUID), 0);
	CHECK_STR(state_policy(state, UUID)->profile, "interactive");
	CHECK_INT(state_drop_policy(state, UUID), 1);
	CHECK_INT(state_keep_policy(state, &policy, &dropped), 0);
	CHECK_INT(state_unassign(state, UUID), 1);
	CHECK(!state_policy(state, UUID));
	state_free(state);
	end();
}

/* That its domain runs is kept, with the name that it has by now. */
static void test_domain_runs(void)
{
	struct state *state;

	begin();
	state = open_it();
	keep(state, UUID, "old", "latency");
	state_domain_runs(state, UUID, "new");
	state_domain_runs(state, "11234567-89ab-cdef-0123-456789abcdef", "other");
	state_save_runs(state);
	state_free(state);
	state = open_it();
	CHECK_INT(state_policies(state)->n, 1);
	CHECK_STR(state_policies(state)->entries[0].name, "new");
	CHECK(state_ago_s(state_policies(state)->entries[0].ran_s) < 60);
	/* one whose name is no UTF-8 must not spoil the file */
	state_domain_runs(state, UUID, "\xff");
	state_save_runs(state);
	state_free(state);
	state = open_it();
	CHECK_STR(state_policies(state)->entries[0].name, "");
	CHECK_STR(state_policy(state, UUID)->profile, "latency");
	state_free(state);
	end();
}

/* Where there is no room, the policy of the domain that has not run for the longest goes. */
static void test_stale_policies(void)
{
	struct policy_entry policy = {0}, dropped;
	char path[128], uuid[DOMAIN_UUID_LEN];
	struct state *state;
	FILE *file;

	begin();
	snprintf(path, sizeof(path), "%s/policies.json", directory);
	file = fopen(path, "w");
	CHECK(file);
	fputs("{\"version\":2,\"policies\":{", file);
	for (int i = 0; i < POLICIES_MAX; i++)
		fprintf(file,
		        "%s\"%08x-0000-0000-0000-000000000000\":{\"profile\":\"latency\","
		        "\"set_s\":%d,\"ran_s\":%d}",
		        i ? "," : "", (unsigned int)i, i == 77 ? 500 : 900, i == 78 ? 0 : 1000);
	fputs("}}", file);
	fclose(file);
	state = open_it();
	CHECK_INT(state_policies(state)->n, POLICIES_MAX);
	strcpy(policy.uuid, UUID);
	strcpy(policy.profile, "observe");
	CHECK_INT(state_keep_policy(state, &policy, &dropped), 0);
	snprintf(uuid, sizeof(uuid), "%08x-0000-0000-0000-000000000000", 78U);
	CHECK_STR(dropped.uuid, uuid);
	CHECK(!state_policy(state, uuid));
	CHECK_STR(state_policy(state, UUID)->profile, "observe");
	/* one that is there already needs no room */
	CHECK_INT(state_keep_policy(state, &policy, &dropped), 0);
	CHECK_STR(dropped.uuid, "");
	state_free(state);
	state = open_it();
	CHECK_INT(state_policies(state)->n, POLICIES_MAX);
	CHECK_STR(state_policy(state, UUID)->profile, "observe");
	state_free(state);
	end();
}

/* The file of a version before. */
static void test_first_version(void)
{
	struct state *state;
	char path[128];
	FILE *file;

	begin();
	snprintf(path, sizeof(path), "%s/policies.json", directory);
	file = fopen(path, "w");
	CHECK(file);
	fputs("{\"version\":1,\"policies\":{\"" UUID "\":\"latency\"}}", file);
	fclose(file);
	state = open_it();
	CHECK_STR(state_policy(state, UUID)->profile, "latency");
	CHECK_INT(state_ago_s(state_policies(state)->entries[0].set_s), -1);
	state_free(state);
	end();
}

static void test_damaged_policies_are_put_aside(void)
{
	static const char *const damaged[] = {
	        "",
	        "{",
	        "[]",
	        "{\"version\":4}",
	        "{\"version\":2,\"policies\":{\"" UUID "\":{}}}",
	        "{\"version\":2,\"policies\":{\"" UUID "\":{\"profile\":\"x\",\"y\":1}}}",
	        "{\"version\":2,\"policies\":{\"" UUID "\":{\"profile\":\"x\",\"burst_us\":49}}}",
	        "{\"version\":2,\"policies\":{\"" UUID
	        "\":{\"profile\":\"x\",\"share_permille\":1001}}}",
	        "{\"version\":2,\"policies\":{\"" UUID "\":{\"profile\":\"x\",\"set_s\":-1}}}",
	        "{\"version\":1,\"policies\":{\"x\":\"latency\"}}",
	        "{\"version\":1,\"policies\":{\"" UUID "\":7}}",
	};
	char path[128], warning[512];
	struct state *state;

	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		int fd;

		begin();
		snprintf(path, sizeof(path), "%s/policies.json", directory);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		CHECK(write(fd, damaged[i], strlen(damaged[i])) == (ssize_t)strlen(damaged[i]));
		close(fd);
		CHECK_INT(state_open(&state, directory, directory, warning, sizeof(warning)), 0);
		CHECK(warning[0]);
		CHECK(!state_policy(state, UUID));
		CHECK(access(path, F_OK) < 0);
		state_free(state);
		end();
	}
}

/* What a killed daemon leaves is an unclean end to the next one; what stop leaves is not. */
static void test_unclean_end(void)
{
	struct state *state;
	bool unclean;

	begin();
	state = open_it();
	CHECK_INT(state_begin(state, &unclean), 0);
	CHECK(!unclean);
	state_free(state); /* as a crash leaves it */
	state = open_it();
	CHECK_INT(state_begin(state, &unclean), 0);
	CHECK(unclean);
	CHECK_INT(state_end_cleanly(state), 0);
	CHECK_INT(state_end_cleanly(state), 0);
	CHECK_INT(state_begin(state, &unclean), 0);
	CHECK(!unclean);
	state_free(state);
	end();
}

static void test_breaker_persists(void)
{
	struct breaker breaker = {.state = BREAKER_HALF_OPEN, .opened = 2, .since_ns = 77};
	const struct breaker *read;
	struct state *state;

	begin();
	for (size_t i = 0; i < BREAKER_ENDS; i++)
		breaker.ends_ns[i] = 1000 + i;
	for (size_t i = 0; i < BREAKER_ACTS; i++)
		breaker.acts_ns[i] = UINT64_MAX - i;
	state = open_it();
	CHECK_INT(state_breaker(state)->state, BREAKER_CLOSED);
	CHECK_INT(state_set_breaker(state, &breaker), 0);
	state_free(state);
	state = open_it();
	read = state_breaker(state);
	CHECK_INT(read->state, BREAKER_HALF_OPEN);
	CHECK_INT(read->opened, 2);
	CHECK_U64(read->since_ns, 77);
	CHECK_U64(read->ends_ns[BREAKER_ENDS - 1], 1000 + BREAKER_ENDS - 1);
	CHECK_U64(read->acts_ns[BREAKER_ACTS - 1], UINT64_MAX - (BREAKER_ACTS - 1));
	state_free(state);
	end();
}

/* A file of another version, or one that was cut off. */
static void test_damaged_breaker(void)
{
	static const char *const damaged[] = {"", "open 1 2 3", "1 1", "9 1 1 1 1 1", "1 1 5 1 2"};

	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		struct state *state;
		char path[128];
		FILE *file;

		begin();
		snprintf(path, sizeof(path), "%s/breaker", directory);
		file = fopen(path, "w");
		CHECK(file);
		fputs(damaged[i], file);
		fclose(file);
		state = open_it();
		CHECK_INT(state_breaker(state)->state, BREAKER_CLOSED);
		CHECK_U64(breaker_next_ns(state_breaker(state)), NSEC_NEVER);
		state_free(state);
		end();
	}
}

/* What can't be written is an error, and holds for this daemon all the same. */
static void test_writes_that_fail(void)
{
	struct breaker breaker = {.state = BREAKER_OPEN};
	struct state *state;
	bool unclean;

	begin();
	state = open_it();
	CHECK(rmdir(directory) == 0);
	CHECK_INT(state_begin(state, &unclean), -ENOENT);
	CHECK_INT(state_set_breaker(state, &breaker), -ENOENT);
	CHECK_INT(state_breaker(state)->state, BREAKER_OPEN);
	CHECK_INT(state_end_cleanly(state), 0);
	state_free(state);
}

TEST_MAIN({"switch_persists", test_switch_persists}, {"policies_persist", test_policies_persist},
          TEST(test_assigned_policies_persist), TEST(test_domain_runs), TEST(test_stale_policies),
          TEST(test_first_version),
          {"damaged_policies_are_put_aside", test_damaged_policies_are_put_aside},
          {"unclean_end", test_unclean_end}, {"breaker_persists", test_breaker_persists},
          {"damaged_breaker", test_damaged_breaker}, {"writes_that_fail", test_writes_that_fail})
