/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Lines in the journal about what a guest says or does: it may change that as often as it likes, so
 * there is one in a minute, and the next one counts those that were left out.
 */

#include "util/base.h"

/** Of one domain and one subject. Zeroed: nothing was said yet. */
struct domain_log {
	uint64_t said_ns;     /* when the last line was written */
	unsigned int skipped; /* since then */
};

/**
 * Says @text of the domain called @name: LOG_ID_GUEST_PAGE.
 * @vcpu     its index; -1: of the whole domain
 * @level    as syslog's
 * @subject  "guest pages", "agent"
 */
void domain_log_say(struct domain_log *log, const char *name, int vcpu, int level,
                    const char *subject, const char *text);
