// SPDX-License-Identifier: GPL-2.0-or-later
/* What "avoid" takes for a list of vCPUs, what it refuses, and what it answers. */
#include "daemon/avoid_requests.h"

#include <cjson/cJSON.h>
#include <errno.h>

#include "util/log.h"

#include "test.h"

static struct domain seen = {.name = "web"};
static struct inventory_vcpu vcpus[4];
static struct inventory_domain domain = {.seen = &seen, .vcpus = vcpus, .n_vcpus = 4};
static enum avoid_mode set_mode;
static uint64_t set_vcpus;
static unsigned int n_set;
static bool has_page;
static char said[512];

/* ---- stand-ins ---- */

const char *avoid_mode_name(enum avoid_mode mode)
{
	static const char *const names[] = {"profile", "auto", "none", "these"};

	return names[mode];
}

void avoid_set(struct avoid *avoid, const struct inventory_domain *d, enum avoid_mode mode,
               const uint64_t *these)
{
	(void)avoid;
	CHECK(d == &domain);
	set_mode = mode;
	set_vcpus = these[0];
	for (size_t i = 1; i < AVOID_WORDS; i++)
		CHECK_U64(these[i], 0);
	n_set++;
}

int booster_read(struct booster *booster, unsigned int slot, struct booster_vcpu *ret)
{
	(void)booster;
	CHECK_LE(slot, 3);
	*ret = (struct booster_vcpu){.page.present = has_page};
	return 0;
}

void log_write(int level, const struct log_context *ctx, const char *format, ...)
{
	(void)level;
	(void)ctx;
	(void)format;
}

/* ---- tests ---- */

static int ask(const char *text)
{
	struct control_request request = {.verb = CONTROL_AVOID};
	struct views views = {0};
	struct requests requests = {.views = &views};
	char error[256] = "";
	cJSON *result = NULL;
	struct answer answer = {.result = &result, .error = error, .size = sizeof(error)};
	int r;

	for (unsigned int i = 0; i < 4; i++)
		vcpus[i] = (struct inventory_vcpu){.thread.index = i, .slot = i};
	snprintf(request.vcpus, sizeof(request.vcpus), "%s", text);
	n_set = 0;
	r = avoid_request(&requests, &domain, &request, &answer);
	snprintf(said, sizeof(said), "%s",
	         r < 0 ? error
	               : cJSON_GetStringValue(cJSON_GetObjectItem(result, "message")) ?: "?");
	cJSON_Delete(result);
	return r;
}

static void test_lists(void)
{
	CHECK_INT(ask("2-3"), 0);
	CHECK(n_set == 1 && set_mode == AVOID_THESE && set_vcpus == 0xc);
	CHECK_CONTAINS(said, "told to avoid its vCPUs 2-3, once it has an agent or guest pages");
	has_page = true;
	CHECK_INT(ask("1,3"), 0);
	CHECK_U64(set_vcpus, 0xa);
	CHECK(!strstr(said, "once it has"));
}

static void test_words(void)
{
	CHECK_INT(ask("none"), 0);
	CHECK(set_mode == AVOID_NONE && set_vcpus == 0);
	CHECK_INT(ask("auto"), 0);
	CHECK(set_mode == AVOID_AUTO);
	CHECK_INT(ask("profile"), 0);
	CHECK(set_mode == AVOID_BY_PROFILE);
}

static void test_refused(void)
{
	static const char *const all[][2] = {
	        {"0", "vCPU 0 can't be avoided"},   {"0-3", "vCPU 0 can't be avoided"},
	        {"4", "not all of the vCPUs 4"},    {"1-5000", "neither a list"},
	        {"2,", "neither a list"},           {"these", "neither a list"},
	        {"1-4095", "not all of the vCPUs"}, {"-1", "neither a list"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		CHECK_INT(ask(all[i][0]), -EINVAL);
		CHECK_CONTAINS(said, all[i][1]);
		CHECK_INT(n_set, 0);
	}
}

TEST_MAIN(TEST(test_lists), TEST(test_words), TEST(test_refused))
