/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * Whether the host still speaks. While a CPU is awake its host publishes a snapshot at least each
 * 100 ms, so a snapshot that was seen while the CPU ran is soon followed by another one. A host
 * that was killed, hangs, or is kept from running leaves the last one as it is.
 */

#include "lib/open.h"

/** A host that has published nothing for this long is silent. */
#define PVSCHED_SILENT_NS 2000000000ULL

/**
 * To be called with a report on @cpu whose state is set. If it is PVSCHED_STATE_ENABLED, and the
 * host is silent, it becomes PVSCHED_STATE_SILENT, and what is said of this moment becomes 0.
 * @here  the calling thread runs on that CPU: it is awake
 */
void pvsched_silence_look(struct pvsched *host, uint32_t cpu, int here,
                          struct pvsched_report *report);
