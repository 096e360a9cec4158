/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A vCPU that is boosted: may it stay so? */

#include "policy/vcpu.h"

/** The boost was carried out: it is ARMED. */
void boosted_begin(struct turn *t);

/** A step in ARMED. */
void boosted_step(struct turn *t);
