// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/recommend_args.h"

#include "ctl/verbs.h"

const char *recommend_args_check(uint32_t given, const char *domain)
{
	bool all = given & CTL_HAS(CTL_OPTION_ALL), apply = given & CTL_HAS(CTL_OPTION_APPLY);

	if (domain && all)
		return "a domain and --all exclude each other";
	if (apply && !domain && !all)
		return "--apply to which domain? Name one, or give --all";
	if (given & CTL_HAS(CTL_OPTION_PERSIST) && !apply)
		return "--persist keeps what --apply sets; give both";
	return NULL;
}
