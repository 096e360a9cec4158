/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What was learned of each domain whose profile learns (policy/learn.h): learning.c writes it. */

#include "daemon/inventory.h"
#include "policy/learn.h"

struct learned_domains;

/** Nothing is learned yet. NULL when memory is out. */
struct learned_domains *learned_domains_new(void);

/** Takes NULL; returns NULL. */
struct learned_domains *learned_domains_free(struct learned_domains *learned);

/** What was learned of a domain; zeroed if nothing was. */
const struct learned *learned_of(const struct learned_domains *learned,
                                 const struct inventory_domain *domain);

/** The same, to learn more; begins anew if another domain had its slot. */
struct learned *learned_begin(struct learned_domains *learned,
                              const struct inventory_domain *domain);

void learned_forget(struct learned_domains *learned, const struct inventory_domain *domain);
