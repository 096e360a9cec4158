/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The sheet of a host CPU: how long real-time threads have run there in the last second, and when
 * that is too long for a boost. docs/design/sheet.md says why.
 *
 * A bucket bounds a charge, and a charge may be more or less than the run time. The sheet counts
 * run time: of each real-time thread, once, in ns. Time is cut into parts of 67 ms, and the sheet
 * holds the last sixteen of them, the present one included. So it never covers less than a second:
 * fifteen whole parts are longer. A boost ends when the sheet's limit is reached. So in the second
 * before any moment of a boost, real-time threads ran for no longer than the limit.
 *
 * The CPU itself is the only writer. Others read: a moment's mixture of old and new words is off by
 * one part at most, and the CPU looks again when it switches the vCPU in.
 */

#include <linux/types.h>

#include "core/bucket.h"

#define PVS_SHEET_SHIFT   26 /* a part, as a power of two: no division in the tracer */
#define PVS_SHEET_PARTS   16
#define PVS_SHEET_PART_NS (1ULL << PVS_SHEET_SHIFT)

struct pvs_sheet {
	__u64 epoch;               /* number of the latest part: its start >> PVS_SHEET_SHIFT */
	__u32 used_ns;             /* the sum of ns[] */
	__u32 limit_ns;            /* written by the daemon; 0: no boost goes on */
	__u32 ns[PVS_SHEET_PARTS]; /* of part N: ns[N % PVS_SHEET_PARTS] */
};

/** Begins the part @epoch, which is later than the latest one. Those that are too old go. */
static inline void pvs_sheet_advance(struct pvs_sheet *sheet, __u64 epoch)
{
	for (int i = 0; i < PVS_SHEET_PARTS && sheet->epoch != epoch; i++) {
		__u32 *oldest = &sheet->ns[++sheet->epoch % PVS_SHEET_PARTS];

		sheet->used_ns -= *oldest;
		*oldest = 0;
	}
	sheet->epoch = epoch;
}

/** Adds run time to a part that the sheet holds. A part is never fuller than it is long. */
static inline void pvs_sheet_add(struct pvs_sheet *sheet, __u64 epoch, __u64 ran_ns)
{
	__u32 *part = &sheet->ns[epoch % PVS_SHEET_PARTS];
	__u64 room_ns = PVS_SHEET_PART_NS - *part;

	if (ran_ns > room_ns)
		ran_ns = room_ns;
	*part += (__u32)ran_ns;
	sheet->used_ns += (__u32)ran_ns;
}

/** A run that is not all in the latest part: each part gets its own time. */
static inline void pvs_sheet_spread(struct pvs_sheet *sheet, __u64 until_ns, __u64 ran_ns)
{
	__u64 epoch = until_ns >> PVS_SHEET_SHIFT, here_ns = until_ns % PVS_SHEET_PART_NS, ns;

	if (epoch <= sheet->epoch && sheet->epoch - epoch >= PVS_SHEET_PARTS)
		sheet->epoch =
		        epoch - PVS_SHEET_PARTS; /* the clock went back: all that is known goes */
	if (epoch != sheet->epoch && sheet->epoch - epoch >= PVS_SHEET_PARTS)
		pvs_sheet_advance(sheet, epoch);
	for (int i = 0; i < PVS_SHEET_PARTS && ran_ns; i++) {
		if (sheet->epoch - epoch >= PVS_SHEET_PARTS)
			break; /* so old a run counts no more */
		ns = ran_ns < here_ns ? ran_ns : here_ns;
		pvs_sheet_add(sheet, epoch, ns);
		ran_ns -= ns;
		here_ns = PVS_SHEET_PART_NS;
		epoch--;
	}
}

/** A real-time thread ran here for @ran_ns, until @until_ns. On the sheet's CPU alone. */
static inline void pvs_sheet_charge(struct pvs_sheet *sheet, __u64 until_ns, __u64 ran_ns)
{
	__u64 epoch = until_ns >> PVS_SHEET_SHIFT;

	if (epoch == sheet->epoch && ran_ns <= until_ns % PVS_SHEET_PART_NS)
		pvs_sheet_add(sheet, epoch, ran_ns);
	else
		pvs_sheet_spread(sheet, until_ns, ran_ns);
}

/** What was charged for the last second; it may be up to 74 ms more than a second. */
static inline __u32 pvs_sheet_used(const struct pvs_sheet *sheet, __u64 now_ns)
{
	__u64 epoch = now_ns >> PVS_SHEET_SHIFT, latest = PVS_READ(sheet->epoch);
	__u32 used_ns = PVS_READ(sheet->used_ns), old_ns;

	if (epoch <= latest)
		return used_ns;
	if (epoch - latest >= PVS_SHEET_PARTS)
		return 0;
	/* nothing was charged since the latest part: those that are too old by now are in there */
	for (int i = 0; i < PVS_SHEET_PARTS && latest != epoch; i++) {
		old_ns = PVS_READ(sheet->ns[++latest % PVS_SHEET_PARTS]);
		used_ns -= old_ns < used_ns ? old_ns : used_ns;
	}
	return used_ns;
}

/** How long a boost may go on here, if what runs now is charged; 0 or less: it must end. */
static inline __s64 pvs_sheet_left(const struct pvs_sheet *sheet, __u64 now_ns)
{
	return (__s64)PVS_READ(sheet->limit_ns) - (__s64)pvs_sheet_used(sheet, now_ns);
}

/**
 * The earliest time at which @want_ns are left, or all if that is more than the limit, provided
 * that nothing is charged until then; @now_ns: they are left already.
 */
static inline __u64 pvs_sheet_ready_at(const struct pvs_sheet *sheet, __u64 now_ns, __u64 want_ns)
{
	__u64 epoch = now_ns >> PVS_SHEET_SHIFT, at_ns = now_ns;
	__u32 limit_ns = PVS_READ(sheet->limit_ns);
	__s64 want = want_ns < limit_ns ? (__s64)want_ns : (__s64)limit_ns;

	for (int i = 0; i < PVS_SHEET_PARTS && pvs_sheet_left(sheet, at_ns) < want; i++)
		at_ns = ++epoch << PVS_SHEET_SHIFT;
	return at_ns;
}

_Static_assert((PVS_SHEET_PARTS - 1) * PVS_SHEET_PART_NS >= 1000000000ULL, "covers a second");
_Static_assert(PVS_SHEET_PARTS *PVS_SHEET_PART_NS < 1ULL << 31, "a sum fits");
_Static_assert(sizeof(struct pvs_sheet) == 80, "sheet");
