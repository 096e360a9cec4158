/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/duration.h"

#include <errno.h>
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
