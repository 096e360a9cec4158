/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Student's test of a mean, without the mathematical library. Pure. */

#include "util/base.h"

/** The square root, to the last digits; 0 of what is not positive. */
double student_root(double x);

/** Of n values: their sum, and the sum of their squares. Zeroed: no value. */
struct student_sums {
	uint32_t n;
	double sum, squares;
};

void student_add(struct student_sums *sums, double value);

/**
 * How probable it is, if the mean is 0, that @n values have one as large as theirs or larger: near
 * 0 where it is plainly above 0. Returns 1 for fewer than three values.
 */
double student_above(const struct student_sums *sums);

/** How far the mean of so many values lies from its estimate, at most, with 95 in 100 chances. */
double student_margin(const struct student_sums *sums);
