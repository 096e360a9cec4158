/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key "policy" of profiles and entries. */
#include <errno.h>

#include "config/config.h"
#include "policy/registry.h"

#include "test.h"

static char message[1024];

static int parse_text(const char *text, struct config **ret)
{
	const struct config_text file = {"f", text, strlen(text)};

	return config_parse_all(&file, 1, ret, message, sizeof(message));
}

static struct config *parse(const char *text)
{
	struct config *config = NULL;

	CHECK_INT(parse_text(text, &config), 0);
	return config;
}

/* Of a profile, and of an entry in place of its profile's. */
static void test_policy(void)
{
	struct config *config CLEANUP(config_cleanup) =
	        parse("{\"version\":1,\"profiles\":{\"latency\":{\"policy\":\"urgent-only\"}},\n"
	              "\"domains\":{\"name\":{\"web\":{\"profile\":\"latency\"},\n"
	              "\"db\":{\"profile\":\"latency\",\"policy\":\"pvschedd@1\"},\n"
	              "\"any\":{\"profile\":\"latency\",\"policy\":\"guest\"}}}}");
	static const struct {
		const char *name, *policy, *source;
	} table[] = {
	        {"web", "urgent-only@1", "f:1: .profiles.latency.policy"},
	        {"db", "pvschedd@1", "f:3: .domains.name.db.policy"},
	        {"any", "guest", "f:4: .domains.name.any.policy"},
	        {"other", "guest", "built in: profile observe"},
	};
	char label[REGISTRY_LABEL_MAX];
	struct config_choice choice;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		config_choose(config, &(struct config_subject){.name = table[i].name}, &choice);
		registry_label(choice.profile.policy, label);
		CHECK_STR(label, table[i].policy);
		CHECK_STR(choice.policy_source, table[i].source);
	}
}

static void test_refused(void)
{
	static const struct {
		const char *value, *why;
	} table[] = {
	        {"\"pvschedd@2\"", "there is no policy \"pvschedd@2\"; write one of pvschedd@1, "
	                           "urgent-only@1, awaited-only@1, or \"guest\""},
	        {"\"\"", "there is no policy \"\"; write one of pvschedd@1, urgent-only@1, "
	                 "awaited-only@1, or \"guest\""},
	        {"1", "must be a string, not a number"},
	};
	char text[128], why[256];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct config *config = NULL;

		snprintf(text, sizeof(text), "{\"version\":1,\"profiles\":{\"a\":{\"policy\":%s}}}",
		         table[i].value);
		snprintf(why, sizeof(why), "f:1: .profiles.a.policy: %s", table[i].why);
		CHECK_INT(parse_text(text, &config), -EBADMSG);
		CHECK_STR(message, why);
	}
}

/* ---- the key "help" of profiles ---- */

static uint32_t help_of(const struct config *config, const char *name)
{
	const struct profile *profile = config_profile(config, name);

	CHECK(profile);
	return profile->help;
}

/* One switch at a time; what is not named stays as it was. */
static void test_help(void)
{
	struct config *config CLEANUP(config_cleanup) = parse(
	        "{\"version\":1,\"profiles\":{\"a\":{\"help\":{\"ipi\":true,\"hold\":true}},\n"
	        "\"throughput\":{\"help\":{\"relaxed\":false}},\"b\":{\"help\":{}}}}");

	CHECK_U64(help_of(config, "a"), PROFILE_HELP_IPI | PROFILE_HELP_HOLD);
	CHECK_U64(help_of(config, "throughput"), PROFILE_HELP_IPI | PROFILE_HELP_HOLD);
	CHECK_U64(help_of(config, "b"), 0);
	CHECK_U64(help_of(config, "latency"), 0);
	CHECK_U64(config_profile(config, "throughput")->policy, REGISTRY_NUMBER_AWAITED_ONLY);
	CHECK_STR(registry_of(REGISTRY_NUMBER_AWAITED_ONLY)->name, "awaited-only");
}

static void test_help_refused(void)
{
	static const struct {
		const char *value, *why;
	} table[] = {
	        {"true", "help: must be an object, not true or false"},
	        {"{\"ipis\":true}", "help.ipis: unknown key; known keys: ipi, relaxed, hold"},
	        {"{\"ipi\":1}", "help.ipi: must be true or false, not a number"},
	};
	char text[128], why[256];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct config *config = NULL;

		snprintf(text, sizeof(text), "{\"version\":1,\"profiles\":{\"a\":{\"help\":%s}}}",
		         table[i].value);
		snprintf(why, sizeof(why), "f:1: .profiles.a.%s", table[i].why);
		CHECK_INT(parse_text(text, &config), -EBADMSG);
		CHECK_STR(message, why);
	}
}

TEST_MAIN(TEST(test_policy), TEST(test_refused), TEST(test_help), TEST(test_help_refused))
