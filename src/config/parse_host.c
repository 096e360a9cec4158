/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The object "host" of the configuration: limits and settings for all domains.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/parse_host.h"
#include "config/parse_discovery.h"
#include "config/parse_value.h"
#include "model/domain.h"

/*
 * What real-time threads may have of a CPU in any second is bounded by its sheet, whatever is
 * configured: docs/design/sheet.md. So the share may be so large that it bounds nothing.
 */
#define CPU_SHARE_PERMILLE_MAX    950
#define CPU_BURST_US_MAX          20000
#define DOMAIN_SHARE_PERMILLE_MAX (DOMAIN_VCPUS_MAX * 1000)
#define DOMAIN_BURST_US_MAX       100000
#define CHANGES_PER_S_MAX         10000
#define BOOSTER_PERMILLE_MAX      200
#define RT_PRIORITY_MAX           10
#define METRICS_INTERVAL_S_MAX    3600
#define CPU_LIST_MAX              sizeof(((struct config_host *)0)->housekeeping_cpus)

/* Appends the reason of a limit to an error. */
static int explain(struct json_error *error, int r, const char *why)
{
	size_t length = strlen(error->message);

	if (r == -EBADMSG)
		snprintf(error->message + length, sizeof(error->message) - length, " (%s)", why);
	return r;
}

static int parse_caps(const struct json_value *host, struct host_caps *caps,
                      struct json_error *error)
{
	int r;

	r = config_get_u32(host, "cpu_share_permille", 1, CPU_SHARE_PERMILLE_MAX,
	                   &caps->cpu_share_permille, error);
	if (r < 0)
		return explain(error, r,
		               "of any second a CPU gives real-time threads 700 at most up to "
		               "Linux 6.11, else 900, whatever its share");
	r = config_get_duration(host, "cpu_burst_us", NSEC_PER_USEC, CONFIG_BURST_US_MIN,
	                        CPU_BURST_US_MAX, &caps->cpu_burst_ns, error);
	if (r < 0)
		return r;
	r = config_get_u32(host, "domain_share_permille", 1, DOMAIN_SHARE_PERMILLE_MAX,
	                   &caps->domain_share_permille, error);
	if (r < 0)
		return r;
	r = config_get_duration(host, "domain_burst_us", NSEC_PER_USEC, CONFIG_BURST_US_MIN,
	                        DOMAIN_BURST_US_MAX, &caps->domain_burst_ns, error);
	if (r < 0)
		return r;
	r = config_get_u32(host, "max_changes_per_s", 1, CHANGES_PER_S_MAX,
	                   &caps->max_changes_per_s, error);
	if (r < 0)
		return r;
	return config_get_u32(host, "booster_permille", 1, BOOSTER_PERMILLE_MAX,
	                      &caps->booster_permille, error);
}

static int parse_rt(const struct json_value *value, struct config_host *host,
                    struct json_error *error)
{
	static const char *const policies[] = {"fifo", "rr"};
	int64_t priority = host->rt_priority;
	size_t policy = host->round_robin;
	int r;

	r = json_get_word(value, "rt_policy", policies, ARRAY_SIZE(policies), &policy, error);
	if (r < 0)
		return r;
	host->round_robin = policy == 1;
	r = json_get_integer(value, "rt_priority", 1, RT_PRIORITY_MAX, &priority, error);
	if (r < 0)
		return r;
	host->rt_priority = (int)priority;
	return json_get_bool(value, "grant_rt_budget", &host->grant_rt_budget, error);
}

/* Parses a CPU list. @text, of CPU_LIST_MAX bytes, gets the list as written. */
static int parse_cpus(const struct json_value *value, const char *key, char *text,
                      struct cpu_set_bits *ret, struct json_error *error)
{
	const struct json_value *cpus = json_member(value, key);
	char quoted[128];
	int r;

	if (!cpus)
		return 0;
	r = json_get_string(value, key, text, CPU_LIST_MAX, error);
	if (r < 0)
		return r;
	r = cpulist_parse(text, ret);
	if (r == -ERANGE)
		return json_fail(cpus, error, "names a CPU above %d", CPU_SET_BITS_MAX - 1);
	if (r < 0) {
		json_quote(text, quoted, sizeof(quoted));
		return json_fail(cpus, error, "%s is not a list of CPUs such as \"0,2-3\"", quoted);
	}
	return 0;
}

static int parse_booster(const struct json_value *value, struct config_host *host,
                         struct json_error *error)
{
	static const char *const words[] = {
	        [CONFIG_BOOSTER_WAIT_AUTO] = "auto",
	        [CONFIG_BOOSTER_WAIT_EPOLL] = "epoll",
	        [CONFIG_BOOSTER_WAIT_IO_URING] = "io_uring",
	};
	size_t word = host->booster_wait;
	char text[CPU_LIST_MAX];
	int r = json_get_word(value, "booster_wait", words, ARRAY_SIZE(words), &word, error);

	if (r < 0)
		return r;
	host->booster_wait = (enum config_booster_wait)word;
	return parse_cpus(value, "booster_cpus", text, &host->booster_cpus, error);
}

static int parse_metadata(const struct json_value *value, enum config_metadata *ret,
                          struct json_error *error)
{
	static const char *const words[] = {
	        [CONFIG_METADATA_IGNORE] = "ignore",
	        [CONFIG_METADATA_OBSERVE] = "observe",
	        [CONFIG_METADATA_HONOUR] = "honour",
	};
	size_t word = *ret;
	int r = json_get_word(value, "metadata", words, ARRAY_SIZE(words), &word, error);

	if (r == 0)
		*ret = (enum config_metadata)word;
	return r;
}

static int parse_guest_pages(const struct json_value *value, enum config_guest_pages *ret,
                             struct json_error *error)
{
	static const char *const words[] = {
	        [CONFIG_GUEST_PAGES_OFF] = "off",
	        [CONFIG_GUEST_PAGES_POLL] = "poll",
	        [CONFIG_GUEST_PAGES_AUTO] = "auto",
	};
	size_t word = *ret;
	int r = json_get_word(value, "guest_pages", words, ARRAY_SIZE(words), &word, error);

	if (r == 0)
		*ret = (enum config_guest_pages)word;
	return r;
}

static int parse_agents(const struct json_value *value, enum config_agents *ret,
                        struct json_error *error)
{
	static const char *const words[] = {
	        [CONFIG_AGENTS_OFF] = "off",
	        [CONFIG_AGENTS_AUTO] = "auto",
	        [CONFIG_AGENTS_LISTEN] = "listen",
	};
	size_t word = *ret;
	int r = json_get_word(value, "agents", words, ARRAY_SIZE(words), &word, error);

	if (r == 0)
		*ret = (enum config_agents)word;
	return r;
}

static int parse_compare(const struct json_value *value, enum config_compare *ret,
                         struct json_error *error)
{
	static const char *const words[] = {
	        [CONFIG_COMPARE_OFF] = "off",
	        [CONFIG_COMPARE_AUTO] = "auto",
	};
	size_t word = *ret;
	int r = json_get_word(value, "compare", words, ARRAY_SIZE(words), &word, error);

	if (r == 0)
		*ret = (enum config_compare)word;
	return r;
}

/* node_exporter reads files of that name alone, and one that is hidden would be missed. */
static int parse_metrics(const struct json_value *value, struct config_host *host,
                         struct json_error *error)
{
	const struct json_value *file = json_member(value, "metrics_file");
	char text[CONFIG_PATH_MAX] = "";
	const char *name;
	int r = json_get_string(value, "metrics_file", text, sizeof(text), error);

	if (r < 0)
		return r;
	name = strrchr(text, '/');
	if (*text && (*text != '/' || name[1] == '.' || strlen(name) < sizeof("/.prom") ||
	              strcmp(name + strlen(name) - 5, ".prom") != 0))
		return json_fail(file, error,
		                 "must be an absolute path that ends in \".prom\", or \"\"");
	if (file)
		snprintf(host->metrics_file, sizeof(host->metrics_file), "%s", text);
	return config_get_duration(value, "metrics_interval_s", NSEC_PER_SEC, 1,
	                           METRICS_INTERVAL_S_MAX, &host->metrics_interval_ns, error);
}

int config_parse_host(const struct json_value *value, struct config_host *host,
                      struct json_error *error)
{
	static const char *const keys[] = {
	        "cpu_share_permille",
	        "cpu_burst_us",
	        "domain_share_permille",
	        "domain_burst_us",
	        "max_changes_per_s",
	        "rt_policy",
	        "rt_priority",
	        "grant_rt_budget",
	        "housekeeping_cpus",
	        "metadata",
	        "guest_pages",
	        "discovery",
	        "qemu_executables",
	        "qemu_users",
	        "booster_cpus",
	        "booster_wait",
	        "booster_permille",
	        "metrics_file",
	        "metrics_interval_s",
	        "agents",
	        "compare",
	};
	int r;

	r = json_check_keys(value, keys, ARRAY_SIZE(keys), error);
	if (r < 0)
		return r;
	r = parse_caps(value, &host->caps, error);
	if (r < 0)
		return r;
	r = parse_rt(value, host, error);
	if (r < 0)
		return r;
	r = parse_metadata(value, &host->metadata, error);
	if (r < 0)
		return r;
	r = parse_guest_pages(value, &host->guest_pages, error);
	if (r < 0)
		return r;
	r = parse_agents(value, &host->agents, error);
	if (r < 0)
		return r;
	r = parse_compare(value, &host->compare, error);
	if (r < 0)
		return r;
	r = config_parse_discovery(value, host, error);
	if (r < 0)
		return r;
	r = parse_booster(value, host, error);
	if (r < 0)
		return r;
	r = parse_metrics(value, host, error);
	if (r < 0)
		return r;
	return parse_cpus(value, "housekeeping_cpus", host->housekeeping_cpus, &host->housekeeping,
	                  error);
}
