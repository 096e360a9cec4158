/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/trust.h"

#include <errno.h>
#include <unistd.h>

int config_check_trust(const struct stat *st, const char *what, const struct complaint *c)
{
	if (st->st_mode & S_IWOTH)
		return config_complain(c, -EPERM,
		                       "every user may write this %s, so it is not trusted; check "
		                       "it, then: chmod o-w '%s'",
		                       what, c->path);
	if ((st->st_mode & S_IWGRP) && st->st_gid != 0 && st->st_gid != getegid())
		return config_complain(c, -EPERM,
		                       "group %u may write this %s, so it is not trusted; check "
		                       "it, then: chmod g-w '%s'",
		                       (unsigned int)st->st_gid, what, c->path);
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return config_complain(c, -EPERM,
		                       "this %s belongs to user %u, so it is not trusted; check "
		                       "it, then: chown root '%s'",
		                       what, (unsigned int)st->st_uid, c->path);
	return 0;
}
