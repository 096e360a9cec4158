// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/registry.h"

const struct registry_entry registry[] = {REGISTRY_PVSCHEDD, REGISTRY_URGENT_ONLY,
                                          REGISTRY_AWAITED_ONLY};

const uint32_t registry_n = ARRAY_SIZE(registry);
