/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Steps aside, or gives all back: what the service pvsched-aside does that the agent starts. It
 * waits for systemd, which the agent's loop must not. Each change is in the record before it is
 * made.
 */

#include "agent/aside_outcome.h"
#include "agent/aside_places.h"

/**
 * Moves what runs on @wanted elsewhere; what was avoided before and is not in it is given back. An
 * empty @wanted gives all back. CPU 0 is never avoided, and at least one CPU stays.
 */
void aside_do(const struct aside_places *places, const struct cpu_set_bits *wanted,
              struct aside_outcome *ret);

/** Does the kernel step aside by itself? */
bool aside_kernel_governs(const struct aside_places *places);

/**
 * `pvsched-agent aside LIST|none|asked`: does it, and leaves the outcome in its file. "asked": what
 * the agent's file says. Returns an exit status; a refusal is none.
 */
int aside_command(const char *list);

/** The same elsewhere, for tests. */
int aside_command_in(const struct aside_places *places, const char *list);
