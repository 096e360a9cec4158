// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/domain_log.h"

#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"

#define INTERVAL_NS (60 * NSEC_PER_SEC)

void domain_log_say(struct domain_log *log, const char *name, int vcpu, int level,
                    const char *subject, const char *text)
{
	struct log_context ctx = {.domain = name, .vcpu = vcpu, .message_id = LOG_ID_GUEST_PAGE};
	uint64_t now_ns = clock_now_ns();

	if (log->said_ns && now_ns < log->said_ns + INTERVAL_NS) {
		log->skipped++;
		return;
	}
	if (log->skipped)
		log_write(level, &ctx, "domain \"%s\": %s: %s (and %u more changes)", name, subject,
		          text, log->skipped);
	else
		log_write(level, &ctx, "domain \"%s\": %s: %s", name, subject, text);
	log->said_ns = now_ns;
	log->skipped = 0;
}
