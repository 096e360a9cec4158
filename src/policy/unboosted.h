/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A vCPU that is not boosted: may it be? */

#include "policy/vcpu.h"

/** A step in BASE or THROTTLED: boosts it if nothing prevents that, else waits for what does. */
void unboosted_step(struct turn *t);
