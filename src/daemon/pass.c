// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/pass.h"

#include <errno.h>
#include <stdlib.h>

/* What made a pass fail, a lack of memory, may last: the host must not be busy with it. */
#define RETRY_US 1000000

struct pass {
	sd_event_source *defer;
	sd_event_source *retry; /* made at the start, since it is used when memory is out */
	pass_fn *fn;
	void *userdata;
	bool due;
	bool runs;
	uint64_t total;
};

static int on_defer(sd_event_source *source, void *userdata)
{
	(void)source;
	pass_settle(userdata);
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	pass_now(userdata);
	return 0;
}

int pass_new(struct pass **ret, sd_event *event, pass_fn *fn, void *userdata)
{
	struct pass *pass = calloc(1, sizeof(*pass));
	int r;

	if (!pass)
		return -ENOMEM;
	pass->fn = fn;
	pass->userdata = userdata;
	r = sd_event_add_defer(event, &pass->defer, on_defer, pass);
	if (r >= 0)
		r = sd_event_source_set_enabled(pass->defer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &pass->retry, CLOCK_MONOTONIC, UINT64_MAX, 0, on_retry,
		                      pass);
	if (r >= 0)
		r = sd_event_source_set_enabled(pass->retry, SD_EVENT_OFF);
	if (r < 0) {
		pass_free(pass);
		return r;
	}
	sd_event_source_set_description(pass->defer, "pass");
	*ret = pass;
	return 0;
}

struct pass *pass_free(struct pass *pass)
{
	if (!pass)
		return NULL;
	sd_event_source_disable_unref(pass->defer);
	sd_event_source_disable_unref(pass->retry);
	free(pass);
	return NULL;
}

void pass_changed(struct pass *pass)
{
	pass->due = true;
	sd_event_source_set_enabled(pass->defer, SD_EVENT_ONESHOT);
}

int pass_now(struct pass *pass)
{
	int r;

	if (pass->runs) { /* what a pass itself changes is the next one's */
		pass_changed(pass);
		return -EBUSY;
	}
	pass->due = false;
	sd_event_source_set_enabled(pass->defer, SD_EVENT_OFF);
	sd_event_source_set_enabled(pass->retry, SD_EVENT_OFF);
	pass->runs = true;
	pass->total++;
	r = pass->fn(pass->userdata);
	pass->runs = false;
	if (r < 0) {
		sd_event_source_set_time_relative(pass->retry, RETRY_US);
		sd_event_source_set_enabled(pass->retry, SD_EVENT_ONESHOT);
	}
	return r;
}

void pass_settle(struct pass *pass)
{
	if (pass->due)
		pass_now(pass);
}

uint64_t pass_total(const struct pass *pass)
{
	return pass->total;
}
