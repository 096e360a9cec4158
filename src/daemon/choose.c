// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which profile a domain gets: by command, else by its entry in the configuration, else by its own
 * metadata, else the default one.
 */
#include "daemon/manager.h"

#include <stdio.h>
#include <string.h>

#include "util/log.h"

_Static_assert(DOMAIN_METADATA_PROFILE_MAX == PROFILE_NAME_MAX, "a name fits in both");
_Static_assert(DOMAIN_METADATA_SHARE_MAX == PROFILE_SHARE_PERMILLE_MAX, "one limit");
_Static_assert(DOMAIN_METADATA_BURST_US_MIN *NSEC_PER_USEC == PROFILE_BURST_NS_MIN, "one limit");
_Static_assert(DOMAIN_METADATA_BURST_US_MAX *NSEC_PER_USEC == PROFILE_BURST_NS_MAX, "one limit");

#define METADATA_SOURCE "metadata of the domain"

const char *metadata_use_name(enum metadata_use use)
{
	switch (use) {
	case METADATA_USE_NONE:
		return "none";
	case METADATA_USE_IGNORED:
		return "ignored";
	case METADATA_USE_INVALID:
		return "invalid";
	case METADATA_USE_OBSERVED:
		return "observed";
	case METADATA_USE_OVERRULED:
		return "overruled";
	case METADATA_USE_HONOURED:
		return "honoured";
	}
	return "?";
}

/* What may be done with what the domain asks for. Where it is not valid, @error says why. */
static enum metadata_use metadata_judge(const struct manager *m, const struct domain *domain,
                                        bool overruled, char *error, size_t size)
{
	const struct domain_metadata *metadata = &domain->metadata;

	error[0] = '\0';
	if (metadata->state == DOMAIN_METADATA_NONE)
		return METADATA_USE_NONE;
	if (config_host(m->config)->metadata == CONFIG_METADATA_IGNORE)
		return METADATA_USE_IGNORED;
	if (metadata->state == DOMAIN_METADATA_INVALID) {
		snprintf(error, size, "%s", metadata->error);
		return METADATA_USE_INVALID;
	}
	if (metadata->profile[0] && !config_profile(m->config, metadata->profile)) {
		snprintf(error, size, "there is no profile \"%s\" in the configuration",
		         metadata->profile);
		return METADATA_USE_INVALID;
	}
	if (config_host(m->config)->metadata == CONFIG_METADATA_OBSERVE)
		return METADATA_USE_OBSERVED;
	return overruled ? METADATA_USE_OVERRULED : METADATA_USE_HONOURED;
}

/* Puts it in force: a profile of the configuration, and less than that gives, never more. */
static void metadata_apply(const struct manager *m, const struct domain_metadata *metadata,
                           struct config_choice *choice)
{
	uint64_t burst_ns = metadata->burst_us * NSEC_PER_USEC;

	if (metadata->profile[0])
		config_choose_profile(m->config, metadata->profile, METADATA_SOURCE, choice);
	if (metadata->share_permille && metadata->share_permille < choice->profile.share_permille) {
		choice->profile.share_permille = metadata->share_permille;
		snprintf(choice->share_source, sizeof(choice->share_source), METADATA_SOURCE);
	}
	if (burst_ns && burst_ns < choice->profile.burst_ns) {
		choice->profile.burst_ns = burst_ns;
		snprintf(choice->burst_source, sizeof(choice->burst_source), METADATA_SOURCE);
	}
}

static void choose_metadata(struct manager *m, struct managed_domain *d, bool overruled)
{
	char error[sizeof(d->metadata_error)];
	struct log_context ctx = {.domain = d->seen->name, .vcpu = -1};

	d->metadata_use = metadata_judge(m, d->seen, overruled, error, sizeof(error));
	if (d->metadata_use == METADATA_USE_HONOURED)
		metadata_apply(m, &d->seen->metadata, &d->choice);
	/* terms are applied for many reasons: said once */
	if (error[0] && strcmp(error, d->metadata_error) != 0)
		log_write(LOG_WARNING, &ctx,
		          "domain \"%s\": the policy in its metadata is ignored: %s", d->seen->name,
		          error);
	snprintf(d->metadata_error, sizeof(d->metadata_error), "%s", error);
}

void domain_choose(struct manager *m, struct managed_domain *d)
{
	const char *persistent = state_override(m->state, d->seen->uuid);
	bool overruled = true;

	config_choose(m->config, d->seen->uuid, d->seen->name, &d->choice);
	if (!(d->override[0] &&
	      config_choose_profile(m->config, d->override, "pvschedctl policy set", &d->choice)) &&
	    !(persistent && config_choose_profile(m->config, persistent,
	                                          "pvschedctl policy set --persist", &d->choice)))
		overruled = d->choice.match != CONFIG_MATCH_DEFAULT;
	choose_metadata(m, d, overruled);
}
