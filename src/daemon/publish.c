// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/publish.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/summary.h"

struct publish {
	struct tally *tally;
	struct summary *summary;
};

int publish_new(struct publish **ret, sd_event *event, const struct views *views)
{
	struct publish *publish = calloc(1, sizeof(*publish));
	int r = -ENOMEM;

	if (publish)
		publish->tally = tally_new();
	if (publish && publish->tally)
		r = summary_new(&publish->summary, event, views, publish->tally);
	if (r < 0) {
		publish_free(publish);
		return r;
	}
	*ret = publish;
	return 0;
}

struct publish *publish_free(struct publish *publish)
{
	if (!publish)
		return NULL;
	summary_free(publish->summary);
	tally_free(publish->tally);
	free(publish);
	return NULL;
}

int publish_configure(struct publish *publish, const struct config_host *host)
{
	return summary_configure(publish->summary, host->summary_interval_ns);
}

struct tally *publish_tally(struct publish *publish)
{
	return publish->tally;
}
