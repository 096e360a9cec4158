/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * What the host writes into a page, as a report.
 */

#include "lib/open.h"

/** Fills in all that the page at @place tells; leaves the rest of *ret alone. */
void pvsched_page_report(const struct pvsched_place *place, struct pvsched_report *ret);
