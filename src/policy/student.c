// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/student.h"

#define VALUES_MIN 3
#define STEPS      512 /* even; of Simpson's rule, more than a hundred per standard deviation */

double student_root(double x)
{
	double y = x > 1 ? x : 1;

	if (!(x > 0))
		return 0;
	/* halves the exponent first, then doubles the digits each time */
	for (int i = 0; i < 600 && y * y > 4 * x; i++)
		y /= 2;
	for (int i = 0; i < 64; i++) {
		double next = (y + x / y) / 2;

		if (next == y)
			break;
		y = next;
	}
	return y;
}

/* x^(n/2) */
static double half_power(double x, uint32_t n)
{
	double y = n % 2 ? student_root(x) : 1;

	for (n /= 2; n; n /= 2) {
		if (n % 2)
			y *= x;
		x *= x;
	}
	return y;
}

/* The integral of (1 - u^2)^((df - 2) / 2): with u = t / root(df + t^2) that is Student's density,
 * but for a factor. */
static double integrate(double from, double to, uint32_t df)
{
	double width = (to - from) / STEPS, sum = 0;

	for (int i = 0; i <= STEPS; i++) {
		double u = from + i * width, rest = 1 - u * u;
		double weight = i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2;

		sum += weight * half_power(rest > 0 ? rest : 0, df - 2);
	}
	return sum * width / 3;
}

/* The chance of more than @u, which is the root of t^2 / (df + t^2), with the sign of t. */
static double tail(double u, uint32_t df)
{
	double half = integrate(0, 1, df), inside;

	if (u >= 1 || u <= -1)
		return u > 0 ? 0 : 1;
	inside = u >= 0 ? integrate(0, u, df) : integrate(0, -u, df);
	inside = MIN(inside, half) / (2 * half);
	return u >= 0 ? 0.5 - inside : 0.5 + inside;
}

void student_add(struct student_sums *sums, double value)
{
	sums->n++;
	sums->sum += value;
	sums->squares += value * value;
}

/* Of the mean, squared: the error that its estimate has. */
static double variance_of_mean(const struct student_sums *sums)
{
	double n = sums->n, rest = sums->squares - sums->sum * sums->sum / n;

	/* what rounding leaves of values that are all the same */
	return rest > sums->squares * 1e-12 ? rest / (n - 1) / n : 0;
}

double student_above(const struct student_sums *sums)
{
	double mean, variance, t2, u;

	if (sums->n < VALUES_MIN)
		return 1;
	mean = sums->sum / sums->n;
	variance = variance_of_mean(sums);
	if (variance <= 0)
		return mean > 0 ? 0 : 1;
	t2 = mean * mean / variance;
	u = student_root(t2 / (sums->n - 1 + t2));
	return tail(mean >= 0 ? u : -u, sums->n - 1);
}

double student_margin(const struct student_sums *sums)
{
	double low = 0, high = 1, u = 0;
	uint32_t df = sums->n - 1;

	if (sums->n < VALUES_MIN)
		return 0;
	for (int i = 0; i < 40; i++) {
		u = (low + high) / 2;
		if (tail(u, df) > 0.025)
			low = u;
		else
			high = u;
	}
	/* t = u root(df / (1 - u^2)) */
	return u * student_root(df / (1 - u * u)) * student_root(variance_of_mean(sums));
}
