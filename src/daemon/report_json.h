/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* How reports write what JSON has no exact form for. */

#include "daemon/inventory.h"
#include "util/base.h"
#include "util/escape.h"

struct cJSON;

/** An integer as it is: cJSON keeps numbers as doubles and would print a big one as 1e+15. */
void report_integer(struct cJSON *object, const char *key, int64_t value);

/** 64 bits that are no count, as a text: "0x...". */
void report_hex(struct cJSON *object, const char *key, uint64_t value);

/** Room for any domain's name in a report. */
#define REPORT_NAME_MAX ESCAPE_SIZE(DOMAIN_NAME_MAX)

/** The name of a domain in a report: valid UTF-8, whatever it is. REPORT_NAME_MAX bytes. */
void report_name(const struct inventory_domain *domain, char *buffer);

/**
 * What stands for a domain in a command that people paste into a shell: its name, or its uuid if
 * the name has characters that a shell or an option parser would take for something else.
 */
const char *report_word(const struct inventory_domain *domain);

void report_add_name(struct cJSON *object, const char *key, const struct inventory_domain *domain);

/** Adds those of vmid, title, flavor and tags that the domain has. */
void report_add_labels(struct cJSON *object, const struct inventory_domain *domain);
