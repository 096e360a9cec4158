/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In place of registry_table.c and kinds.c: the policies of the product, and one that always wishes
 * a boost and never gives one back. Whatever it is chosen for must stay within all caps.
 */
#include "policy/kind.h"

const struct registry_entry registry[] = {
        REGISTRY_PVSCHEDD,
        REGISTRY_URGENT_ONLY,
        REGISTRY_AWAITED_ONLY,
        {
                .name = "always",
                .version = 1,
                .events = REGISTRY_HALTED | REGISTRY_PREEMPTED | REGISTRY_INTERRUPT,
                .brief = "wishes a boost at all times",
        },
};

const uint32_t registry_n = ARRAY_SIZE(registry);

static struct kind_wish wish(const struct turn *t)
{
	(void)t;
	return (struct kind_wish){true, POLICY_REASON_WITHIN};
}

static uint64_t never(const struct turn *t)
{
	(void)t;
	return NSEC_NEVER;
}

static enum policy_reason lower(struct turn *t)
{
	(void)t;
	return POLICY_REASON_WITHIN;
}

static const struct policy_kind kind_always = {
        .wish = wish,
        .expects_ns = never,
        .lower = lower,
        .look_ns = never,
};

const struct policy_kind *const policy_kinds[] = {&kind_pvschedd, &kind_urgent_only,
                                                  &kind_awaited_only, &kind_always};

const uint32_t policy_kinds_n = ARRAY_SIZE(policy_kinds);
