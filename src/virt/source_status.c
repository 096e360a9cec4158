/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/source_status.h"

#include <inttypes.h>
#include <stdio.h>

void source_status_set(struct source_status *status, bool up, const char *text)
{
	pthread_mutex_lock(&status->lock);
	status->up = up;
	snprintf(status->text, sizeof(status->text), "%s", text);
	pthread_mutex_unlock(&status->lock);
}

void source_status_busy(struct source_status *status, uint64_t now_ns)
{
	pthread_mutex_lock(&status->lock);
	status->busy_ns = now_ns;
	pthread_mutex_unlock(&status->lock);
}

bool source_status_describe(struct source_status *status, uint64_t now_ns, char *text, size_t size)
{
	bool ok;

	pthread_mutex_lock(&status->lock);
	ok = status->up;
	if (status->busy_ns && now_ns > status->busy_ns + SOURCE_STATUS_HANG_NS) {
		ok = false;
		snprintf(text, size, "%s has not answered for %" PRIu64 " s (%s)", status->asked,
		         (now_ns - status->busy_ns) / NSEC_PER_SEC, status->text);
	} else {
		snprintf(text, size, "%s", status->text);
	}
	pthread_mutex_unlock(&status->lock);
	return ok;
}
