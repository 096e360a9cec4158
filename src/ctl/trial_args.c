// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/trial_args.h"

#include "ctl/duration.h"

/* As the daemon has them: control/request.c. */
#define WINDOW_NS_MIN (500 * NSEC_PER_MSEC)
#define WINDOW_NS_MAX (600 * NSEC_PER_SEC)

/* What a trial is begun with. */
#define BEGINS                                                                                     \
	(CTL_HAS(CTL_OPTION_FOR) | CTL_HAS(CTL_OPTION_PROFILE) | CTL_HAS(CTL_OPTION_BURST) |       \
	 CTL_HAS(CTL_OPTION_SHARE) | CTL_HAS(CTL_OPTION_WINDOW))
#define LATER (CTL_HAS(CTL_OPTION_FOLLOW) | CTL_HAS(CTL_OPTION_STOP))

const char *trial_args_check(uint32_t given, const char *domain)
{
	if (!domain == !(given & CTL_HAS(CTL_OPTION_ALL)))
		return "of which domain? Name one, or give --all";
	if ((given & LATER) && ((given & BEGINS) || !domain))
		return "--follow and --stop are of a trial that was begun: give a domain alone";
	if ((given & CTL_HAS(CTL_OPTION_PLOT)) && !domain)
		return "--plot draws one domain";
	return NULL;
}

const char *trial_args_window(const char *text, uint64_t *min_ms, uint64_t *max_ms)
{
	uint64_t min_ns, max_ns;

	*min_ms = *max_ms = 0;
	if (!text)
		return NULL;
	if (ctl_range_parse(text, &min_ns, &max_ns) < 0 || min_ns < WINDOW_NS_MIN ||
	    max_ns > WINDOW_NS_MAX)
		return "--window must be one duration or two, as 5s..20s, from 500ms to 10m";
	*min_ms = min_ns / NSEC_PER_MSEC;
	*max_ms = max_ns / NSEC_PER_MSEC;
	return NULL;
}
