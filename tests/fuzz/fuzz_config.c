/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: whatever is accepted stays within the limits, for every domain. A NUL, which
 * no JSON has, separates files.
 */
#include <errno.h>

#include "config/config.h"

#include "fuzz.h"

static void check_profile(const struct profile *profile)
{
	FUZZ_CHECK(memchr(profile->name, '\0', sizeof(profile->name)));
	FUZZ_CHECK(profile->share_permille <= PROFILE_SHARE_PERMILLE_MAX);
	FUZZ_CHECK(profile->burst_ns <= PROFILE_BURST_NS_MAX);
	if (profile->mode == PROFILE_OFF)
		return;
	FUZZ_CHECK(profile->mode == PROFILE_OBSERVE || profile->mode == PROFILE_BOOST ||
	           profile->mode == PROFILE_AUTO);
	FUZZ_CHECK(profile->burst_max_ns >= PROFILE_BURST_NS_MIN &&
	           profile->burst_max_ns <= PROFILE_BURST_NS_MAX);
	FUZZ_CHECK(!profile->learned);
	FUZZ_CHECK(profile->share_permille >= 1 && profile->burst_ns >= PROFILE_BURST_NS_MIN);
}

static void check_host(const struct config_host *host)
{
	FUZZ_CHECK(host->caps.cpu_share_permille >= 1 && host->caps.cpu_share_permille <= 950);
	FUZZ_CHECK(host->caps.cpu_burst_ns >= PROFILE_BURST_NS_MIN);
	FUZZ_CHECK(host->caps.domain_share_permille >= 1);
	FUZZ_CHECK(host->caps.domain_burst_ns >= PROFILE_BURST_NS_MIN);
	FUZZ_CHECK(host->caps.max_changes_per_s >= 1);
	FUZZ_CHECK(host->rt_priority >= 1 && host->rt_priority <= 10);
	FUZZ_CHECK(host->summary_interval_ns <= 86400 * NSEC_PER_SEC);
}

#define FILES_MAX 8

static size_t split(const char *text, size_t size, struct config_text files[FILES_MAX])
{
	static const char *const names[FILES_MAX] = {"f", "g", "h", "i", "j", "k", "l", "m"};
	size_t n = 0;

	for (;;) {
		const char *nul = n + 1 < FILES_MAX && size > 0 ? memchr(text, 0, size) : NULL;
		size_t length = nul ? (size_t)(nul - text) : size;

		files[n] = (struct config_text){names[n], text, length};
		n++;
		if (!nul)
			return n;
		text = nul + 1;
		size -= length + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {
	        "",      "web",      "db-1",     "desktop-12",
	        "a b:1", "\xc3\xa9", "\xff\x80", "aaaaaaaaaaaaaaab",
	};
	static const struct domain_labels labels = {.vmid = 100,
	                                            .title = "web",
	                                            .flavor = "rt.small",
	                                            .n_tags = 2,
	                                            .tags = {"pvsched-latency", "web"}};
	struct config *config = NULL;
	struct config_choice choice;
	char error[1024] = "";
	struct config_text files[FILES_MAX];
	size_t n = split((const char *)data, size, files);
	int r = config_parse_all(files, n, &config, error, sizeof(error));

	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r < 0) {
		FUZZ_CHECK(!config);
		fuzz_check_message(error);
		return 0;
	}
	check_host(config_host(config));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		config_choose(config,
		              &(struct config_subject){
		                      .uuid = i % 2 ? "6695eb01-f6a4-8304-79aa-97f2502e193f" : NULL,
		                      .name = names[i],
		                      .labels = i % 2 ? &labels : NULL},
		              &choice);
		check_profile(&choice.profile);
		FUZZ_CHECK(memchr(choice.source, '\0', sizeof(choice.source)));
		FUZZ_CHECK(choice.source[0] && choice.profile_source[0]);
		FUZZ_CHECK(choice.share_source[0] && choice.burst_source[0]);
	}
	FUZZ_CHECK(config_profile(config, "off")->mode == PROFILE_OFF);
	FUZZ_CHECK(config_profile(config, "observe")->mode == PROFILE_OBSERVE);
	config_free(config);
	return 0;
}
