/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/effective.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/origins.h"
#include "config/tables.h"
#include "policy/registry.h"
#include "util/cleanup.h"

/* profile, share_permille, burst_us, policy */
#define SETTINGS_OF_ENTRY 4

/* A walk over all settings; the value is printed to @out, then told. */
struct walk {
	const struct config *config;
	config_setting_fn *fn;
	void *userdata;
	FILE *out;
	char *value;
	size_t size;
	size_t max, n, left_out;
	const char *built_in; /* what the values of this part come from where no file sets them */
};

/* ---- values ---- */

static void put_string(struct walk *w, const char *text)
{
	fputc('"', w->out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(w->out, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fprintf(w->out, "\\u%04x", (unsigned int)*text);
		else
			fputc(*text, w->out);
	}
	fputc('"', w->out);
}

static void put_policy(struct walk *w, uint32_t policy)
{
	char label[REGISTRY_LABEL_MAX];

	registry_label(policy, label);
	put_string(w, label);
}

static void put_strings(struct walk *w, const char *const *texts, size_t n)
{
	fputc('[', w->out);
	for (size_t i = 0; i < n; i++) {
		if (i)
			fputs(", ", w->out);
		put_string(w, texts[i]);
	}
	fputc(']', w->out);
}

/* What was printed, from the beginning again for the next value. */
static const char *take_value(struct walk *w)
{
	fputc('\0', w->out);
	fflush(w->out);
	rewind(w->out);
	return w->value ?: "";
}

/* ---- settings outside of domains ---- */

static void tell(struct walk *w, const char *format, ...) PRINTF_FORMAT(2, 3);

/* @format: the path */
static void tell(struct walk *w, const char *format, ...)
{
	struct config_setting setting = {.value = take_value(w)};
	struct config_where where;
	char path[128];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	setting.key = path;
	where = config_origin_of(w->config, path);
	setting.built_in = where.line == 0;
	if (setting.built_in)
		snprintf(setting.source, sizeof(setting.source), "%s", w->built_in);
	else
		snprintf(setting.source, sizeof(setting.source), "%s:%u",
		         w->config->files[where.file], where.line);
	w->fn(w->userdata, &setting);
	w->n++;
}

static void tell_integer(struct walk *w, uint64_t value, const char *path)
{
	fprintf(w->out, "%" PRIu64, value);
	tell(w, "%s", path);
}

static void tell_bool(struct walk *w, bool value, const char *path)
{
	fputs(value ? "true" : "false", w->out);
	tell(w, "%s", path);
}

static void tell_string(struct walk *w, const char *value, const char *path)
{
	put_string(w, value);
	tell(w, "%s", path);
}

static void tell_caps(struct walk *w, const struct host_caps *caps)
{
	tell_integer(w, caps->cpu_share_permille, ".host.cpu_share_permille");
	tell_integer(w, caps->cpu_burst_ns / NSEC_PER_USEC, ".host.cpu_burst_us");
	tell_integer(w, caps->domain_share_permille, ".host.domain_share_permille");
	tell_integer(w, caps->domain_burst_ns / NSEC_PER_USEC, ".host.domain_burst_us");
	tell_integer(w, caps->max_changes_per_s, ".host.max_changes_per_s");
	tell_integer(w, caps->booster_permille, ".host.booster_permille");
}

static void tell_texts(struct walk *w, const struct config_texts *texts, const char *path)
{
	const char *items[CONFIG_TEXTS_MAX];

	for (size_t i = 0; i < texts->n; i++)
		items[i] = texts->items[i];
	put_strings(w, items, texts->n);
	tell(w, "%s", path);
}

static void tell_discovery(struct walk *w, const struct config_host *host)
{
	static const char *const sources[_DOMAIN_SOURCE_MAX] = {
	        [DOMAIN_SOURCE_LIBVIRT] = "libvirt", [DOMAIN_SOURCE_PROCFS] = "procfs"};
	const char *names[_DOMAIN_SOURCE_MAX];

	for (size_t i = 0; i < host->n_discovery; i++)
		names[i] = sources[host->discovery[i]];
	put_strings(w, names, host->n_discovery);
	tell(w, ".host.discovery");
	tell_texts(w, &host->qemu_executables, ".host.qemu_executables");
	tell_texts(w, &host->qemu_users, ".host.qemu_users");
}

static void tell_host(struct walk *w, const struct config_host *host)
{
	static const char *const metadata[] = {[CONFIG_METADATA_IGNORE] = "ignore",
	                                       [CONFIG_METADATA_OBSERVE] = "observe",
	                                       [CONFIG_METADATA_HONOUR] = "honour"};
	static const char *const pages[] = {[CONFIG_GUEST_PAGES_OFF] = "off",
	                                    [CONFIG_GUEST_PAGES_POLL] = "poll",
	                                    [CONFIG_GUEST_PAGES_AUTO] = "auto"};
	static const char *const agents[] = {[CONFIG_AGENTS_OFF] = "off",
	                                     [CONFIG_AGENTS_AUTO] = "auto",
	                                     [CONFIG_AGENTS_LISTEN] = "listen"};
	static const char *const compare[] = {
	        [CONFIG_COMPARE_OFF] = "off", [CONFIG_COMPARE_AUTO] = "auto"};
	static const char *const waits[] = {[CONFIG_BOOSTER_WAIT_AUTO] = "auto",
	                                    [CONFIG_BOOSTER_WAIT_EPOLL] = "epoll",
	                                    [CONFIG_BOOSTER_WAIT_IO_URING] = "io_uring"};
	char cpus[256];

	tell_caps(w, &host->caps);
	tell_string(w, host->round_robin ? "rr" : "fifo", ".host.rt_policy");
	tell_integer(w, (uint64_t)host->rt_priority, ".host.rt_priority");
	tell_bool(w, host->grant_rt_budget, ".host.grant_rt_budget");
	tell_string(w, host->housekeeping_cpus, ".host.housekeeping_cpus");
	tell_string(w, metadata[host->metadata], ".host.metadata");
	tell_string(w, pages[host->guest_pages], ".host.guest_pages");
	tell_string(w, agents[host->agents], ".host.agents");
	tell_string(w, compare[host->compare], ".host.compare");
	tell_discovery(w, host);
	cpulist_format(&host->booster_cpus, cpus, sizeof(cpus));
	tell_string(w, cpus, ".host.booster_cpus");
	tell_string(w, waits[host->booster_wait], ".host.booster_wait");
	tell_string(w, host->metrics_file, ".host.metrics_file");
	tell_integer(w, host->metrics_interval_ns / NSEC_PER_SEC, ".host.metrics_interval_s");
}

static void tell_levers(struct walk *w, const struct profile *profile)
{
	static const struct {
		uint32_t lever;
		const char *name;
	} all[] = {{PROFILE_LEVER_RT, "rt"},
	           {PROFILE_LEVER_SLICE, "slice"},
	           {PROFILE_LEVER_UCLAMP, "uclamp"}};
	const char *names[ARRAY_SIZE(all)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (profile->levers & all[i].lever)
			names[n++] = all[i].name;
	put_strings(w, names, n);
	tell(w, ".profiles.%s.levers", profile->name);
}

static void tell_help(struct walk *w, const struct profile *profile)
{
	static const struct {
		uint32_t help;
		const char *name;
	} all[] = {{PROFILE_HELP_IPI, "ipi"},
	           {PROFILE_HELP_RELAXED, "relaxed"},
	           {PROFILE_HELP_HOLD, "hold"}};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		fputs(profile->help & all[i].help ? "true" : "false", w->out);
		tell(w, ".profiles.%s.help.%s", profile->name, all[i].name);
	}
}

static void tell_profile(struct walk *w, const struct profile *profile)
{
	static const char *const modes[] = {[PROFILE_OFF] = "off",
	                                    [PROFILE_OBSERVE] = "observe",
	                                    [PROFILE_BOOST] = "boost",
	                                    [PROFILE_AUTO] = "auto"};
	static const char *const requests[_PROFILE_REQUESTS_MAX] = {
	        [PROFILE_REQUESTS_HEED] = "heed",
	        [PROFILE_REQUESTS_IGNORE] = "ignore",
	        [PROFILE_REQUESTS_REQUIRE] = "require"};
	const struct {
		const char *key;
		uint64_t value;
	} figures[] = {{"share_permille", profile->share_permille},
	               {"burst_us", profile->burst_ns / NSEC_PER_USEC},
	               {"burst_max_us", profile->burst_max_ns / NSEC_PER_USEC},
	               {"slice_us", profile->slice_ns / NSEC_PER_USEC},
	               {"util_min", profile->util_min},
	               {"util_permille", profile->util_permille},
	               {"yield_order", profile->yield_order}};

	put_string(w, modes[profile->mode]);
	tell(w, ".profiles.%s.mode", profile->name);
	put_string(w, requests[profile->requests]);
	tell(w, ".profiles.%s.guest_requests", profile->name);
	fputs(profile->on_interrupt ? "true" : "false", w->out);
	tell(w, ".profiles.%s.on_interrupt", profile->name);
	put_string(w, profile->avoid == PROFILE_AVOID_AUTO ? "auto" : "never");
	tell(w, ".profiles.%s.avoid", profile->name);
	put_string(w, profile->helpers == PROFILE_HELPERS_FOLLOW ? "follow" : "observe");
	tell(w, ".profiles.%s.helpers", profile->name);
	tell_levers(w, profile);
	tell_help(w, profile);
	put_policy(w, profile->policy);
	tell(w, ".profiles.%s.policy", profile->name);
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		if (profile->mode == PROFILE_AUTO && strcmp(figures[i].key, "burst_us") == 0)
			continue; /* it has none of its own */
		fprintf(w->out, "%" PRIu64, figures[i].value);
		tell(w, ".profiles.%s.%s", profile->name, figures[i].key);
	}
}

/* ---- domains ---- */

static void tell_of_entry(struct walk *w, const struct config_entry *entry, const char *key,
                          const char *source)
{
	struct config_setting setting = {.entry = entry->key, .value = take_value(w)};
	char path[JSON_PATH_MAX + 32];
	size_t n;

	snprintf(path, sizeof(path), "%s.%s", entry->path, key);
	setting.key = path;
	setting.built_in = strncmp(source, "built in", strlen("built in")) == 0;
	/* where the entry itself sets it, the key says all but file and line */
	n = strlen(source) > strlen(path) ? strlen(source) - strlen(path) : 0;
	if (n > 2 && strcmp(source + n, path) == 0)
		snprintf(setting.source, sizeof(setting.source), "%.*s", (int)n - 2, source);
	else
		snprintf(setting.source, sizeof(setting.source), "%s", source);
	w->fn(w->userdata, &setting);
	w->n++;
}

static void tell_entry(struct walk *w, enum config_match match, const struct config_entry *entry)
{
	struct config_choice choice;

	if (w->n >= w->max) {
		w->left_out += SETTINGS_OF_ENTRY;
		return;
	}
	config_choice_of(w->config, match, entry, &choice);
	put_string(w, choice.profile.name);
	tell_of_entry(w, entry, "profile", choice.profile_source);
	fprintf(w->out, "%" PRIu32, choice.profile.share_permille);
	tell_of_entry(w, entry, "share_permille", choice.share_source);
	fprintf(w->out, "%" PRIu64, choice.profile.burst_ns / NSEC_PER_USEC);
	tell_of_entry(w, entry, "burst_us", choice.burst_source);
	put_policy(w, choice.profile.policy);
	tell_of_entry(w, entry, "policy", choice.policy_source);
}

static void tell_all(struct walk *w)
{
	const struct config *config = w->config;
	char built_in[64];

	w->built_in = "built in";
	tell_bool(w, config->host.enabled, ".enabled");
	tell_integer(w, config->host.summary_interval_ns / NSEC_PER_SEC, ".summary_interval_s");
	tell_string(w, config->profiles[config->default_profile].name, ".default_profile");
	tell_host(w, &config->host);
	for (size_t i = 0; i < config->n_profiles; i++) {
		snprintf(built_in, sizeof(built_in), "built in: profile %s",
		         i < CONFIG_BUILT_IN ? config->profiles[i].name : "observe");
		w->built_in = built_in;
		tell_profile(w, &config->profiles[i]);
	}
	for (int match = 0; match < CONFIG_MATCH_DEFAULT; match++)
		for (size_t i = 0; i < config->by_match[match].n; i++)
			tell_entry(w, (enum config_match)match,
			           &config->by_match[match].entries[i]);
}

int config_each_setting(const struct config *config, size_t max, config_setting_fn *fn,
                        void *userdata, size_t *left_out)
{
	struct walk w = {.config = config, .fn = fn, .userdata = userdata, .max = max};
	bool failed;

	w.out = open_memstream(&w.value, &w.size);
	if (!w.out)
		return -ENOMEM;
	tell_all(&w);
	failed = ferror(w.out);
	fclose(w.out);
	free(w.value);
	*left_out = w.left_out;
	return failed ? -ENOMEM : 0;
}
