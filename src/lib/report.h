/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * Turns what the host wrote into a page into a report.
 */

#include "lib/open.h"

/** Sets the members of *ret that the page at @place holds; leaves the others unchanged. */
void pvsched_page_report(const struct pvsched_place *place, struct pvsched_report *ret);
