// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/publish.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/metrics_file.h"
#include "daemon/summary.h"

struct publish {
	struct tally *tally;
	struct summary *summary;
	struct metrics_file *metrics_file;
};

int publish_new(struct publish **ret, sd_event *event, const struct views *views)
{
	struct publish *publish = calloc(1, sizeof(*publish));
	int r = -ENOMEM;

	if (publish)
		publish->tally = tally_new();
	if (publish && publish->tally)
		r = summary_new(&publish->summary, event, views, publish->tally);
	if (r == 0)
		r = metrics_file_new(&publish->metrics_file, event, views, publish->tally);
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
	metrics_file_free(publish->metrics_file);
	summary_free(publish->summary);
	tally_free(publish->tally);
	free(publish);
	return NULL;
}

int publish_configure(struct publish *publish, const struct config_host *host)
{
	int r = summary_configure(publish->summary, host->summary_interval_ns);
	int r_file = metrics_file_configure(publish->metrics_file, host->metrics_file,
	                                    host->metrics_interval_ns);

	return r < 0 ? r : r_file;
}

struct tally *publish_tally(struct publish *publish)
{
	return publish ? publish->tally : NULL;
}
