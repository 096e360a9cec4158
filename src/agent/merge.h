/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Many programs request for one CPU, and its page has one request: urgent wins, then ordinary,
 * which will be urgent again as soon as the first of them will. How long a user's programs can make
 * a CPU urgent is bounded, so none of them uses up alone what the host gives this guest. Pure.
 */

#include "pvsched/page.h"
#include "util/base.h"

/** What one user's programs may have of one CPU. */
struct merge_allowance {
	uint32_t urgent_permille;
	uint32_t rt_priority_max;
	bool urgent;       /* since @at_ns the CPU is urgent for this user */
	bool next;         /* it will be, by the merge that is being made */
	uint64_t at_ns;    /* when @tokens_ns was true; 0: full */
	int64_t tokens_ns; /* how much longer it may be urgent; below 0: it was for too long */
};

/** One program's request for one CPU, as its page said when it was looked at. */
struct merge_request {
	uint64_t word, expect, written_ns;
	uint64_t seen_ns; /* when @word was seen first; 0: none was */
	struct merge_allowance *of;
};

/** What the page of the CPU is to say. */
struct merge_result {
	enum pvsched_urgency urgency; /* NONE, ORDINARY or URGENT */
	uint32_t rt_priority;         /* if URGENT */
	uint64_t expected_ns;         /* if ORDINARY: when it is urgent again; 0: not known */
	uint64_t due_ns;              /* when this has to be merged again; NSEC_NEVER */
};

/** A page was looked at: keeps its words if they are new. Returns true then. */
bool merge_note(struct merge_request *request, const struct merge_request *look, uint64_t now_ns);

/** Merges the requests for one CPU, and begins or ends what is counted of allowances. */
struct merge_result merge(struct merge_request *const requests[], size_t n, uint64_t now_ns);
