/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/duration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_NS_MAX (31 * 24 * 3600 * NSEC_PER_SEC)

int ctl_duration_parse(const char *text, uint64_t *ret)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {
	        {"us", NSEC_PER_USEC},    {"ms", NSEC_PER_MSEC},      {"s", NSEC_PER_SEC},
	        {"m", 60 * NSEC_PER_SEC}, {"h", 3600 * NSEC_PER_SEC},
	};
	uint64_t number = 0;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 10)
		return -EINVAL;
	for (size_t i = 0; i < digits; i++)
		number = 10 * number + (uint64_t)(text[i] - '0');
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(text + digits, units[i].unit) != 0)
			continue;
		if (number == 0 || number > DURATION_NS_MAX / units[i].ns)
			return -EINVAL;
		*ret = number * units[i].ns;
		return 0;
	}
	return -EINVAL;
}

int ctl_range_parse(const char *text, uint64_t *min_ns, uint64_t *max_ns)
{
	const char *dots = strstr(text, "..");
	size_t length = dots ? (size_t)(dots - text) : strlen(text);
	char first[32];

	if (length >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, length);
	first[length] = '\0';
	if (ctl_duration_parse(first, min_ns) < 0 ||
	    ctl_duration_parse(dots ? dots + 2 : first, max_ns) < 0)
		return -EINVAL;
	return *min_ns <= *max_ns ? 0 : -EINVAL;
}

int ctl_seconds_parse(const char *text, uint64_t *ret_ms)
{
	uint64_t ms, unit_ms = 1000;
	size_t n = strspn(text, "0123456789"), decimals = 0;

	if (n == 0 || n > 4)
		return -EINVAL;
	ms = 1000 * strtoull(text, NULL, 10);
	if (text[n] == '.')
		decimals = strspn(text + n + 1, "0123456789");
	for (size_t i = 0; i < decimals && unit_ms > 1; i++) {
		unit_ms /= 10;
		ms += unit_ms * (uint64_t)(text[n + 1 + i] - '0');
	}
	n += decimals ? decimals + 1 : 0;
	if (text[n] || decimals > 3)
		return -EINVAL;
	*ret_ms = ms;
	return 0;
}
