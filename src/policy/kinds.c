// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/kind.h"

/* In the order of registry_table.c. */
const struct policy_kind *const policy_kinds[] = {&kind_pvschedd, &kind_urgent_only,
                                                  &kind_awaited_only};

const uint32_t policy_kinds_n = ARRAY_SIZE(policy_kinds);
